#include <gtest/gtest.h>

#include <set>

#include "chat/dialect.h"
#include "chat/error.h"
#include "chat/usage.h"

namespace llmgw::chat {
namespace {

TEST(Names, AreDistinctAndKnown) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(ErrorKind::internal); ++i) names.insert(to_string(static_cast<ErrorKind>(i)));
  EXPECT_EQ(names.size(), static_cast<size_t>(ErrorKind::internal) + 1);
  EXPECT_FALSE(names.contains("unknown"));
  names.clear();
  for (int i = 0; i <= static_cast<int>(Dialect::cohere); ++i) names.insert(to_string(static_cast<Dialect>(i)));
  EXPECT_EQ(names.size(), static_cast<size_t>(Dialect::cohere) + 1);
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(Usage, UnknownIsNotZero) {
  Usage usage;
  EXPECT_FALSE(usage.known());
  EXPECT_EQ(usage.total_input(), std::nullopt);
  usage.cache_read = 5;
  EXPECT_TRUE(usage.known());
  EXPECT_EQ(usage.total_input(), 5U);
  usage.input = 2;
  usage.cache_write = 3;
  EXPECT_EQ(usage.total_input(), 10U);
}

}  // namespace
}  // namespace llmgw::chat
