// What a target does not take: dropped, changed or refused, and said so.
#include <gmock/gmock.h>

#include "dialects/codec_test_support.h"
#include "dialects/openai_chat/codec.h"

namespace llmgw::dialects::openai_chat {
namespace {

using namespace testing_support;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

chat::Target vendor() {
  return {.dialect = chat::Dialect::openai_chat,
          .minter = chat::Minter::other,
          .model = "remote-model",
          .max_tokens_name = chat::MaxTokensName::max_tokens};
}

class OpenaiChatWriter : public testing::Test {
 protected:
  std::string write(const chat::Target& target) { return world_.write_request(target); }
  void read(std::string_view body) {
    const auto read = world_.read_request(body);
    ASSERT_TRUE(read) << read.error().param << ": " << read.error().message;
  }
  World world_{codec()};
};

TEST_F(OpenaiChatWriter, ParametersObeyTheTarget) {
  read(R"({"model":"a","messages":[{"role":"user","content":"Hi"}],"max_completion_tokens":100,"temperature":0.7,
    "logit_bias":{"5":1},"seed":1,"user":"u","metadata":{"k":"v"},"reasoning_effort":"high","top_k":5,
    "stop":["a","b","c"],"stream":true,"service_tier":"flex","verbosity":"low","x_unknown":{"y":[1.0]}})");
  chat::Target target = vendor();
  target.logit_bias = target.seed = target.user = target.stream_options = target.service_tier = false;
  target.stop_max = 2;
  target.max_tokens_cap = 50;
  const std::string written = write(target);
  EXPECT_EQ(written,
            R"({"model":"remote-model","messages":[{"role":"user","content":"Hi"}],"max_tokens":50,"temperature":0.7,)"
            R"("stop":["a","b"],"stream":true,"x_unknown":{"y":[1.0]}})");
  EXPECT_THAT(world_.warned(),
              testing::UnorderedElementsAre("dropped reasoning_effort", "changed max_tokens", "dropped top_k",
                                            "dropped logit_bias", "dropped seed", "dropped stop", "dropped user",
                                            "dropped metadata", "dropped service_tier", "dropped verbosity"));
}

TEST_F(OpenaiChatWriter, ReasoningModelsGetNoSampling) {
  read(R"({"messages":[{"role":"developer","content":"Be brief."},{"role":"user","content":"Hi"}],"temperature":0.7,
    "logprobs":true,"presence_penalty":1,"reasoning_effort":"minimal","max_tokens":9})");
  chat::Target target = vendor();
  target.max_tokens_name = chat::MaxTokensName::max_completion_tokens;
  target.reasoning = chat::ReasoningStyle::effort;
  target.sampling_while_reasoning = false;
  target.developer_role = true;
  EXPECT_EQ(write(target), R"({"model":"remote-model","messages":[{"role":"developer","content":"Be brief."},)"
                           R"({"role":"user","content":"Hi"}],"reasoning_effort":"low","max_completion_tokens":9})");
  EXPECT_THAT(world_.warned(), testing::UnorderedElementsAre("changed reasoning_effort", "dropped temperature",
                                                             "dropped logprobs", "dropped presence_penalty"));
}

TEST_F(OpenaiChatWriter, ToolChoicesThatMustNotBecomeAuto) {
  read(R"({"messages":[{"role":"user","content":"Hi"}],"tools":[
    {"type":"function","function":{"name":"f","parameters":{"type":"object"}}},
    {"type":"function","function":{"name":"g"}}],"tool_choice":{"type":"function","function":{"name":"g"}}})");
  chat::Target target = vendor();
  EXPECT_THAT(write(target), HasSubstr(R"("tool_choice":{"type":"function","function":{"name":"g"}})"));
  target.tool_choice_named = false;
  const std::string only = write(target);
  EXPECT_THAT(only, HasSubstr(R"("tools":[{"type":"function","function":{"name":"g"}}],"tool_choice":"required")"));
  target.tool_choice_required = false;
  EXPECT_THAT(write(target), StartsWith("error: tool_choice:"));
  target.tools = false;
  EXPECT_THAT(write(target), StartsWith("error: tools:"));
  world_.request.tool_choice = {.mode = chat::ToolChoiceMode::none};
  EXPECT_THAT(write(target), Not(HasSubstr("tool")));
  EXPECT_THAT(world_.warned(), IsEmpty());
}

TEST_F(OpenaiChatWriter, CustomToolsAreFunctionsElsewhere) {
  read(R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":[
      {"id":"c1","type":"custom","custom":{"name":"patch","input":"*** \"x\""}}]},
      {"role":"tool","tool_call_id":"c1","content":"done"}],
    "tools":[{"type":"custom","custom":{"name":"patch","description":"Patches."}}]})");
  chat::Target target = vendor();
  const std::string written = write(target);
  EXPECT_THAT(written, HasSubstr(R"("function":{"name":"patch","arguments":"{\"input\":\"*** \\\"x\\\"\"}"})"));
  EXPECT_THAT(written, HasSubstr(R"("required":["input"])"));
  EXPECT_THAT(world_.warned(), Contains("emulated tools[0]"));
  // And what comes back as a function is free text again for the client.
  const auto answer =
      world_.read_answer(R"({"choices":[{"message":{"tool_calls":[{"id":"c2","function":{"name":"patch","arguments":)"
                         R"("{\"input\":\"yes\"}"}}]}}]})");
  ASSERT_TRUE(answer);
  EXPECT_THAT(world_.write_answer(*answer),
              HasSubstr(R"({"id":"c2","type":"custom","custom":{"name":"patch","input":"yes"}})"));
  std::string wire;
  for (const WireText& event : world_.explode(*answer)) wire += event.data;
  EXPECT_THAT(wire, HasSubstr(R"("type":"custom","custom":{"name":"patch","input":""})"));
  EXPECT_THAT(wire, HasSubstr(R"("custom":{"input":"yes"})"));
  target.custom_tools = true;
  EXPECT_THAT(write(target), HasSubstr(R"("type":"custom","custom":{"name":"patch","input":"*** \"x\""})"));
}

TEST_F(OpenaiChatWriter, FormatsThatTheTargetLacks) {
  read(R"({"messages":[{"role":"user","content":"Hi"}],"response_format":{"type":"json_schema","json_schema":
    {"name":"a","schema":{"type":"object"}}}})");
  chat::Target target = vendor();
  EXPECT_THAT(write(target), HasSubstr(R"("response_format":{"type":"json_schema","json_schema":{"name":"a")"));
  target.json_schema = chat::JsonSchemaSupport::none;
  const std::string in_words = write(target);
  EXPECT_THAT(in_words, HasSubstr(R"("response_format":{"type":"json_object"})"));
  EXPECT_THAT(in_words, HasSubstr("fits this JSON schema"));
  target.json_object = false;
  const std::string forced = write(target);
  EXPECT_THAT(forced, HasSubstr(R"("tool_choice":{"type":"function","function":{"name":"json_answer"}})"));
  EXPECT_THAT(world_.warned(), testing::ElementsAre("emulated response_format"));
}

TEST_F(OpenaiChatWriter, MediaNobodyCouldSeeAreRefused) {
  for (const std::string_view part :
       {R"({"type":"image_url","image_url":{"url":"https://a.example/x.png"}})",
        R"({"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}})",
        R"({"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}})",
        R"({"type":"video_url","video_url":{"url":"https://a.example/x.mp4"}})"}) {
    read(R"({"messages":[{"role":"user","content":[)" + std::string(part) + "]}]}");
    chat::Target target = vendor();
    target.images = target.documents = false;
    EXPECT_THAT(write(target), StartsWith("error: messages[0].content[0]: this model takes no ")) << part;
    target.images = target.documents = target.audio = target.video = true;
    EXPECT_THAT(write(target), HasSubstr(part));
  }
}

TEST_F(OpenaiChatWriter, UploadedFilesAreOpenaisOwn) {
  read(R"({"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file_1"}}]}]})");
  chat::Target target = vendor();
  target.documents = true;
  EXPECT_THAT(write(target), HasSubstr(R"("file":{"file_id":"file_1"})"));
  world_.request.from = chat::Dialect::openai_responses;
  EXPECT_THAT(write(target), HasSubstr(R"("file":{"file_id":"file_1"})"));
  for (const chat::Dialect other : {chat::Dialect::anthropic, chat::Dialect::gemini}) {
    world_.request.from = other;
    EXPECT_THAT(write(target), StartsWith("error: messages[0].content[0]: a file uploaded to another provider"))
        << write(target);
  }
}

TEST_F(OpenaiChatWriter, SignaturesGoHomeOnly) {
  const std::string_view with_signature =
      R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"reasoning_content":"Hm.",
      "reasoning_details":[{"type":"reasoning.text","text":"Hm.",
        "signature":"lgw1:other:t:12:0:remote-modelsig","index":0}],
      "tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":""},
        "extra_content":{"google":{"thought_signature":"Z2Vt"}}}]},
      {"role":"tool","tool_call_id":"c","content":"1"}]})";
  read(with_signature);
  chat::Target target = vendor();
  target.reasoning_member = "reasoning_details";
  const std::string own = write(target);
  EXPECT_THAT(own,
              HasSubstr(R"("reasoning_details":[{"type":"reasoning.text","text":"Hm.","signature":"sig","index":0}])"));
  EXPECT_THAT(own, Not(HasSubstr("thought_signature")));
  EXPECT_THAT(own, HasSubstr(R"("arguments":"{}")"));
  target.minter = chat::Minter::gemini;
  target.reasoning_member = "reasoning_content";
  const std::string google = write(target);
  EXPECT_THAT(google, HasSubstr(R"("extra_content":{"google":{"thought_signature":"Z2Vt"}})"));
  EXPECT_THAT(google, Not(HasSubstr("sig\"")));
  EXPECT_THAT(google, HasSubstr(R"("reasoning_content":"Hm.")"));
}

TEST_F(OpenaiChatWriter, OldFunctionsBecomeTools) {
  read(R"({"messages":[{"role":"user","content":"Hi"},
      {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
      {"role":"function","name":"f","content":"1"}],
    "functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"}})");
  EXPECT_TRUE(world_.request.legacy_functions);
  const std::string written = write(vendor());
  EXPECT_THAT(written, HasSubstr(R"("tool_calls":[{"id":"call_)"));
  EXPECT_THAT(written, HasSubstr(R"("tools":[{"type":"function","function":{"name":"f")"));
  EXPECT_THAT(written, HasSubstr(R"("tool_choice":{"type":"function","function":{"name":"f"}})"));
  const std::string& id = std::string(world_.request.messages[1].parts[0].id);
  EXPECT_EQ(world_.request.messages[2].parts[0].id, id);
}

TEST(OpenaiChatReader, WrongFieldsAreNamed) {
  struct Wrong {
    std::string_view body;
    std::string_view param;
  };
  const Wrong cases[] = {
      {"[]", ""},
      {"{", ""},
      {R"({"model":"m"})", "messages"},
      {R"({"messages":"Hi"})", "messages"},
      {R"({"messages":[1]})", "messages[0]"},
      {R"({"messages":[{"role":"king"}]})", "messages[0].role"},
      {R"({"messages":[{"role":"user","content":3}]})", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":["a",{"type":"image_url"}]}]})", "messages[0].content[1]"},
      {R"({"messages":[{"role":"tool","content":""}]})", "messages[0].tool_call_id"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"id":"a"}]}]})", "messages[0].tool_calls[0]"},
      {R"({"messages":[],"temperature":"hot"})", "temperature"},
      {R"({"messages":[],"max_tokens":-1})", "max_tokens"},
      {R"({"messages":[],"stop":[1]})", "stop"},
      {R"({"messages":[],"tools":[{"type":"function"}]})", "tools[0]"},
      {R"({"messages":[],"tool_choice":"maybe"})", "tool_choice"},
      {R"({"messages":[],"response_format":{"type":"xml"}})", "response_format.type"},
  };
  for (const auto& [body, param] : cases) {
    World world(codec());
    const auto read = world.read_request(body);
    ASSERT_FALSE(read) << body;
    EXPECT_EQ(read.error().kind, chat::ErrorKind::invalid_request);
    EXPECT_EQ(read.error().param, param) << body;
    EXPECT_FALSE(read.error().message.empty());
  }
}

}  // namespace
}  // namespace llmgw::dialects::openai_chat
