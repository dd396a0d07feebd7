#include "base/words.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::base {
namespace {

TEST(Words, EachIsAskedUntilOneIsIt) {
  std::string asked;
  const auto until = [&](std::string_view words, std::string_view last) {
    asked.clear();
    return any_word(words, [&](std::string_view word) {
      asked.append(word).push_back('|');
      return word == last;
    });
  };
  EXPECT_TRUE(until("one two three", "two"));
  EXPECT_EQ(asked, "one|two|");
  EXPECT_FALSE(until("one two", "tw"));
  EXPECT_EQ(asked, "one|two|");
  EXPECT_TRUE(until("one", "one"));
  EXPECT_FALSE(until("", ""));
  EXPECT_EQ(asked, "");
}

}  // namespace
}  // namespace llmgw::base
