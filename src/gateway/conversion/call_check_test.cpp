// Calls whose arguments are no JSON object, from a provider's bytes to a client's.
#include "gateway/conversion/call_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "gateway/conversion/transcoder.h"
#include "json/text.h"

namespace llmgw::gateway {
namespace {

using chat::Dialect;
using chat::Framing;
using testing::HasSubstr;
using testing::Not;

struct Told {
  std::string out;
  std::optional<chat::ClientError> error;
  std::string message;
  bool left_out = false;
};

// A chat completion with the arguments of one call and a reason to end, streamed or not, as that client gets it.
Told tell(std::string_view arguments, std::string_view finish, Dialect client, bool streamed) {
  json::Parser parser;
  json::Parser writer_parser;
  base::Arena arena;
  chat::Request request{.from = client};
  const Framing framing = !streamed ? Framing::json : client == Dialect::bedrock ? Framing::event_stream : Framing::sse;
  Transcoder transcoder({.provider = *dialects::find_codec(Dialect::openai_chat),
                         .client = *dialects::find_codec(client),
                         .read = {.parser = parser, .arena = arena, .model = "m", .id_seed = "seed"},
                         .write = {.parser = writer_parser,
                                   .arena = arena,
                                   .request_id = "req",
                                   .model = "a",
                                   .request = &request,
                                   .framing = framing},
                         .upstream_framing = streamed ? Framing::sse : Framing::json});
  std::string text;
  json::append_quoted(text, arguments);
  const std::string call =
      R"({"index":0,"id":"c1","type":"function","function":{"name":"delete_files","arguments":)" + text + "}}";
  const std::string reason = R"("finish_reason":)" + std::string(finish);
  const std::string message = R"({"id":"x","choices":[{"index":0,)";
  if (streamed) {
    transcoder.feed("data: " + message + R"("delta":{"tool_calls":[)" + call + "]}}]}\n\n");
    transcoder.feed("data: " + message + R"("delta":{},)" + reason + "}]}\n\ndata: [DONE]\n\n");
  } else {
    transcoder.feed(message + R"("message":{"content":null,"tool_calls":[)" + call + "]}," + reason + "}]}");
  }
  transcoder.finish();
  EXPECT_TRUE(transcoder.over());
  Told told{
      .out = transcoder.output(), .error = transcoder.error(), .message = {}, .left_out = transcoder.left_out_call()};
  if (told.error) told.message = told.error->message;
  return told;
}

constexpr std::string_view kCut = R"({"paths": ["/tm)";
constexpr bool kBoth[] = {false, true};

TEST(CallCheck, AWholeCallPasses) {
  for (const Dialect client : {Dialect::anthropic, Dialect::gemini, Dialect::bedrock, Dialect::openai_responses}) {
    for (const std::string_view arguments : {R"({"paths": []})", "", "null", R"("{\"paths\": []}")"}) {
      for (const bool streamed : kBoth) {
        const Told told = tell(arguments, R"("tool_calls")", client, streamed);
        EXPECT_FALSE(told.error) << told.message;
        EXPECT_THAT(told.out, HasSubstr("delete_files"));
        EXPECT_FALSE(told.left_out);
      }
    }
  }
}

// Nobody executes what nobody wrote: an object must not be made of what there is.
TEST(CallCheck, ACallThatWasCutIsNoneAndItsEndSaysSo) {
  for (const bool streamed : kBoth) {
    const Told gemini = tell(kCut, R"("length")", Dialect::gemini, streamed);
    EXPECT_FALSE(gemini.error);
    EXPECT_THAT(gemini.out, Not(HasSubstr("functionCall")));
    EXPECT_THAT(gemini.out, HasSubstr("MAX_TOKENS"));
  }
  for (const Dialect client : {Dialect::anthropic, Dialect::bedrock}) {
    const Told told = tell(kCut, R"("length")", client, false);
    EXPECT_FALSE(told.error);
    EXPECT_THAT(told.out, Not(HasSubstr("delete_files")));
    EXPECT_THAT(told.out, HasSubstr("max_tokens"));
    EXPECT_TRUE(told.left_out) << "the client is told";
    // In streams of theirs the pieces of text come as the model's, and the end says that they are not all.
    EXPECT_THAT(tell(kCut, R"("length")", client, true).out, HasSubstr("max_tokens"));
  }
}

TEST(CallCheck, ACallThatTheModelFailedToMakeIsNoCleanStop) {
  for (const std::string_view finish : {R"("tool_calls")", R"("stop")", R"("something new")", "null"}) {
    for (const std::string_view arguments : {kCut, std::string_view("[1]"), std::string_view("text")}) {
      for (const bool streamed : kBoth) {
        const Told anthropic = tell(arguments, finish, Dialect::anthropic, streamed);
        ASSERT_TRUE(anthropic.error) << finish << arguments;
        EXPECT_THAT(anthropic.message, HasSubstr("'delete_files'"));
        EXPECT_THAT(anthropic.out, Not(HasSubstr("message_stop")));
        const Told gemini = tell(arguments, finish, Dialect::gemini, streamed);
        EXPECT_FALSE(gemini.error);
        EXPECT_THAT(gemini.out, HasSubstr("MALFORMED_FUNCTION_CALL"));
        EXPECT_THAT(gemini.out, Not(HasSubstr("functionCall")));
        const Told bedrock = tell(arguments, finish, Dialect::bedrock, streamed);
        EXPECT_THAT(bedrock.out, HasSubstr("malformed_tool_use"));
      }
    }
  }
}

// Their clients get the model's text and parse it themselves.
TEST(CallCheck, ArgumentsThatAreTextStayTheModels) {
  for (const Dialect client : {Dialect::openai_chat, Dialect::openai_responses, Dialect::cohere}) {
    for (const bool streamed : kBoth) {
      const Told told = tell(kCut, R"("tool_calls")", client, streamed);
      EXPECT_FALSE(told.error);
      EXPECT_THAT(told.out, HasSubstr("/tm"));
      EXPECT_THAT(told.out, Not(HasSubstr("\"value\"")));
    }
  }
}

}  // namespace
}  // namespace llmgw::gateway
