// Calls whose arguments are no JSON object, from a provider's bytes to a client's.
#include "gateway/conversion/call_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "gateway/conversion/transcoder.h"
#include "json/text.h"

namespace llmgw::gateway {
namespace {

using chat::Dialect;
using chat::Framing;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

struct Told {
  std::string out;
  std::optional<chat::ClientError> error;
  std::string message;
  bool left_out = false;
  bool wrapped = false;
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
  Told told{.out = transcoder.output(),
            .error = transcoder.error(),
            .message = {},
            .left_out = transcoder.left_out_call(),
            .wrapped = transcoder.wrapped_call()};
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
        EXPECT_FALSE(told.left_out || told.wrapped);
      }
    }
  }
}

// SDKs parse what the pieces of a stream make together.
TEST(CallCheck, AnObjectInsideATextIsTheObject) {
  const Told told = tell(R"("{\"paths\": []}")", R"("tool_calls")", Dialect::anthropic, true);
  EXPECT_THAT(told.out, HasSubstr(R"("partial_json":"{\"paths\": []}")"));
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

// It is a call whose arguments no tool takes, so that the client tells the model.
TEST(CallCheck, ACallThatTheModelFailedToMakeIsTheClientsToRefuse) {
  for (const std::string_view finish : {R"("tool_calls")", R"("stop")", R"("something new")", "null"}) {
    for (const auto& [arguments, text] : {std::pair<std::string_view, std::string_view>{kCut, R"({\"paths\": [\"/tm)"},
                                          {"[1]", "[1]"},
                                          {"text", "text"}}) {
      const std::string object = R"({"INVALID_JSON":")" + std::string(text) + R"("})";
      for (const Dialect client : {Dialect::anthropic, Dialect::gemini, Dialect::bedrock}) {
        const Told told = tell(arguments, finish, client, false);
        ASSERT_FALSE(told.error) << told.message;
        EXPECT_THAT(told.out, HasSubstr(object));
        EXPECT_THAT(told.out, AnyOf(HasSubstr("tool_use"), HasSubstr("functionCall")));
        EXPECT_TRUE(told.wrapped && !told.left_out);
      }
      EXPECT_THAT(tell(arguments, finish, Dialect::gemini, true).out, HasSubstr(object));
      if (arguments == kCut) continue;
      std::string piece;
      json::append_quoted(piece, object);
      EXPECT_THAT(tell(arguments, finish, Dialect::anthropic, true).out,
                  AllOf(HasSubstr(piece), HasSubstr(R"("stop_reason":"tool_use")"), HasSubstr("message_stop")));
      EXPECT_THAT(tell(arguments, finish, Dialect::bedrock, true).out, HasSubstr(piece));
    }
  }
}

// Its beginning has been sent when it shows.
TEST(CallCheck, OneThatFailsInTheMiddleOfAStreamIsNoCleanStop) {
  for (const std::string_view finish : {R"("tool_calls")", R"("stop")", R"("something new")", "null"}) {
    const Told anthropic = tell(kCut, finish, Dialect::anthropic, true);
    ASSERT_TRUE(anthropic.error) << finish;
    EXPECT_THAT(anthropic.message, HasSubstr("'delete_files'"));
    EXPECT_THAT(anthropic.out, Not(HasSubstr("message_stop")));
    EXPECT_THAT(tell(kCut, finish, Dialect::bedrock, true).out, HasSubstr("malformed_tool_use"));
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
