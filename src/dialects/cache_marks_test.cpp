#include "dialects/cache_marks.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::dialects {
namespace {

using chat::Dialect;

constexpr std::string_view kMark = R"("cache_control":{"type":"ephemeral"})";

std::string marked(std::string_view body, Dialect api, bool system = true, bool tools = true) {
  chat::Target target;
  target.auto_cache_system = system;
  target.auto_cache_tools = tools;
  target.auto_cache_min_tokens = 2;
  json::Parser parser;
  base::Arena arena;
  return std::string(add_cache_marks(body, api, target, parser, arena));
}

std::string messages(std::string_view body) {
  return marked(body, Dialect::anthropic);
}

std::string converse(std::string_view body) {
  return marked(body, Dialect::bedrock);
}

TEST(CacheMarks, OfMessages) {
  const std::string mark(kMark);
  EXPECT_EQ(messages(R"({"model":"m", "system":"Say \"hi\".", "messages":[]})"),
            R"({"model":"m", "system":[{"type":"text","text":"Say \"hi\".",)" + mark + R"(}], "messages":[]})");
  EXPECT_EQ(
      messages(R"({"system":[{"type":"text","text":"long"},{"type":"text","text":"enough"}],"max_tokens":1})"),
      R"({"system":[{"type":"text","text":"long"},{"type":"text","text":"enough",)" + mark + R"(}],"max_tokens":1})");
  EXPECT_EQ(messages(R"({"tools":[{"name":"f"},{"name":"g","input_schema":{}}],"system":"short"})"),
            R"({"tools":[{"name":"f"},{"name":"g","input_schema":{},)" + mark + R"(}],"system":"short"})");
  // Tools that are looked up are not kept.
  EXPECT_EQ(messages(R"({"tools":[{"name":"f"},{"name":"g","defer_loading":true}]})"),
            R"({"tools":[{"name":"f",)" + mark + R"(},{"name":"g","defer_loading":true}]})");
}

TEST(CacheMarks, OfConverse) {
  EXPECT_EQ(converse(R"({"system":[{"text":"long enough"}],"toolConfig":{"tools":[{"toolSpec":{"name":"f"}} ]}})"),
            R"({"system":[{"text":"long enough"},{"cachePoint":{"type":"default"}}],)"
            R"("toolConfig":{"tools":[{"toolSpec":{"name":"f"}} ,{"cachePoint":{"type":"default"}}]}})");
}

struct Dropped {
  std::string_view body;
  std::string_view left;
  bool on_tools = false;
};

TEST(CacheMarks, AreDroppedWhereTheModelTakesNone) {
  constexpr std::string_view kElsewhere = R"({"system":[{"text":"a"},{"cachePoint":{"type":"default"}}],
    "toolConfig":{"tools":[{"toolSpec":{"name":"f"}}]}})";
  constexpr std::string_view kPoints =
      R"({"toolConfig":{"tools":[{"cachePoint":{"type":"default"}}, {"toolSpec":{"name":"f"}} ,{"toolSpec":{"name":"g"}},
         {"cachePoint":{"type":"default","ttl":"1h"}}],"toolChoice":{"any":{}}}})";
  const Dropped rows[] = {
      {kPoints,
       R"({"toolConfig":{"tools":[{"toolSpec":{"name":"f"}},{"toolSpec":{"name":"g"}}],"toolChoice":{"any":{}}}})"},
      {kPoints, kPoints, true},
      {kElsewhere, kElsewhere},
      {"no JSON with \"cachePoint\"", "no JSON with \"cachePoint\""},
  };
  for (const Dropped& row : rows) {
    chat::Target target;
    target.cache_marks = true;
    target.cache_marks_on_tools = row.on_tools;
    json::Parser parser;
    base::Arena arena;
    chat::Warnings warnings(arena, Dialect::bedrock);
    EXPECT_EQ(drop_cache_marks(row.body, Dialect::bedrock, target, parser, arena, warnings), row.left);
    EXPECT_EQ(warnings.header().find("cachePoint") != std::string::npos, row.left != row.body);
  }
}

TEST(CacheMarks, OnlyWhatIsAskedFor) {
  constexpr std::string_view kBoth = R"({"system":"long enough","tools":[{"name":"f"}]})";
  EXPECT_EQ(marked(kBoth, Dialect::anthropic, false, false), kBoth);
  EXPECT_EQ(marked(kBoth, Dialect::anthropic, false, true),
            R"({"system":"long enough","tools":[{"name":"f",)" + std::string(kMark) + "}]}");
  EXPECT_EQ(marked(kBoth, Dialect::openai_chat), kBoth);
}

TEST(CacheMarks, TheClientsOwnAreEnough) {
  for (
      const std::string_view body :
      {R"({"system":"long enough","cache_control":{"type":"ephemeral"}})",
       R"({"system":"long enough","messages":[{"role":"user","content":[{"type":"text","text":"q","cache_control":null}]}]})",
       R"({"system":[{"type":"text","text":""}],"tools":[]})", R"({"system":7,"tools":{}})", R"({"tools":[{}]})", "[]",
       "{", ""}) {
    EXPECT_EQ(messages(body), body);
  }
  const std::string_view point = R"({"system":[{"text":"long enough"},{"cachePoint":{"type":"default"}}]})";
  EXPECT_EQ(converse(point), point);
  // That it is spoken of is no mark.
  EXPECT_NE(messages(R"({"system":"What is \"cache_control\"?"})").find(kMark), std::string::npos);
}

}  // namespace
}  // namespace llmgw::dialects
