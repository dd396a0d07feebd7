#include "json/text.h"

#include <gtest/gtest.h>

#include <utility>

#include "base/rng.h"
#include "json/utf8.h"

namespace llmgw::json {
namespace {

using namespace std::string_literals;

TEST(Text, EscapesWhatJsonDemands) {
  const std::pair<std::string, std::string> cases[] = {
      {"plain", "plain"},
      {"", ""},
      {"a\"b\\c/d", R"(a\"b\\c/d)"},
      {"\b\f\n\r\t", R"(\b\f\n\r\t)"},
      {"\0\x01\x1f\x7f"s, "\\u0000\\u0001\\u001f\x7f"},
      {"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80 \xE2\x80\xA8", "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80 \xE2\x80\xA8"},
      {"\xED\xA0\xBD", "\\ud83d"},
      {"\xED\xA0\xBD\xED\xB8\x80", "\\ud83d\\ude00"},
  };
  for (const auto& [text, escaped] : cases) {
    std::string out;
    append_escaped(out, text);
    EXPECT_EQ(out, escaped);
  }
}

// The substitution examples of Unicode 15, section 3.9, tables 3-8 to 3-11.
TEST(Text, BrokenUtf8BecomesReplacementCharacters) {
  const std::string kReplacement = "\xEF\xBF\xBD";
  const std::pair<std::string, size_t> cases[] = {
      {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", 8},
      {"\xF4\x91\x92\x93\xFF\x41", 5},
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", 4},
      {"\x80\x41", 1},
      {"\xED\xA0", 2},
      {"\xF0\x9F\x98", 1},
  };
  for (const auto& [text, count] : cases) {
    std::string out;
    append_escaped(out, text);
    std::string expected;
    for (size_t i = 0; i < count; ++i) expected += kReplacement;
    if (text.back() == 'A') expected += 'A';
    EXPECT_EQ(out, expected) << testing::PrintToString(text);
    EXPECT_FALSE(is_utf8(text));
  }
}

TEST(Text, UnescapesEveryForm) {
  const std::pair<std::string, std::string> cases[] = {
      {R"(\"\\\/\b\f\n\r\t)", "\"\\/\b\f\n\r\t"},
      {R"(mod\u0065l)", "model"},
      {R"(\u00fc\u20AC)", "\xC3\xBC\xE2\x82\xAC"},
      {R"(\ud83d\ude00!)", "\xF0\x9F\x98\x80!"},
      {R"(\ud83d)", "\xED\xA0\xBD"},
      {R"(\ud83dx)", "\xED\xA0\xBDx"},
      {R"(\ude00\ud83d)", "\xED\xB8\x80\xED\xA0\xBD"},
      {R"(\ud83d\u0041)", "\xED\xA0\xBD\x41"},
      {R"(\u0000)", "\0"s},
  };
  base::Arena arena;
  for (const auto& [escaped, text] : cases) {
    const auto result = unescape(escaped, arena);
    ASSERT_TRUE(result) << escaped;
    EXPECT_EQ(*result, text) << escaped;
  }
}

TEST(Text, RefusesBrokenEscapes) {
  base::Arena arena;
  for (const std::string_view text :
       {R"(\)", R"(\x)", R"(\u)", R"(\u12)", R"(\u12g4)", R"(\U0041)", "a\"b", "a\nb", R"(\u+123)"}) {
    EXPECT_FALSE(unescape(text, arena)) << text;
  }
}

TEST(Text, PlainTextIsNotCopied) {
  base::Arena arena;
  const std::string_view text = "gpt-4-turbo-2024-04-09";
  EXPECT_EQ(unescape(text, arena)->data(), text.data());
  EXPECT_EQ(arena.allocated_bytes(), 0U);
}

TEST(Text, EscapeAndUnescapeAreInverse) {
  base::Rng rng(7);
  constexpr std::string_view kAlphabet[] = {
      "a", "\"", "\\", "\n", "\x01", "\xC3\xBC", "\xF0\x9F\x98\x80", "\xED\xA0\xBD", "12345678", "/"};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (uint64_t n = rng.below(40); n > 0; --n) text += kAlphabet[rng.below(std::size(kAlphabet))];
    std::string escaped;
    append_escaped(escaped, text);
    base::Arena arena;
    ASSERT_EQ(unescape(escaped, arena).value_or("error"), text);
  }
}

}  // namespace
}  // namespace llmgw::json
