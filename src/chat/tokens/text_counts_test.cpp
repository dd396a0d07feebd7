#include "chat/tokens/text_counts.h"

#include <gtest/gtest.h>

namespace llmgw::chat {
namespace {

TEST(TextCounts, Classes) {
  TextCounts counts;
  counts.add("Hello, extraordinary camelCase WORLD!!  12345 7\n\n\xC3\xA9\xD0\x96\xE4\xB8\xAD\xF0\x9F\x98\x80");
  EXPECT_EQ(counts.words, 4U);
  EXPECT_EQ(counts.long_letters, 6U) << "extraordinary has 13";
  EXPECT_EQ(counts.humps, 1U);
  EXPECT_EQ(counts.capitals, 1U);
  EXPECT_EQ(counts.capital_letters, 5U);
  EXPECT_EQ(counts.digits, 3U);
  EXPECT_EQ(counts.digit_chars, 6U);
  EXPECT_EQ(counts.spaced_digits, 2U);
  EXPECT_EQ(counts.marks, 2U) << "a comma, and two exclamation marks together";
  EXPECT_EQ(counts.more_marks, 1U);
  EXPECT_EQ(counts.lines, 1U);
  EXPECT_EQ(counts.indents, 1U);
  EXPECT_EQ(counts.letters, 2U);
  EXPECT_EQ(counts.wide, 1U);
  EXPECT_EQ(counts.symbols, 1U);
}

TEST(TextCounts, WordsWithHumps) {
  TextCounts counts;
  counts.add("OpenTelemetry getHTTPResponse");
  EXPECT_EQ(counts.words, 2U);
  EXPECT_EQ(counts.humps, 2U);
  EXPECT_EQ(counts.long_letters, 2 + 5U) << "Telemetry has 9, HTTPResponse 12";
}

TEST(TextCounts, WordsOfOtherAlphabets) {
  TextCounts latin;
  latin.add("Größere Straßenbahnlinie");
  EXPECT_EQ(latin.words, 2U);
  EXPECT_EQ(latin.letters, 6U) << "three, and twice";
  EXPECT_EQ(latin.long_letters, 9U);
  TextCounts cyrillic;
  cyrillic.add("В прошлом году");
  EXPECT_EQ(cyrillic.words, 3U);
  EXPECT_EQ(cyrillic.letters, 12U);
  EXPECT_EQ(cyrillic.long_letters, 0U);
  TextCounts thai;
  thai.add("ปีที่แล้วรัฐบาล");
  EXPECT_EQ(thai.words, 3U) << "fifteen letters without a blank";
}

TEST(TextCounts, MarksThatJoin) {
  TextCounts counts;
  counts.add("get_name it's a.b __x - y ends.");
  EXPECT_EQ(counts.joints, 3U);
  EXPECT_EQ(counts.marks, 6U);
}

TEST(TextCounts, LinesBehindMarks) {
  TextCounts counts;
  counts.add("a,\n\nb\n;\r\n\n");
  EXPECT_EQ(counts.mark_lines, 2U);
  EXPECT_EQ(counts.lines, 1U);
}

TEST(TextCounts, OfJsonOnlyWhatIsSaid) {
  TextCounts spread;
  spread.add_json("{\n  \"a  b\": [1,\n 2],  \"c\\\"  \": null }");
  TextCounts compact;
  compact.add("{\"a  b\":[1,2],\"c\\\"  \":null}");
  EXPECT_EQ(spread.marks, compact.marks);
  EXPECT_EQ(spread.indents, 2U);
  EXPECT_EQ(spread.lines, 0U);
  EXPECT_EQ(spread.words, compact.words);
}

TEST(TextCounts, BrokenText) {
  TextCounts broken;
  broken.add("\xF0\x9F");
  broken.add("\xFF\xC3");
  EXPECT_LE(broken.letters + broken.symbols + broken.wide, 4U);
}

}  // namespace
}  // namespace llmgw::chat
