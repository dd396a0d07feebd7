#include "json/array.h"

#include <gtest/gtest.h>

namespace llmgw::json {
namespace {

TEST(Array, ElementsComeBehindThoseBefore) {
  std::string array;
  append_elements(array, "");
  append_elements(array, "[]");
  EXPECT_EQ(array, "");
  append_elements(array, "[1]");
  append_elements(array, "[]");
  append_elements(array, R"([{"a":2},3])");
  EXPECT_EQ(array, R"([1,{"a":2},3])");
  array = "[]";
  append_elements(array, "[4]");
  EXPECT_EQ(array, "[4]");
}

}  // namespace
}  // namespace llmgw::json
