#include <gtest/gtest.h>

#include "chat/turns.h"
#include "dialects/anthropic/codec.h"
#include "dialects/codec_test_support.h"

namespace llmgw::dialects::anthropic {
namespace {

using namespace testing_support;
using chat::Finish;
using chat::Part;
using chat::PartKind;

constexpr std::string_view kUsage =
    R"({"input_tokens":0,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens":0})";

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

std::string message(std::string_view content, std::string_view stop, std::string_view usage = kUsage) {
  return R"({"id":"msg_req0123abc","type":"message","role":"assistant","model":"alias","content":[)" +
         std::string(content) + "]," + std::string(stop) + R"(,"usage":)" + std::string(usage) + "}";
}

TEST(AnthropicAnswerWriter, Blocks) {
  Built b;
  b.part({.kind = PartKind::thinking, .text = "hm"});
  b.part({.kind = PartKind::text, .text = "a"});
  b.part({.kind = PartKind::text});  // an empty block would be refused when it comes back
  b.part({.kind = PartKind::tool_call, .text = "", .id = "call/1", .name = "f"});
  b.part({.kind = PartKind::tool_call, .text = R"({"x":1.0})", .id = "t2", .name = "f"});
  b.part({.kind = PartKind::opaque, .origin = chat::Dialect::anthropic, .text = R"({"type":"fallback"})"});
  b.part({.kind = PartKind::opaque, .origin = chat::Dialect::openai_responses, .text = "{}"});
  const std::string first(chat::fit_tool_id("call/1", chat::ToolIdRule::word, 64, b.world.arena));
  EXPECT_EQ(b.world.write_answer(b.finish(Finish::stop)),
            message(R"({"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"a"},)"
                    R"({"type":"tool_use","id":")" +
                        first +
                        R"(","name":"f","input":{}},{"type":"tool_use","id":"t2","name":"f","input":{"x":1.0}},)"
                        R"({"type":"fallback"})",
                    R"("stop_reason":"tool_use","stop_sequence":null)"));
}

TEST(AnthropicAnswerWriter, StopReasons) {
  struct Case {
    Finish finish;
    std::string_view stop;
  };
  const Case cases[] = {
      {Finish::unknown, R"("stop_reason":"end_turn","stop_sequence":null)"},
      {Finish::stop, R"("stop_reason":"end_turn","stop_sequence":null)"},
      {Finish::tool, R"("stop_reason":"end_turn","stop_sequence":null)"},  // there is no call
      {Finish::length, R"("stop_reason":"max_tokens","stop_sequence":null)"},
      {Finish::pause, R"("stop_reason":"pause_turn","stop_sequence":null)"},
      {Finish::filter, R"("stop_reason":"refusal","stop_sequence":null,)"
                       R"("stop_details":{"type":"refusal","category":null,"explanation":null})"},
      {Finish::malformed_tool,
       R"("stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":null,)"
       R"("explanation":"The model tried to call a tool and failed."})"},
  };
  for (const Case& c : cases) {
    Built b;
    EXPECT_EQ(b.world.write_answer(b.finish(c.finish)), message("", c.stop));
  }
  Built b;
  b.choice.at_sequence = true;
  EXPECT_EQ(b.world.write_answer(b.finish(Finish::stop)),
            message("", R"("stop_reason":"stop_sequence","stop_sequence":null)"));
  b.choice.stop_sequence = "END";
  EXPECT_EQ(b.world.write_answer(b.finish(Finish::stop)),
            message("", R"("stop_reason":"stop_sequence","stop_sequence":"END")"));
  b.choice.at_sequence = false;
  b.choice.stop_sequence = {};
  b.choice.context_window = true;
  EXPECT_EQ(b.world.write_answer(b.finish(Finish::length)),
            message("", R"("stop_reason":"model_context_window_exceeded","stop_sequence":null)"));
  b.part({.kind = PartKind::refusal, .text = "I will not."});
  EXPECT_EQ(b.world.write_answer(b.finish(Finish::stop)),
            message("", R"("stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal",)"
                        R"("category":null,"explanation":"I will not."})"));
}

TEST(AnthropicAnswerWriter, UsageDoesNotCountTwice) {
  Built b;
  b.answer.id = "msg_own";
  b.answer.service_tier = "default";
  b.answer.usage = {
      .input = 5, .cache_read = 100, .cache_write = 30, .cache_write_1h = 10, .output = 9, .reasoning = 4};
  std::string expected =
      message("", R"("stop_reason":"end_turn","stop_sequence":null)",
              R"({"input_tokens":5,"cache_creation_input_tokens":30,"cache_read_input_tokens":100,"cache_creation":)"
              R"({"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":10},"output_tokens":9,)"
              R"("output_tokens_details":{"thinking_tokens":4},"service_tier":"standard"})");
  expected.replace(expected.find("msg_req0123abc"), 14, "msg_own");
  EXPECT_EQ(b.world.write_answer(b.finish(Finish::stop)), expected);
}

// Own ones as they are; others tagged, and where only thinking has a place for them, on a block of their own.
TEST(AnthropicAnswerWriter, Signatures) {
  Built b;
  b.part({.kind = PartKind::thinking, .text = "t", .signature = b.sign(chat::Minter::anthropic, "own")});
  b.part({.kind = PartKind::thinking, .redacted = true, .signature = b.sign(chat::Minter::anthropic, "red")});
  b.part({.kind = PartKind::thinking, .text = "u", .signature = b.sign(chat::Minter::bedrock, "far")});
  b.part({.kind = PartKind::tool_call, .id = "t", .name = "f", .signature = b.sign(chat::Minter::gemini, "g1")});
  b.part({.kind = PartKind::text, .signature = b.sign(chat::Minter::gemini, "g2")});
  const std::string written = b.world.write_answer(b.finish(Finish::stop));
  EXPECT_EQ(written, message(R"({"type":"thinking","thinking":"t","signature":"own"},)"
                             R"({"type":"redacted_thinking","data":"red"},)"
                             R"({"type":"thinking","thinking":"u","signature":"lgw1:bedrock:t:1:0:mfar"},)"
                             R"({"type":"thinking","thinking":"","signature":"lgw1:gemini:n:1:0:mg1"},)"
                             R"({"type":"tool_use","id":"t","name":"f","input":{}},)"
                             R"({"type":"thinking","thinking":"","signature":"lgw1:gemini:o:1:0:mg2"})",
                             R"("stop_reason":"tool_use","stop_sequence":null)"));
}

TEST(AnthropicAnswerReader, WhatIsNoAnswer) {
  const std::string_view bodies[] = {"",
                                     "<html>",
                                     "[]",
                                     "{}",
                                     R"({"content":"text"})",
                                     R"({"type":"error","error":{"type":"overloaded_error","message":"Busy"}})"};
  for (const std::string_view body : bodies) {
    World world(codec());
    const auto answer = world.read_answer(body);
    ASSERT_FALSE(answer) << body;
    EXPECT_FALSE(answer.error().message.empty());
  }
  World world(codec());
  EXPECT_EQ(world.read_answer(bodies[5]).error().kind, chat::ErrorKind::overloaded);
}

TEST(AnthropicAnswerReader, TheFormatToolIsText) {
  World world(codec());
  world.format_tool = "json_answer";
  const auto answer = world.read_answer(
      R"({"content":[{"type":"tool_use","id":"t","name":"json_answer","input":{"a":1}}],"stop_reason":"tool_use"})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->choices[0].parts[0].kind, PartKind::text);
  EXPECT_EQ(answer->choices[0].parts[0].text, R"({"a":1})");
  EXPECT_EQ(answer->choices[0].finish, Finish::stop);
}

TEST(AnthropicErrorReader, KindsAndMessages) {
  struct Case {
    int status;
    std::string_view body;
    chat::ErrorKind kind;
    std::string_view message;
    std::string_view code = {};
    std::string_view type = {};
  };
  using enum chat::ErrorKind;
  const Case cases[] = {
      {529, R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"})",
       overloaded, "Overloaded"},
      {400,
       R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}})",
       invalid_request, "prompt is too long: 9 tokens > 8 maximum", "context_length_exceeded"},
      {400, R"({"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}})",
       quota_exceeded, "Your credit balance is too low"},
      {404, R"({"type":"error","error":{"type":"not_found_error","message":"model: x"}})", model_not_found, "model: x"},
      {429, R"([{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}])", rate_limited, "Quota"},
      {429, R"({"message":"Too many"})", rate_limited, "Too many", {}, "ThrottlingException:http://x"},
      {400, R"({"message":"Full"})", quota_exceeded, "Full", {}, "ServiceQuotaExceededException"},
      {403, R"({"Message":"No"})", permission, "No"},
      {502, "<html>bad</html>", upstream_failed, "The provider answered with a page instead of an error."},
      {500, "", upstream_failed, "The provider refused the request and did not say why."},
      {503, " busy \n", overloaded, "busy"},
      {401, R"({"error":"who?"})", authentication, "who?"},
      {418, "{}", invalid_request, "The provider answered with an error that has no message."},
  };
  for (const Case& c : cases) {
    World world(codec());
    const chat::ClientError error = codec().read_error(c.status, c.body, c.type, world.provider());
    EXPECT_EQ(error.kind, c.kind) << c.body;
    EXPECT_EQ(error.message, c.message);
    EXPECT_EQ(error.code, c.code);
    EXPECT_EQ(error.status, c.status);
  }
}

}  // namespace
}  // namespace llmgw::dialects::anthropic
