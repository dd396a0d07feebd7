// Reasons to end that the client's API has no word for: what its SDK gets is a word that it knows, and what was put in
// its place is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gateway/conversion/transcoder.h"

namespace llmgw::gateway {
namespace {

using chat::Dialect;
using chat::Framing;
using testing::HasSubstr;
using testing::Not;

struct Provider {
  Dialect dialect;
  std::string_view before, after;  // of the reason, in a document of its API
};
constexpr Provider kProviders[] = {
    {Dialect::openai_chat, R"({"id":"x","choices":[{"index":0,"message":{"content":"a"},"finish_reason":")", R"("}]})"},
    {Dialect::openai_responses,
     R"({"id":"x","status":"incomplete","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]}],"incomplete_details":{"reason":")",
     R"("}})"},
    {Dialect::anthropic, R"({"type":"message","content":[{"type":"text","text":"a"}],"stop_reason":")", R"("})"},
    {Dialect::gemini, R"({"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":")", R"("}]})"},
    {Dialect::bedrock, R"({"output":{"message":{"role":"assistant","content":[{"text":"a"}]}},"stopReason":")",
     R"("})"},
    {Dialect::cohere, R"({"message":{"role":"assistant","content":[{"type":"text","text":"a"}]},"finish_reason":")",
     R"("})"},
};

struct Client {
  Dialect dialect;
  Framing streamed;
  std::string_view stopped;  // how it says that the model did
};
constexpr Client kClients[] = {
    {Dialect::openai_chat, Framing::sse, R"("finish_reason":"stop")"},
    {Dialect::openai_responses, Framing::sse, R"("status":"completed")"},
    {Dialect::anthropic, Framing::sse, R"("stop_reason":"end_turn")"},
    {Dialect::gemini, Framing::sse, R"("finishReason":"STOP")"},
    {Dialect::bedrock, Framing::event_stream, R"("stopReason":"end_turn")"},
    {Dialect::cohere, Framing::sse, R"("finish_reason":"COMPLETE")"},
};

struct Told {
  std::string out;
  std::string named;
  bool failed = false;
};

Told tell(const Provider& provider, std::string_view reason, Dialect client, Framing framing) {
  json::Parser parser;
  json::Parser writer_parser;
  base::Arena arena;
  chat::Request request{.from = client};
  Transcoder transcoder({.provider = *dialects::find_codec(provider.dialect),
                         .client = *dialects::find_codec(client),
                         .read = {.parser = parser, .arena = arena, .model = "m", .id_seed = "seed"},
                         .write = {.parser = writer_parser,
                                   .arena = arena,
                                   .request_id = "req",
                                   .model = "a",
                                   .request = &request,
                                   .framing = framing}});
  transcoder.feed(std::string(provider.before) + std::string(reason) + std::string(provider.after));
  transcoder.finish();
  return {.out = transcoder.output(),
          .named = std::string(transcoder.unknown_finish()),
          .failed = transcoder.error().has_value()};
}

TEST(Reasons, OneThatNobodyKnowsIsAWordOfTheClientsApi) {
  for (const Provider& provider : kProviders) {
    for (const Client& client : kClients) {
      if (client.dialect == provider.dialect) continue;  // its own clients get the word
      for (const Framing framing : {Framing::json, client.streamed}) {
        const Told told = tell(provider, "brand_new", client.dialect, framing);
        SCOPED_TRACE(std::string(provider.before) + " as " + told.out);
        EXPECT_FALSE(told.failed);
        EXPECT_THAT(told.out, Not(HasSubstr("brand_new")));
        // The Responses API says whether it is whole, whatever the reason.
        const bool whole = provider.dialect != Dialect::openai_responses;
        EXPECT_EQ(told.out.contains(client.stopped), whole);
        EXPECT_EQ(told.named, whole ? "brand_new" : "");
      }
    }
  }
}

// The turn is not over: who sends the answer back to Claude, it goes on.
TEST(Reasons, APauseIsNamedWhereThereIsNoWordForIt) {
  const Provider& claude = kProviders[2];
  for (const Client& client : kClients) {
    for (const Framing framing : {Framing::json, client.streamed}) {
      const Told told = tell(claude, "pause_turn", client.dialect, framing);
      SCOPED_TRACE(told.out);
      EXPECT_FALSE(told.failed);
      const bool own = client.dialect == Dialect::anthropic;
      EXPECT_EQ(told.out.contains("pause_turn"), own);
      EXPECT_EQ(told.out.contains(client.stopped), !own);
      EXPECT_EQ(told.named, own ? "" : "pause_turn");
    }
  }
  EXPECT_EQ(tell(kProviders[0], "pause_turn", Dialect::anthropic, Framing::json).named, "");
}

}  // namespace
}  // namespace llmgw::gateway
