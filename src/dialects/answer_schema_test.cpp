// Schemas of answers and tools that the other side cannot hold a model to as they are meant.
#include <gtest/gtest.h>

#include "dialects/losses_test_support.h"

namespace llmgw::dialects {
namespace {

using namespace testing_support;

constexpr std::string_view kMap =
    R"({"type":"object","properties":{"scores":{"type":"object","additionalProperties":{"type":"integer"}}},"required":["scores"],"additionalProperties":false})";
constexpr std::string_view kFree =
    R"({"type":"object","properties":{"all":{"type":"array","items":{"type":"object"}}},"required":["all"],"additionalProperties":false})";
constexpr std::string_view kRecursive =
    R"({"type":"object","properties":{"next":{"$ref":"#/$defs/N"}},"required":["next"],"additionalProperties":false,"$defs":{"N":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"}},"additionalProperties":false}}})";
constexpr std::string_view kPlain =
    R"({"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false})";
constexpr std::string_view kOptional =
    R"({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a"],"additionalProperties":false})";
constexpr std::string_view kList = R"({"type":"array","items":{"type":"string"}})";

std::string chat(std::string_view schema) {
  return R"({"messages":[{"role":"user","content":"q"}],"response_format":{"type":"json_schema","json_schema":)"
         R"({"name":"r","strict":true,"schema":)" +
         std::string(schema) + "}}}";
}

std::string chat_tool(std::string_view schema) {
  return R"({"messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":)"
         R"({"name":"f","strict":true,"parameters":)" +
         std::string(schema) + "}}]}";
}

std::string anthropic(std::string_view schema) {
  return R"({"max_tokens":99,"messages":[{"role":"user","content":"q"}],"output_config":{"format":)"
         R"({"type":"json_schema","schema":)" +
         std::string(schema) + "}}}";
}

std::string gemini(std::string_view mime, std::string_view schema) {
  return R"({"contents":[{"role":"user","parts":[{"text":"q"}]}],"generationConfig":{"responseMimeType":")" +
         std::string(mime) + R"(","responseJsonSchema":)" + std::string(schema) + "}}";
}

bool has(const Conversion& done, std::string_view text) {
  return done.body.find(text) != std::string::npos;
}

bool told(const Conversion& done, std::string_view words) {
  return done.list().find(words) != std::string::npos;
}

TEST(AnswerSchema, MapsAreNotTakenFromClaude) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {kMap, "(at scores)"},
      {kFree, "(at all[])"},
      {kRecursive, "(at next.next"},
      {R"({"type":"object"})", "(at its root)"},
      {R"({"type":"object","additionalProperties":{"type":"string"}})", "(at its root)"},
  };
  for (const Dialect dialect : {Dialect::anthropic, Dialect::bedrock}) {
    for (const auto& [schema, place] : rows) {
      const Conversion done = convert(Dialect::openai_chat, chat(schema), generous(dialect));
      EXPECT_TRUE(has(done, chat::kFormatToolName)) << done.body;
      EXPECT_FALSE(has(done, "output_config") || has(done, "outputConfig")) << done.body;
      EXPECT_TRUE(told(done, place)) << done.list();
    }
    EXPECT_FALSE(has(convert(Dialect::openai_chat, chat(kPlain), generous(dialect)), chat::kFormatToolName));
    // Objects of some members lose nothing that the schema speaks of.
    const Conversion open =
        convert(Dialect::openai_chat, chat(R"({"type":"object","properties":{"a":{}}})"), generous(dialect));
    EXPECT_FALSE(has(open, chat::kFormatToolName)) << open.body;
    // The schema goes as it is.
    EXPECT_TRUE(has(convert(Dialect::openai_chat, chat(kMap), generous(dialect)),
                    R"("scores":{"type":"object","additionalProperties":{"type":"integer"}})"));
  }
}

TEST(AnswerSchema, TheToolThatStandsForItHasANameOfItsOwn) {
  const std::string tools =
      R"(,"tools":[{"type":"function","function":{"name":"json_answer","parameters":{"type":"object"}}},)"
      R"({"type":"function","function":{"name":"json_answer_2","parameters":{"type":"object"}}}]})";
  std::string body = chat(kMap);
  body.replace(body.size() - 1, 1, tools);
  for (const Dialect dialect : {Dialect::anthropic, Dialect::bedrock, Dialect::gemini}) {
    const Conversion done = convert(Dialect::openai_chat, body, generous(dialect));
    EXPECT_TRUE(has(done, R"("name":"json_answer_3")")) << done.body;
    EXPECT_EQ(done.world->format_tool, "json_answer_3");
  }
  EXPECT_EQ(convert(Dialect::openai_chat, chat(kMap), generous(Dialect::anthropic)).world->format_tool, "json_answer");
  EXPECT_EQ(convert(Dialect::openai_chat, chat(kPlain), generous(Dialect::anthropic)).world->format_tool, "");
}

// A tool of the client's own, by that name or another, is called; and what a client says was called is a call.
TEST(AnswerSchema, OnlyTheToolThatStandsForItIsRead) {
  constexpr std::string_view kAnswer =
      R"({"content":[{"type":"tool_use","id":"a","name":"json_answer","input":{"own":1}},)"
      R"({"type":"tool_use","id":"b","name":"json_answer_2","input":{"all":1}}],"stop_reason":"tool_use"})";
  World world(*find_codec(Dialect::anthropic));
  world.format_tool = "json_answer_2";
  const auto& parts = world.read_answer(kAnswer)->choices[0].parts;
  EXPECT_EQ(parts[0].kind, chat::PartKind::tool_call);
  EXPECT_EQ(parts[1].kind, chat::PartKind::text);
  EXPECT_EQ(parts[1].text, R"({"all":1})");
  const Conversion history =
      convert(Dialect::openai_responses,
              R"({"input":[{"role":"user","content":"q"},{"type":"function_call","call_id":"c","name":"json_answer",)"
              R"("arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"1"}],)"
              R"("tools":[{"type":"function","name":"json_answer","parameters":{"type":"object"}}]})",
              generous(Dialect::anthropic));
  EXPECT_TRUE(has(history, R"("type":"tool_use")")) << history.body << history.list();
}

TEST(AnswerSchema, MapsOfToolsAreNotStrict) {
  for (const Dialect dialect :
       {Dialect::anthropic, Dialect::bedrock, Dialect::openai_chat, Dialect::openai_responses}) {
    const Dialect client = dialect == Dialect::openai_chat ? Dialect::openai_responses : Dialect::openai_chat;
    const std::string body =
        client == Dialect::openai_chat
            ? chat_tool(kMap)
            : R"({"input":"q","tools":[{"type":"function","name":"f","strict":true,"parameters":)" + std::string(kMap) +
                  "}]}";
    const Conversion done = convert(client, body, generous(dialect));
    EXPECT_TRUE(has(done, kMap)) << done.body;
    EXPECT_FALSE(has(done, R"("strict":true)")) << done.body;
    EXPECT_FALSE(done.warnings.empty()) << done.body;
    const Conversion plain = convert(Dialect::openai_chat, chat_tool(kPlain), generous(dialect));
    EXPECT_TRUE(has(plain, R"("strict":true)")) << plain.body;
  }
}

TEST(AnswerSchema, WhatMayBeMissingIsNotMadeNull) {
  for (const Dialect dialect : {Dialect::openai_chat, Dialect::openai_responses}) {
    const Conversion done = convert(Dialect::anthropic, anthropic(kOptional), generous(dialect));
    EXPECT_TRUE(has(done, kOptional)) << done.body;
    EXPECT_TRUE(has(done, R"("strict":false)")) << done.body;
    EXPECT_FALSE(done.warnings.empty());
    EXPECT_TRUE(has(convert(Dialect::anthropic, anthropic(kPlain), generous(dialect)), R"("strict":true)"));
  }
  // What may be null already, may be.
  const Conversion nullable =
      convert(Dialect::anthropic,
              anthropic(R"({"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]}}})"),
              generous(Dialect::openai_chat));
  EXPECT_TRUE(has(nullable, R"("required":["a"],"additionalProperties":false)")) << nullable.body;
  EXPECT_TRUE(has(nullable, R"("strict":true)")) << nullable.body;
}

TEST(AnswerSchema, WhatIsNoObjectIsSaidInWords) {
  chat::Target nova = generous(Dialect::bedrock);
  nova.json_schema = chat::JsonSchemaSupport::none;
  for (const chat::Target& target :
       {generous(Dialect::openai_chat), generous(Dialect::openai_responses), generous(Dialect::cohere), nova}) {
    for (const std::string_view schema : {kList, std::string_view(R"({"type":"string","enum":["x","y"]})")}) {
      const Conversion done = convert(Dialect::gemini, gemini("application/json", schema), target);
      EXPECT_TRUE(has(done, "one JSON value")) << done.body;
      EXPECT_FALSE(has(done, "response_format") || has(done, R"("format")") || has(done, chat::kFormatToolName))
          << done.body;
      EXPECT_TRUE(told(done, "responseJsonSchema")) << done.list();
    }
  }
}

// Chat Completions and the Responses API have the same strict mode.
TEST(AnswerSchema, TheResponsesApiIsAsStrictAsChatCompletions) {
  constexpr std::string_view kOpen = R"({"type":"object","properties":{"a":{"type":"string"}},"required":["a"]})";
  constexpr std::string_view kAllOf =
      R"({"type":"object","properties":{"a":{"allOf":[{"$ref":"#/$defs/A"}]}},"required":["a"],)"
      R"("$defs":{"A":{"type":"string"}}})";
  constexpr std::string_view kRoot = R"({"$ref":"#/$defs/A","$defs":{"A":)";
  const std::string root = std::string(kRoot) + std::string(kPlain) + "}}";
  const std::string_view merged =
      R"("properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false})";
  for (const Dialect dialect : {Dialect::openai_chat, Dialect::openai_responses}) {
    for (const std::string_view schema : {kOpen, kAllOf, std::string_view(root)}) {
      for (const Conversion& done : {convert(Dialect::anthropic, anthropic(schema), generous(dialect)),
                                     convert(Dialect::gemini, gemini("application/json", schema), generous(dialect)),
                                     convert(Dialect::anthropic,
                                             R"({"max_tokens":99,"messages":[{"role":"user",)"
                                             R"("content":"q"}],"tools":[{"name":"f","strict":true,"input_schema":)" +
                                                 std::string(schema) + "}]}",
                                             generous(dialect))}) {
        EXPECT_TRUE(has(done, merged)) << done.body;
        EXPECT_TRUE(has(done, R"("strict":true)")) << done.body;
        EXPECT_TRUE(done.warnings.empty()) << done.list();
      }
    }
    const Conversion optional = convert(Dialect::anthropic, anthropic(kOptional), generous(dialect));
    EXPECT_TRUE(has(optional, R"("strict":false)")) << optional.body;
    EXPECT_TRUE(told(optional, "not strict")) << optional.list();
  }
  // What cannot be strict has at least a root that is an object.
  const std::string map = std::string(kRoot) + std::string(kMap) + "}}";
  for (const Dialect dialect : {Dialect::openai_chat, Dialect::openai_responses, Dialect::cohere}) {
    const Conversion done = convert(Dialect::anthropic, anthropic(map), generous(dialect));
    EXPECT_TRUE(has(done, R"(chema":{"type":"object",)")) << done.body;
  }
}

TEST(AnswerSchema, OneWordOfAListHasNoQuotes) {
  for (const Dialect dialect :
       {Dialect::openai_chat, Dialect::openai_responses, Dialect::cohere, Dialect::anthropic, Dialect::bedrock}) {
    const Conversion done =
        convert(Dialect::gemini, gemini("text/x.enum", R"({"type":"string","enum":["x","y"]})"), generous(dialect));
    EXPECT_TRUE(has(done, "without quotes")) << done.body;
    EXPECT_FALSE(has(done, "json_schema")) << done.body;
  }
}

}  // namespace
}  // namespace llmgw::dialects
