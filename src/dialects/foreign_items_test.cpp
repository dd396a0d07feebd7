// What only the client's own API understands, sent to another one's model.
#include "dialects/foreign_items.h"

#include <gtest/gtest.h>

#include "dialects/losses_test_support.h"

namespace llmgw::dialects {
namespace {

using namespace testing_support;

constexpr Dialect kOthers[] = {Dialect::openai_chat, Dialect::openai_responses, Dialect::anthropic,
                               Dialect::gemini,      Dialect::bedrock,          Dialect::cohere};

std::string anthropic(std::string_view block, std::string_view more = "") {
  return R"({"max_tokens":99,"messages":[{"role":"user","content":"b"},{"role":"assistant","content":[)" +
         std::string(block) + R"(]},{"role":"user","content":"q"}])" + std::string(more) + "}";
}

std::string responses(std::string_view items, std::string_view more = "") {
  return R"({"store":false,"input":[{"role":"user","content":"a"},)" + std::string(items) +
         R"(,{"role":"user","content":"q"}])" + std::string(more) + "}";
}

bool has(const Conversion& done, std::string_view text) {
  return done.body.find(text) != std::string::npos;
}

TEST(ForeignItems, ASummaryIsText) {
  const std::string body = anthropic(R"({"type":"compaction","content":"The user is Ann."})");
  for (const Dialect dialect : kOthers) {
    const Conversion done = convert(Dialect::anthropic, body, generous(dialect));
    EXPECT_EQ(done.error, "");
    EXPECT_TRUE(has(done, "The user is Ann.")) << done.body;
    EXPECT_EQ(done.warned("messages[1]"), dialect != Dialect::anthropic) << done.list();
    EXPECT_EQ(has(done, R"("type":"compaction")"), dialect == Dialect::anthropic) << done.body;
  }
  // One that failed says nothing.
  const Conversion failed =
      convert(Dialect::anthropic, anthropic(R"({"type":"compaction","content":null},{"type":"text","text":"t"})"),
              generous(Dialect::gemini));
  EXPECT_FALSE(failed.warned("messages[1]") || has(failed, "compaction")) << failed.body << failed.list();
}

TEST(ForeignItems, WhatNobodyElseCanReadOrDoIsRefused) {
  for (const Dialect dialect : kOthers) {
    const Conversion read = convert(Dialect::openai_responses,
                                    responses(R"({"type":"compaction","encrypted_content":"gA"})"), generous(dialect));
    EXPECT_EQ(read.error.starts_with("input[1]: Only the provider"), dialect != Dialect::openai_responses)
        << read.error;
    const Conversion asked =
        convert(Dialect::anthropic, anthropic(R"({"type":"text","text":"t"})", R"(,"compaction":{"type":"summarize"})"),
                generous(dialect));
    EXPECT_EQ(asked.error.starts_with("compaction: "), dialect != Dialect::anthropic) << asked.error;
  }
}

TEST(ForeignItems, CallsThatTheClientRanAreCallsOfFunctions) {
  const std::string body = responses(
      R"({"type":"shell_call","call_id":"c1","action":{"commands":["ls"]},"status":"completed"},)"
      R"({"type":"shell_call_output","call_id":"c1","output":[{"stdout":"FILES","stderr":""}]},)"
      R"({"type":"apply_patch_call","call_id":"c2","operation":{"type":"delete_file","path":"x"},"status":"completed"},)"
      R"({"type":"apply_patch_call_output","call_id":"c2","status":"failed","output":"NOFILE"})");
  for (const Dialect dialect : kOthers) {
    const Conversion done = convert(Dialect::openai_responses, body, generous(dialect));
    EXPECT_EQ(done.error, "");
    const bool own = dialect == Dialect::openai_responses;
    EXPECT_EQ(has(done, "shell_call"), own) << done.body;
    EXPECT_EQ(has(done, R"("name":"shell")"), !own) << done.body;
    EXPECT_EQ(done.warned("input[1]"), !own) << done.list();
    for (const char* word : {"FILES", "delete_file", "NOFILE"}) EXPECT_TRUE(has(done, word)) << done.body;
  }
}

TEST(ForeignItems, AScreenshotIsAPicture) {
  const Conversion done =
      convert(Dialect::openai_responses,
              responses(R"({"type":"computer_call","call_id":"c1","action":{"type":"screenshot"}},)"
                        R"({"type":"computer_call_output","call_id":"c1","output":{"type":"computer_screenshot",)"
                        R"("image_url":"data:image/png;base64,iVBORw0KGgo="}})"),
              generous(Dialect::anthropic));
  EXPECT_TRUE(has(done, R"("media_type":"image/png")") && has(done, R"("name":"computer")")) << done.body;
}

TEST(ForeignItems, ToolsThatJoinOnTheWayCanBeCalled) {
  constexpr std::string_view kTool = R"("name":"late","description":"comes later")";
  const std::pair<Dialect, std::string> rows[] = {
      {Dialect::openai_responses,
       responses(R"({"type":"additional_tools","role":"developer","tools":[{"type":"function",)" + std::string(kTool) +
                     R"(,"parameters":{"type":"object","properties":{}}}]})",
                 R"(,"tools":[{"type":"function","name":"f"}])")},
      {Dialect::anthropic,
       anthropic(
           R"({"type":"text","text":"t"},{"type":"tool_addition","tool":{"type":"tool_definition","definition":{)" +
               std::string(kTool) + R"(,"input_schema":{"type":"object"}}}})",
           R"(,"tools":[{"name":"f","input_schema":{"type":"object"}}])")},
  };
  for (const auto& [client, body] : rows) {
    for (const Dialect dialect : kOthers) {
      const Conversion done = convert(client, body, generous(dialect));
      EXPECT_EQ(done.error, "");
      const size_t first = done.body.find("comes later");
      EXPECT_NE(first, std::string::npos) << done.body;
      EXPECT_EQ(done.body.find("comes later", first + 1), std::string::npos) << done.body;
      const bool own = dialect == client;
      EXPECT_EQ(has(done, "additional_tools") || has(done, "tool_addition"), own) << done.body;
      EXPECT_TRUE(done.warnings.empty()) << done.list();
    }
  }
}

TEST(ForeignItems, AToolThatLeftIsNotOffered) {
  const Conversion done = convert(
      Dialect::anthropic,
      anthropic(R"({"type":"text","text":"t"},{"type":"tool_removal","tool":{"type":"tool_reference","name":"g"}})",
                R"(,"tools":[{"name":"f","input_schema":{}},{"name":"g","input_schema":{}}])"),
      generous(Dialect::openai_chat));
  EXPECT_TRUE(has(done, R"("name":"f")")) << done.body;
  EXPECT_FALSE(has(done, R"("name":"g")")) << done.body;
}

TEST(Losses, WhatSaysNothingIsNone) {
  const std::string chat = R"({"messages":[{"role":"user","content":"q"}],)";
  for (const std::string_view more :
       {R"("modalities":[])", R"("metadata":{})", R"("x":"")", R"("x":[ ])", R"("x":{})", R"("stop":"")",
        R"("stop":[])", R"("logit_bias":{})", R"("user":"")", R"("reasoning_effort":"")", R"("service_tier":"")",
        R"("verbosity":"")", R"("prompt_cache_key":"")", R"("functions":[])", R"("tools":[])"}) {
    for (const Dialect dialect : kOthers) {
      chat::Target poor = generous(dialect);
      poor.metadata = poor.user = poor.service_tier = false;
      const Conversion done = convert(Dialect::openai_chat, chat + std::string(more) + "}", poor);
      EXPECT_EQ(done.error, "") << more;
      EXPECT_TRUE(done.warnings.empty()) << more << done.list();
    }
  }
  const Conversion google = convert(
      Dialect::gemini,
      R"({"contents":[{"parts":[{"text":"q"}]}],"labels":{},"cachedContent":"","generationConfig":{"speechConfig":{}}})",
      generous(Dialect::openai_chat));
  EXPECT_TRUE(google.error.empty() && google.warnings.empty()) << google.list();
  // But an empty object of options asks for a search.
  EXPECT_TRUE(convert(Dialect::openai_chat, chat + R"("web_search_options":{}})", generous(Dialect::bedrock))
                  .warned("web_search_options"));
}

TEST(Losses, NamesOfToolsStandWhereTheClientPutThem) {
  const std::string name(200, 'n');
  const std::pair<Dialect, std::string> rows[] = {
      {Dialect::openai_chat, R"("tools":[{"type":"function","function":{"name":")" + name + R"("}}])"},
      {Dialect::openai_chat, R"("functions":[{"name":")" + name + R"("}])"},
      {Dialect::anthropic, R"("max_tokens":9,"tools":[{"name":")" + name + R"(","input_schema":{}}])"},
  };
  const std::string_view fields[] = {"tools[0].function.name: ", "functions[0].name: ", "tools[0].name: "};
  for (size_t i = 0; i < std::size(rows); ++i) {
    const std::string body = R"({"messages":[{"role":"user","content":"q"}],)" + rows[i].second + "}";
    const Conversion done = convert(rows[i].first, body, generous(Dialect::bedrock));
    EXPECT_TRUE(done.error.starts_with(fields[i])) << done.error;
  }
}

// A model that reads "1234" knows nothing of "12" and "34".
TEST(Texts, OfOneResultAreNotGluedTogether) {
  const std::string body =
      R"({"max_tokens":9,"tools":[{"name":"f","input_schema":{}}],"messages":[{"role":"user","content":"q"},)"
      R"({"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},{"role":"user",)"
      R"("content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"12"},)"
      R"({"type":"text","text":"34"}]}]}]})";
  for (const Dialect dialect : kOthers) {
    const Conversion done = convert(Dialect::anthropic, body, generous(dialect));
    EXPECT_TRUE(has(done, "34") && !has(done, "1234")) << done.body;
  }
  const Conversion json =
      convert(Dialect::bedrock,
              R"({"messages":[{"role":"user","content":[{"text":"q"}]},{"role":"assistant","content":[{"toolUse":)"
              R"({"toolUseId":"t","name":"f","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"t",)"
              R"("content":[{"json":{"a":1}},{"json":{"b":2}},{"text":"12"}]}}]}]})",
              generous(Dialect::openai_chat));
  EXPECT_TRUE(has(json, R"({\"a\":1}\n{\"b\":2}\n12)")) << json.body;
}

TEST(Texts, OfOneTurnAreNotGluedTogether) {
  const std::string body = anthropic(R"({"type":"text","text":"One."},{"type":"text","text":"Two."})");
  for (const Dialect dialect : kOthers) {
    const Conversion done = convert(Dialect::anthropic, body, generous(dialect));
    EXPECT_TRUE(has(done, "Two.") && !has(done, "One.Two.")) << done.body;
  }
}

}  // namespace
}  // namespace llmgw::dialects
