#include "base/find_text.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::base {
namespace {

TEST(FindText, FindsWhatFindFinds) {
  for (const std::string_view needle : {"abc", "aab:", "\"signature\""}) {
    for (size_t before = 0; before < 200; ++before) {
      for (const size_t behind : {size_t{0}, size_t{1}, size_t{80}}) {
        const std::string text = std::string(before, 'a') + std::string(needle) + std::string(behind, 'b');
        for (const size_t from : {size_t{0}, size_t{1}, before, before + 1, text.size(), text.size() + 5}) {
          EXPECT_EQ(find_text(text, needle, from), text.find(needle, from)) << before << " " << behind << " " << from;
          EXPECT_EQ(find_text_narrow(text, needle, from), text.find(needle, from)) << before << " " << behind;
        }
      }
    }
  }
  EXPECT_EQ(find_text("", "abc"), std::string_view::npos);
  EXPECT_EQ(find_text(std::string(500, 'a') + "ab", "abc"), std::string_view::npos);
}

TEST(FindText, FindsTheNext) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "xyz" + std::string(static_cast<size_t>(i), '.');
  size_t count = 0;
  for (size_t at = find_text(text, "xyz"); at != std::string_view::npos; at = find_text(text, "xyz", at + 1)) ++count;
  EXPECT_EQ(count, 40U);
}

}  // namespace
}  // namespace llmgw::base
