#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "dialects/bedrock/codec.h"
#include "dialects/codec_test_support.h"

namespace llmgw::dialects::bedrock {
namespace {

using namespace testing_support;
using chat::EventKind;
using chat::Finish;
using chat::Part;
using chat::PartKind;
using testing::ElementsAre;

std::string joined(const std::vector<WireText>& events) {
  std::string text;
  for (const WireText& event : events) text += (event.exception ? "!" : "") + event.name + " " + event.data + "\n";
  return text;
}

struct Built {
  World world{codec()};
  chat::Answer answer;
  chat::Choice choice;

  void part(const Part& part) { choice.parts.push(world.arena, part); }
  const chat::Signature* sign(chat::Minter minter, std::string_view data) {
    return world.arena.make<chat::Signature>(chat::Signature{.minter = minter, .model = "m", .data = data});
  }
  chat::Answer& finish(Finish finish) {
    choice.finish = finish;
    answer.choices.clear();
    answer.choices.push(world.arena, choice);
    return answer;
  }
};

TEST(BedrockStreamWriter, BlocksAreNumberedWithoutGaps) {
  Built b;
  b.part({.kind = PartKind::thinking, .text = "h", .signature = b.sign(chat::Minter::bedrock, "own")});
  b.part({.kind = PartKind::thinking, .redacted = true, .signature = b.sign(chat::Minter::bedrock, "AAAA")});
  b.part({.kind = PartKind::text});
  b.part({.kind = PartKind::text, .text = "a"});
  b.part({.kind = PartKind::tool_call,
          .text = "{}",
          .id = "t",
          .name = "f",
          .signature = b.sign(chat::Minter::gemini, "g")});
  b.part({.kind = PartKind::tool_call, .id = "u", .name = "f"});
  b.answer.usage.input = 3;
  b.answer.usage.cache_read = 4;
  b.answer.usage.output = 5;
  EXPECT_EQ(joined(b.world.explode(b.finish(Finish::tool))), R"(messageStart {"role":"assistant"}
contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"h"}}}
contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"own"}}}
contentBlockStop {"contentBlockIndex":0}
contentBlockDelta {"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"AAAA"}}}
contentBlockStop {"contentBlockIndex":1}
contentBlockDelta {"contentBlockIndex":2,"delta":{"text":"a"}}
contentBlockStop {"contentBlockIndex":2}
contentBlockDelta {"contentBlockIndex":3,"delta":{"reasoningContent":{"text":""}}}
contentBlockDelta {"contentBlockIndex":3,"delta":{"reasoningContent":{"signature":"lgw1:gemini:n:1:0:mg"}}}
contentBlockStop {"contentBlockIndex":3}
contentBlockStart {"contentBlockIndex":4,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}
contentBlockDelta {"contentBlockIndex":4,"delta":{"toolUse":{"input":"{}"}}}
contentBlockStop {"contentBlockIndex":4}
contentBlockStart {"contentBlockIndex":5,"start":{"toolUse":{"toolUseId":"u","name":"f"}}}
contentBlockDelta {"contentBlockIndex":5,"delta":{"toolUse":{"input":""}}}
contentBlockStop {"contentBlockIndex":5}
messageStop {"stopReason":"tool_use"}
metadata {"usage":{"inputTokens":3,"outputTokens":5,"totalTokens":12,"cacheReadInputTokens":4},"metrics":{"latencyMs":0}}
)");
}

TEST(BedrockStreamWriter, Errors) {
  World world(codec());
  const auto streamed =
      world.stream({{.name = "messageStart", .data = R"({"role":"assistant"})"},
                    {.name = "throttlingException", .data = R"({"message":"Slow"})", .exception = true}});
  ASSERT_TRUE(streamed.error);
  EXPECT_EQ(streamed.error->kind, chat::ErrorKind::rate_limited);
  EXPECT_EQ(streamed.error->message, "Slow");
  EXPECT_EQ(joined(streamed.wire),
            "messageStart {\"role\":\"assistant\"}\n!throttlingException {\"message\":\"Slow\"}\n");
  World cut(codec());
  EXPECT_TRUE(cut.stream({{.name = "messageStart", .data = R"({"role":"assistant"})"}}).error);
  World broken(codec());
  EXPECT_TRUE(broken.stream({{.name = "messageStart", .data = "{"}}).error);
}

TEST(BedrockStreamReader, EndsWithMetadataOrWithoutIt) {
  const std::vector<WireText> events{
      {.name = "messageStart", .data = R"({"role":"assistant","p":"ab"})"},
      {.name = "contentBlockDelta", .data = R"({"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"h"}}})"},
      {.name = "contentBlockDelta",
       .data = R"({"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"a"}}})"},
      {.name = "contentBlockDelta",
       .data = R"({"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"b"}}})"},
      {.name = "contentBlockDelta", .data = R"({"contentBlockIndex":0,"delta":{"text":"t"}})"},
      {.name = "contentBlockStart",
       .data = R"({"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"x","name":"json_answer"}}})"},
      {.name = "contentBlockDelta", .data = R"({"contentBlockIndex":1,"delta":{"toolUse":{"input":"{}"}}})"},
      {.name = "messageStop", .data = R"({"stopReason":"tool_use"})"},
  };
  World world(codec());
  world.format_tool = "json_answer";
  auto streamed = world.stream(events);
  ASSERT_FALSE(streamed.error);
  Reading reading = reading_of(streamed.answer);
  EXPECT_EQ(reading.reasoning, "h");
  EXPECT_THAT(reading.signatures, ElementsAre("ab"));
  EXPECT_EQ(reading.text, "t{}");
  EXPECT_EQ(reading.finish, "stop");
  EXPECT_FALSE(reading.usage.known());
  auto more = events;
  more.push_back({.name = "metadata", .data = R"({"usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}})"});
  World again(codec());
  streamed = again.stream(more);
  ASSERT_FALSE(streamed.error);
  EXPECT_EQ(streamed.answer.usage.output, 2U);
}

TEST(BedrockAnswerWriter, Answer) {
  Built b;
  b.part({.kind = PartKind::thinking, .text = "h"});
  b.part({.kind = PartKind::thinking, .redacted = true, .signature = b.sign(chat::Minter::anthropic, "red")});
  b.part({.kind = PartKind::text, .text = "a"});
  b.part({.kind = PartKind::tool_call, .text = R"({"x":1})", .id = "a b", .name = "f"});
  b.part({.kind = PartKind::tool_call, .text = "[1]", .id = "c", .name = "f"});  // nobody is to execute that
  const std::string written = b.world.write_answer(b.finish(Finish::stop));
  World reader(codec());
  ReadContext client = reader.client();
  chat::Request request;
  const std::string content =
      written.substr(written.find("\"content\""), written.find("}},\"stopReason") - written.find("\"content\""));
  const std::string body = R"({"messages":[{"role":"assistant",)" + content + "}]}";
  ASSERT_TRUE(codec().read_request(body, client, request)) << body;
  const auto& parts = request.messages[0].parts;
  ASSERT_EQ(parts.size(), 4U);
  EXPECT_EQ(parts[0].text, "h");
  EXPECT_FALSE(parts[0].has_signature());
  EXPECT_TRUE(parts[1].redacted);
  EXPECT_EQ(parts[1].signature->minter, chat::Minter::anthropic);
  EXPECT_EQ(parts[1].signature->data, "red");
  EXPECT_EQ(parts[3].text, R"({"x":1})");
  EXPECT_TRUE(parts[3].id.find(' ') == std::string_view::npos);
  EXPECT_NE(written.find(R"("stopReason":"tool_use","usage":{"inputTokens":0,"outputTokens":0,"totalTokens":0},)"
                         R"("metrics":{"latencyMs":0})"),
            std::string::npos);
}

TEST(BedrockAnswerWriter, StopReasons) {
  const std::pair<Finish, std::string_view> cases[] = {
      {Finish::unknown, "end_turn"},
      {Finish::stop, "end_turn"},
      {Finish::length, "max_tokens"},
      {Finish::pause, "end_turn"},
      {Finish::filter, "content_filtered"},
      {Finish::refusal, "content_filtered"},
      {Finish::malformed_tool, "malformed_tool_use"},
  };
  for (const auto& [finish, word] : cases) {
    Built b;
    EXPECT_NE(b.world.write_answer(b.finish(finish)).find("\"stopReason\":\"" + std::string(word) + "\""),
              std::string::npos)
        << word;
  }
}

TEST(BedrockErrorReader, KindsAndMessages) {
  struct Case {
    int status;
    std::string_view type;
    std::string_view body;
    chat::ErrorKind kind;
    std::string_view message;
    std::string_view code = {};
  };
  using enum chat::ErrorKind;
  const Case cases[] = {
      {429, "ThrottlingException:http://internal/", R"({"message":"Slow"})", rate_limited, "Slow"},
      {429, "ModelNotReadyException", R"({"message":"Soon"})", overloaded, "Soon"},
      {400, "ValidationException", R"({"message":"The provided model identifier is invalid."})", model_not_found,
       "The provided model identifier is invalid."},
      {400, "ValidationException", R"({"message":"Input is too long for requested model."})", invalid_request,
       "Input is too long for requested model.", "context_length_exceeded"},
      {400, "ServiceQuotaExceededException", R"({"message":"Full"})", quota_exceeded, "Full"},
      {403, "UnrecognizedClientException", R"({"message":"Who?"})", authentication, "Who?"},
      {403, "AccessDeniedException", R"({"Message":"No"})", permission, "No"},
      {424, "ModelErrorException", R"({"originalMessage":"x"})", upstream_failed, "x"},
      {400, "", R"({"__type":"com.amazon.coral.validate#ValidationException","message":"Bad"})", invalid_request,
       "Bad"},
      {503, "", "busy", overloaded, "busy"},
      {500, "", "", upstream_failed, "The provider refused the request and did not say why."},
  };
  for (const Case& c : cases) {
    World world(codec());
    const chat::ClientError error = codec().read_error(c.status, c.body, c.type, world.provider());
    EXPECT_EQ(error.kind, c.kind) << c.body;
    EXPECT_EQ(error.message, c.message);
    EXPECT_EQ(error.code, c.code);
    EXPECT_EQ(error.status, c.status);
  }
  World world(codec());
  const auto coral = world.read_answer(R"({"Output":{"__type":"x"},"message":"Sorry"})");
  ASSERT_FALSE(coral);
  EXPECT_EQ(coral.error().message, "Sorry");
}

}  // namespace
}  // namespace llmgw::dialects::bedrock
