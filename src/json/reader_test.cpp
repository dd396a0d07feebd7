#include "json/reader.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace llmgw::json {
namespace {

bool accepts(std::string_view text) {
  Parser parser;
  const auto document = parser.parse(text);
  if (!document) return false;
  Reader reader(*document);
  reader.skip();
  return reader.finish().has_value();
}

TEST(Reader, AcceptsJson) {
  for (const std::string_view text :
       {"{}", "[]", " { } ", "[[],{},[{}]]", "1", "-0", "1.5e-7", "1E+2", "true", "false", "null", "\"\"", "\"a\\\"b\"",
        "[1,2,\"x\"]", R"({"a":{"b":[1,{"c":null}]},"d":""})", "\t[\r\n1 , 2 ]\n", R"({"":{"":{}}})", "[\"\\\\\"]"}) {
    EXPECT_TRUE(accepts(text)) << text;
  }
}

TEST(Reader, RefusesWhatIsNotJson) {
  for (const std::string_view text : {"",
                                      " ",
                                      "{",
                                      "}",
                                      "[",
                                      "]",
                                      "{]",
                                      "[}",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{,}",
                                      "{1:2}",
                                      "{\"a\" 1}",
                                      "{\"a\":1 \"b\":2}",
                                      "[1]]",
                                      "{}{}",
                                      "{} x",
                                      "nul",
                                      "nulll",
                                      "tru e",
                                      "True",
                                      "NaN",
                                      "01",
                                      "1.",
                                      ".5",
                                      "+1",
                                      "1e",
                                      "--1",
                                      "0x10",
                                      "1_0",
                                      "\"a",
                                      "'a'",
                                      "\"a\"b",
                                      "a\"b\"",
                                      "123\"abc\"",
                                      "\"a\nb\"",
                                      "[\"\x01\"]",
                                      "\"\xFF\"",
                                      "[\"\xC0\xAF\"]",
                                      "{\"a\":1}}",
                                      "[{\"a\":[}]",
                                      "// c\n{}",
                                      "[1]\f",
                                      "\xEF\xBB\xBF{}",
                                      "[\"a\\\"]"}) {
    EXPECT_FALSE(accepts(text)) << text;
  }
}

TEST(Reader, DepthIsLimited) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(accepts(nested(kDepthMax)));
  EXPECT_FALSE(accepts(nested(kDepthMax + 1)));
  EXPECT_FALSE(accepts(std::string(5'000'000, '[')));
  std::string mixed;
  for (size_t i = 0; i < kDepthMax / 2; ++i) mixed += "{\"a\":[";
  std::string closed = mixed;
  for (size_t i = 0; i < kDepthMax / 2; ++i) closed += "]}";
  EXPECT_TRUE(accepts(closed));
  std::string crossed = mixed;
  for (size_t i = 0; i < kDepthMax / 2; ++i) crossed += "}]";
  EXPECT_FALSE(accepts(crossed));
}

TEST(Reader, WalksMembersAndElements) {
  Parser parser;
  const std::string text = R"( {"a": [1, "two", {"three": 3}], "b" : true, "c":null, "d": -1.50, "e": {"x":[ ]} } )";
  const auto document = parser.parse(text);
  ASSERT_TRUE(document);
  Reader reader(*document);
  std::string_view key;
  ASSERT_TRUE(reader.enter_object());
  ASSERT_TRUE(reader.next_member(key));
  EXPECT_EQ(key, "a");
  EXPECT_EQ(reader.kind(), Kind::array);
  ASSERT_TRUE(reader.enter_array());
  ASSERT_TRUE(reader.next_element());
  EXPECT_EQ(reader.unsigned_integer(), 1U);
  ASSERT_TRUE(reader.next_element());
  EXPECT_EQ(reader.string(), "two");
  ASSERT_TRUE(reader.next_element());
  EXPECT_EQ(reader.skip(), R"({"three": 3})");
  EXPECT_FALSE(reader.next_element());
  ASSERT_TRUE(reader.next_member(key));
  EXPECT_TRUE(reader.boolean());
  ASSERT_TRUE(reader.next_member(key));
  reader.null();
  ASSERT_TRUE(reader.next_member(key));
  EXPECT_EQ(reader.kind(), Kind::number);
  EXPECT_EQ(reader.number(), "-1.50");
  ASSERT_TRUE(reader.next_member(key));
  EXPECT_EQ(reader.skip(), R"({"x":[ ]})");
  EXPECT_FALSE(reader.next_member(key));
  EXPECT_TRUE(reader.finish());
}

TEST(Reader, ErrorsStick) {
  Parser parser;
  const auto document = parser.parse(R"({"a":1,"b":2})");
  ASSERT_TRUE(document);
  Reader reader(*document);
  std::string_view key;
  ASSERT_TRUE(reader.enter_object());
  ASSERT_TRUE(reader.next_member(key));
  EXPECT_EQ(reader.string(), "");
  EXPECT_TRUE(reader.failed());
  EXPECT_FALSE(reader.next_member(key));
  EXPECT_EQ(reader.kind(), Kind::invalid);
  const auto end = reader.finish();
  ASSERT_FALSE(end);
  EXPECT_STREQ(end.error().context, "expected a string");
}

TEST(Reader, UnfinishedDocumentIsAnError) {
  Parser parser;
  const auto document = parser.parse(R"({"a":1)");
  ASSERT_TRUE(document);
  Reader reader(*document);
  std::string_view key;
  reader.enter_object();
  reader.next_member(key);
  reader.skip();
  EXPECT_FALSE(reader.finish());
}

TEST(Reader, UnsignedIntegerIsExactOrNothing) {
  const std::pair<std::string_view, std::optional<uint64_t>> cases[] = {{"0", 0},
                                                                        {"18446744073709551615", UINT64_MAX},
                                                                        {"18446744073709551616", std::nullopt},
                                                                        {"-1", std::nullopt},
                                                                        {"1.0", std::nullopt},
                                                                        {"1e3", std::nullopt},
                                                                        {"\"7\"", std::nullopt},
                                                                        {"null", std::nullopt},
                                                                        {"[7]", std::nullopt}};
  Parser parser;
  for (const auto& [text, value] : cases) {
    Reader reader(*parser.parse(text));
    EXPECT_EQ(reader.unsigned_integer(), value) << text;
    EXPECT_TRUE(reader.finish()) << text;
  }
}

TEST(Parser, GivesLargeBuffersBack) {
  Parser parser;
  ASSERT_TRUE(parser.parse("{}"));
  const size_t small = parser.capacity_bytes();
  parser.shrink();
  EXPECT_EQ(parser.capacity_bytes(), small);
  const std::string large = "\"" + std::string(1 << 20, 'x') + "\"";
  ASSERT_TRUE(parser.parse(large));
  EXPECT_GE(parser.capacity_bytes(), large.size());
  parser.shrink();
  EXPECT_EQ(parser.capacity_bytes(), 0U);
  EXPECT_TRUE(parser.parse("[1]"));
}

}  // namespace
}  // namespace llmgw::json
