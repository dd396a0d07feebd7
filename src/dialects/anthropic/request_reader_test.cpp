#include <gtest/gtest.h>

#include "dialects/anthropic/codec.h"
#include "dialects/codec_test_support.h"

namespace llmgw::dialects::anthropic {
namespace {

using namespace testing_support;
using chat::PartKind;

TEST(AnthropicRequestReader, NamesTheFieldAtFault) {
  struct Case {
    std::string_view body;
    std::string_view param;
  };
  const Case cases[] = {
      {R"({"messages":[)", ""},
      {R"([])", ""},
      {R"({})", "messages"},
      {R"({"messages":{}})", "messages"},
      {R"({"messages":[1]})", "messages[0]"},
      {R"({"messages":[{"role":"tool","content":"x"}]})", "messages[0].role"},
      {R"({"messages":[{"role":"user","content":7}]})", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},"b"]}]})", "messages[0].content[1]"},
      {R"({"messages":[],"max_tokens":-1})", "max_tokens"},
      {R"({"messages":[],"temperature":"hot"})", "temperature"},
      {R"({"messages":[],"stop_sequences":["a",1]})", "stop_sequences"},
      {R"({"messages":[],"tools":{}})", "tools"},
      {R"({"messages":[],"tools":[7]})", "tools[0]"},
      {R"({"messages":[],"tool_choice":{"type":"some"}})", "tool_choice.type"},
      {R"({"messages":[],"tool_choice":{"type":"tool"}})", "tool_choice.name"},
      {R"({"messages":[],"thinking":{"type":"maybe"}})", "thinking.type"},
      {R"({"messages":[],"output_config":{"effort":"huge"}})", "output_config.effort"},
      {R"({"messages":[],"output_format":{"type":"json_schema"}})", "output_format"},
      {R"({"messages":[],"system":9})", "system"},
  };
  for (const Case& c : cases) {
    World world(codec());
    const auto read = world.read_request(c.body);
    ASSERT_FALSE(read) << c.body;
    EXPECT_EQ(read.error().param, c.param) << c.body;
    EXPECT_EQ(read.error().kind, chat::ErrorKind::invalid_request);
    EXPECT_FALSE(read.error().message.empty());
  }
}

TEST(AnthropicRequestReader, Parameters) {
  World world(codec());
  ASSERT_TRUE(world.read_request(R"({"model":"m","max_tokens":7,"stream":true,"temperature":0.10,"top_p":1.0,"top_k":5,
      "stop_sequences":["a\n"],"metadata":{"user_id":"u","x":1},"service_tier":"standard_only","messages":[],
      "thinking":{"type":"enabled","budget_tokens":2000},"output_config":{"effort":"max","task_budget":{"total":9}},
      "tool_choice":{"type":"auto","disable_parallel_tool_use":true},"cache_control":{"type":"ephemeral","ttl":"1h"},
      "container":null,"context_management":{"edits":[]},"anthropic_version":"vertex-2023-10-16"})"));
  const chat::Request& r = world.request;
  EXPECT_EQ(r.from, chat::Dialect::anthropic);
  EXPECT_EQ(r.model, "m");
  EXPECT_EQ(r.max_tokens, 7U);
  EXPECT_TRUE(r.stream);
  EXPECT_EQ(r.temperature, "0.10");
  EXPECT_EQ(r.top_p, "1.0");
  EXPECT_EQ(r.top_k, "5");
  ASSERT_EQ(r.stop.size(), 1U);
  EXPECT_EQ(r.stop[0], "a\n");
  EXPECT_EQ(r.user, "u");
  EXPECT_EQ(r.service_tier, "standard_only");
  EXPECT_EQ(r.reasoning.mode, chat::ReasoningMode::on);
  EXPECT_EQ(r.reasoning.budget_tokens, 2000);
  EXPECT_EQ(r.reasoning.visible, true);
  EXPECT_EQ(r.reasoning.effort, chat::Effort::max);
  EXPECT_EQ(r.tool_choice.mode, chat::ToolChoiceMode::automatic);
  EXPECT_EQ(r.parallel_tool_calls, false);
  EXPECT_EQ(r.cache, chat::CacheMark::one_hour);
  ASSERT_EQ(r.extras.size(), 3U);
  EXPECT_EQ(r.extras[0].name, "metadata.x");
  EXPECT_EQ(r.extras[1].name, "output_config.task_budget");
  EXPECT_EQ(r.extras[2].name, "context_management");
  EXPECT_EQ(r.extras[2].value, R"({"edits":[]})");
}

TEST(AnthropicRequestReader, TheSystemComesFirstWhereverItStands) {
  World world(codec());
  ASSERT_TRUE(world.read_request(R"({"messages":[{"role":"user","content":"hi"},{"role":"system","content":"later"}],
      "system":[{"type":"text","text":"be kind","cache_control":{"type":"ephemeral"}}]})"));
  ASSERT_EQ(world.request.messages.size(), 3U);
  EXPECT_EQ(world.request.messages[0].role, chat::Role::system);
  EXPECT_EQ(world.request.messages[0].parts[0].text, "be kind");
  EXPECT_EQ(world.request.messages[0].parts[0].cache, chat::CacheMark::five_minutes);
  EXPECT_EQ(world.request.messages[2].role, chat::Role::system);
}

TEST(AnthropicRequestReader, Blocks) {
  World world(codec());
  ASSERT_TRUE(world.read_request(R"({"messages":[{"role":"user","content":[
      {"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}},
      {"type":"document","title":"T","context":"C","citations":{"enabled":true},
       "source":{"type":"text","media_type":"text/plain","data":"words"}},
      {"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}},
      {"type":"search_result","source":"https://s","title":"S","content":[{"type":"text","text":"found"}]},
      {"type":"tool_result","tool_use_id":"t1","is_error":true,"content":[{"type":"text","text":"no"},
       {"type":"image","source":{"type":"url","url":"https://i"}},{"type":"tool_reference","tool_name":"x"}]},
      {"type":"tool_result","tool_use_id":"t2"},
      {"type":"container_upload","file_id":"f"},
      {"type":"image","source":{"type":"file","file_id":"f2"}}]},
      {"role":"assistant","content":[
      {"type":"thinking","thinking":"hm","signature":"c2ln"},
      {"type":"redacted_thinking","data":"cmVk"},
      {"type":"text","text":"ok","citations":[{"type":"char_location"}]},
      {"type":"tool_use","id":"t3","name":"f","input":{"a":1.0},"caller":{"type":"code_execution_20250825"}},
      {"type":"server_tool_use","id":"s1","name":"web_search","input":{}}]}]})"));
  const auto& user = world.request.messages[0].parts;
  ASSERT_EQ(user.size(), 8U);
  EXPECT_EQ(user[0].media->media_type, "image/png");
  EXPECT_EQ(user[0].media->data, "QUJD");
  EXPECT_EQ(user[1].kind, PartKind::document);
  EXPECT_EQ(user[1].media->source, chat::MediaSource::text);
  EXPECT_EQ(user[1].media->context, "C");
  EXPECT_TRUE(user[1].media->citations);
  EXPECT_EQ(user[1].name, "T");
  EXPECT_EQ(user[2].media->data, "a\nb");
  EXPECT_EQ(user[3].kind, PartKind::document);
  EXPECT_EQ(user[3].media->data, "found");
  EXPECT_TRUE(user[4].is_error);
  ASSERT_EQ(user[4].content.size(), 3U);
  EXPECT_EQ(user[4].content[1].media->source, chat::MediaSource::url);
  EXPECT_EQ(user[4].content[2].kind, PartKind::opaque);
  EXPECT_TRUE(user[5].content.empty());
  EXPECT_EQ(user[6].kind, PartKind::opaque);
  EXPECT_EQ(user[6].text, R"({"type":"container_upload","file_id":"f"})");
  EXPECT_EQ(user[7].media->source, chat::MediaSource::file_id);
  const auto& model = world.request.messages[1].parts;
  ASSERT_EQ(model.size(), 5U);
  EXPECT_EQ(model[0].signature->data, "c2ln");
  EXPECT_EQ(model[0].signature->minter, chat::Minter::anthropic);
  EXPECT_TRUE(model[1].redacted);
  EXPECT_EQ(model[1].signature->data, "cmVk");
  EXPECT_EQ(model[2].citations, R"([{"type":"char_location"}])");
  EXPECT_EQ(model[3].text, R"({"a":1.0})");
  EXPECT_EQ(model[4].kind, PartKind::opaque);
  ASSERT_EQ(world.request.unread.size(), 1U);
  EXPECT_EQ(world.request.unread[0].path, "messages[1].content[3].caller");
}

TEST(AnthropicRequestReader, Tools) {
  World world(codec());
  ASSERT_TRUE(world.read_request(R"({"messages":[],"tools":[
      {"name":"f","description":"d","input_schema":{"type":"object"},"strict":true,"cache_control":{"type":"ephemeral"}},
      {"type":"custom","name":"g","input_schema":null,"defer_loading":true},
      {"type":"web_search_20250305","name":"web_search","max_uses":3}]})"));
  const auto& tools = world.request.tools;
  ASSERT_EQ(tools.size(), 3U);
  EXPECT_EQ(tools[0].schema, R"({"type":"object"})");
  EXPECT_EQ(tools[0].strict, true);
  EXPECT_EQ(tools[0].cache, chat::CacheMark::five_minutes);
  EXPECT_TRUE(tools[0].raw.empty());
  EXPECT_EQ(tools[1].kind, chat::ToolKind::function);
  EXPECT_TRUE(tools[1].schema.empty());
  EXPECT_FALSE(tools[1].raw.empty());
  EXPECT_EQ(tools[2].kind, chat::ToolKind::opaque);
  EXPECT_EQ(tools[2].name, "web_search");
}

// What was put in front of a part because its kind has no place for a signature goes back to it.
TEST(AnthropicRequestReader, SignaturesReturnToTheirParts) {
  World world(codec());
  const auto tagged = [&world](chat::SignaturePlace place, std::string_view data) {
    return std::string(chat::wrap_signature(
        {.minter = chat::Minter::gemini, .place = place, .model = "gemini-3", .data = data}, world.arena));
  };
  const auto block = [](const std::string& signature) {
    return R"({"type":"thinking","thinking":"","signature":")" + signature + R"("})";
  };
  const std::string body = R"({"messages":[{"role":"assistant","content":[)" +
                           block(tagged(chat::SignaturePlace::next_part, "one")) +
                           R"(,{"type":"tool_use","id":"t","name":"f","input":{}},{"type":"text","text":"x"},)" +
                           block(tagged(chat::SignaturePlace::own_part, "two")) + "," +
                           block(tagged(chat::SignaturePlace::next_part, "three")) + "]}]}";
  ASSERT_TRUE(world.read_request(body));
  const auto& parts = world.request.messages[0].parts;
  ASSERT_EQ(parts.size(), 4U);
  EXPECT_EQ(parts[0].kind, PartKind::tool_call);
  EXPECT_EQ(parts[0].signature->data, "one");
  EXPECT_EQ(parts[0].signature->minter, chat::Minter::gemini);
  EXPECT_EQ(parts[0].signature->model, "gemini-3");
  EXPECT_EQ(parts[1].signature, nullptr);
  EXPECT_EQ(parts[2].signature->data, "two");
  EXPECT_EQ(parts[2].kind, PartKind::text);
  EXPECT_EQ(parts[3].signature->data, "three");  // its part is gone
}

}  // namespace
}  // namespace llmgw::dialects::anthropic
