#include "control/serving_needs.h"

#include <gtest/gtest.h>

namespace llmgw::control {
namespace {

TEST(ServingNeeds, NamesWhatIsMissing) {
  EXPECT_EQ(missing_needs({}), "no connection, no model, no key");
  EXPECT_EQ(missing_needs({.connections = 1, .models = 0, .callers = 2}), "no model");
  EXPECT_EQ(missing_needs({.connections = 1, .models = 1, .callers = 1}), "");
}

TEST(ServingNeeds, NamesWhatWasThere) {
  const ServingNeeds all{.connections = 3, .models = 3, .callers = 3};
  EXPECT_EQ(lost_needs(all, {}), "the last connection, the last model, the last key");
  EXPECT_EQ(lost_needs(all, {.connections = 1, .models = 1, .callers = 0}), "the last key");
  EXPECT_EQ(lost_needs(all, {.connections = 1, .models = 1, .callers = 1}), "");
  EXPECT_EQ(lost_needs({.connections = 1, .models = 0, .callers = 0}, {.connections = 1}), "");
}

TEST(ServingNeeds, KnowsAFileThatSaysNothing) {
  for (const char* text : {"", "\n", "  \t\r\n\n", "# a comment\n  # and [another]\n", "#"}) {
    EXPECT_TRUE(says_nothing(text)) << text;
  }
  for (const char* text : {"a = 1", "# x\n[server]\n", "\n\n  [server]", "x"}) EXPECT_FALSE(says_nothing(text)) << text;
}

}  // namespace
}  // namespace llmgw::control
