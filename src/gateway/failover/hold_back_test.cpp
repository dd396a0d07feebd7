#include "gateway/failover/hold_back.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace llmgw::gateway {
namespace {

using chat::Framing;
using State = HoldBack::State;

json::Parser& parser() {
  static json::Parser own;
  return own;
}

HoldBack::Answer answer(Operation operation, chat::Dialect dialect, Framing framing) {
  return {.asked = {.operation = operation, .dialect = dialect, .stream = framing != Framing::json},
          .framing = framing};
}

// Of a stream of server-sent events.
class Sse {
 public:
  explicit Sse(uint32_t contents, chat::Dialect dialect = chat::Dialect::openai_chat)
      : hold_(contents, answer(Operation::chat, dialect, Framing::sse), parser()) {}
  State feed(std::string_view bytes, bool done) { return hold_.feed(bytes, done); }
  bool any_content() const { return hold_.any_content(); }
  const std::string& bytes() { return hold_.bytes(); }

 private:
  HoldBack hold_;
};

std::string event(std::string_view data, std::string_view name = {}) {
  std::string text;
  if (!name.empty()) text.append("event: ").append(name).append("\n");
  return text.append("data: ").append(data).append("\n\n");
}

constexpr std::string_view kRole =
    R"({"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]})";
constexpr std::string_view kWord =
    R"({"id":"1","choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}]})";
constexpr std::string_view kTool =
    R"({"id":"1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]},"finish_reason":null}]})";

constexpr std::string_view kStop = R"({"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";

TEST(HoldBack, ReleasesWithTheFirstContent) {
  Sse hold(1);
  EXPECT_EQ(hold.feed(event(kRole), false), State::holding);
  EXPECT_EQ(hold.feed(": keep-alive\n\n", false), State::holding);
  const std::string word = event(kWord);
  EXPECT_EQ(hold.feed(word.substr(0, 20), false), State::holding);
  EXPECT_EQ(hold.feed(word.substr(20), false), State::released);
  EXPECT_EQ(hold.bytes(), event(kRole) + ": keep-alive\n\n" + word);
  EXPECT_EQ(Sse(1).feed(event(kTool), false), State::released);
}

TEST(HoldBack, CountsContent) {
  Sse hold(3);
  EXPECT_EQ(hold.feed(event(kRole) + event(kWord) + event(kWord), false), State::holding);
  EXPECT_EQ(hold.feed(event(kWord), false), State::released);
  Sse whole(1000);
  EXPECT_EQ(whole.feed(event(kWord), false), State::holding);
  EXPECT_EQ(whole.feed(event("[DONE]"), false), State::released);
}

TEST(HoldBack, SeesErrorsInsideAStream) {
  for (const std::string& error :
       {event(R"({"error":{"message":"overloaded"}})"), event(R"({"type":"error","error":{}})", "error"),
        event(R"({"type":"error","code":"x"})"),
        event(R"({"type":"response.failed","response":{}})", "response.failed"), event("<html>Bad Gateway</html>"),
        event("{\"broken\": ")}) {
    Sse hold(1);
    EXPECT_EQ(hold.feed(error, false), State::failed) << error;
    Sse later(5);
    EXPECT_EQ(later.feed(event(kWord) + error, false), State::failed) << error;
  }
}

TEST(HoldBack, KnowsTheOtherDialectsPreludes) {
  Sse anthropic(1);
  EXPECT_EQ(anthropic.feed(event(R"({"type":"message_start"})", "message_start") + event(R"({"type":"ping"})", "ping") +
                               event(R"({"type":"content_block_start"})", "content_block_start"),
                           false),
            State::holding);
  EXPECT_EQ(
      anthropic.feed(event(R"({"type":"content_block_delta","delta":{"text":"a"}})", "content_block_delta"), false),
      State::released);
  Sse responses(1);
  EXPECT_EQ(responses.feed(event(R"({"type":"response.created"})", "response.created"), false), State::holding);
  EXPECT_EQ(responses.feed(event(R"({"type":"response.output_text.delta","delta":"a"})", "response.output_text.delta"),
                           false),
            State::released);
  EXPECT_EQ(Sse(1).feed(event(R"({"candidates":[{"content":{"parts":[{"text":"a"}]}}]})"), false), State::released);
}

TEST(HoldBack, AStreamThatEndsIsReleasedAndSoIsOneTooLong) {
  EXPECT_EQ(Sse(9).feed(event(kWord) + event("[DONE]"), true), State::released);
  EXPECT_EQ(Sse(9).feed(event(kWord) + event(kStop), true), State::released);
  Sse hold(UINT32_MAX);
  const std::string word = event(kWord);
  State state = State::holding;
  for (size_t sent = 0; state == State::holding && sent < 2 * kHeldBytesMax; sent += word.size()) {
    state = hold.feed(word, false);
  }
  EXPECT_EQ(state, State::released);
  EXPECT_LT(hold.bytes().size(), kHeldBytesMax + word.size());
}

// The transfer ends in order, and the model's stream does not: nothing has gone out, so it can be begun anew.
TEST(HoldBack, AStreamWithoutItsEndIsCut) {
  const std::string begun = event(kRole) + event(kWord);
  for (const std::string& stream : {std::string(), std::string(": ping\n\n"), event(kRole), begun, begun + event(kWord),
                                    begun + "data: {\"id\":", event("[DONE]")}) {
    EXPECT_EQ(Sse(9).feed(stream, true), State::cut) << stream;
    // All of it came with the first content.
    EXPECT_EQ(Sse(1).feed(stream, true), State::cut) << stream;
    Sse later(9);
    later.feed(stream, false);
    EXPECT_EQ(later.feed({}, true), State::cut) << stream;
  }
  EXPECT_EQ(Sse(1).feed(begun + event("[DONE]"), true), State::released);
  EXPECT_EQ(Sse(9).feed(event(kRole) + event(kStop) + event("[DONE]"), false), State::released);
  const std::string message = event(R"({"type":"message_start","message":{}})", "message_start") +
                              event(R"({"type":"content_block_delta","delta":{"text":"a"}})", "content_block_delta");
  EXPECT_EQ(Sse(9, chat::Dialect::anthropic).feed(message, true), State::cut);
  EXPECT_EQ(Sse(9, chat::Dialect::anthropic).feed(message + event(R"({"type":"message_stop"})", "message_stop"), true),
            State::released);
  const std::string part = event(R"({"candidates":[{"content":{"parts":[{"text":"a"}]}}]})");
  EXPECT_EQ(Sse(9, chat::Dialect::gemini).feed(part, true), State::cut);
  EXPECT_EQ(Sse(1, chat::Dialect::gemini).feed(part + event(R"({"candidates":[{"finishReason":"STOP"}]})"), true),
            State::released);
}

TEST(HoldBack, WhereOnlyTheCloseEndsItAStreamMustSayItsEnd) {
  HoldBack::Answer to_close = answer(Operation::chat, chat::Dialect::openai_chat, Framing::sse);
  to_close.to_close = true;
  EXPECT_EQ(HoldBack(9, to_close, parser()).feed(event(kWord), true), State::cut);
  EXPECT_EQ(HoldBack(9, to_close, parser()).feed(event(kWord) + event(kStop), true), State::released);
  EXPECT_EQ(HoldBack(9, to_close, parser()).feed(event(kWord) + event("[DONE]"), true), State::released);
}

TEST(HoldBack, WhatNoModelSaysHasNoEnd) {
  HoldBack hold(9, answer(Operation::images, chat::Dialect::openai_rest, Framing::sse), parser());
  EXPECT_EQ(hold.feed(event(R"({"type":"image_generation.completed"})"), true), State::released);
}

TEST(HoldBack, AnErrorMayStandAnywhereInItsEvent) {
  for (const std::string_view error :
       {R"({"id":"1","object":"chat.completion.chunk","created":1,"model":"m","error":{"message":"boom"}})",
        R"({"id":"1","provider":"p","error":{"code":"server_error"},"choices":[{"delta":{},"finish_reason":"error"}]})",
        R"({"id":"1","choices":[{"index":0,"error":{"code":502,"message":"boom"}}]})",
        R"({"object":"error","message":"boom","code":400})"}) {
    EXPECT_EQ(Sse(1).feed(event(kRole) + event(error), false), State::failed) << error;
  }
  for (const std::string_view good :
       {R"({"id":"1","error":null,"choices":[{"delta":{"content":"an \"error\""}}]})",
        R"({"id":"1","error":"","choices":[{"delta":{"content":"error"}}]})",
        R"({"id":"1","choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{\"error\":1}"}}]}}]})"}) {
    EXPECT_EQ(Sse(1).feed(event(good), false), State::released) << good;
  }
}

TEST(HoldBack, GarbageBetweenBracesIsNoEvent) {
  EXPECT_EQ(Sse(2).feed(event(R"({"id": broken})"), false), State::failed);
  EXPECT_EQ(Sse(2).feed(event(R"({"choices":[{"delta":{"content":"a"}]})"), false), State::failed);
}

TEST(HoldBack, ATimeWindowBeginsWithTheFirstContent) {
  Sse hold(UINT32_MAX);
  hold.feed(event(kRole), false);
  EXPECT_FALSE(hold.any_content());
  hold.feed(event(kWord), false);
  EXPECT_TRUE(hold.any_content());
}

TEST(HoldBack, ArraysOfGeminisAreStreamsToo) {
  const auto kArray = answer(Operation::stream_generate_content, chat::Dialect::gemini, Framing::json_array);
  HoldBack hold(2, kArray, parser());
  EXPECT_EQ(hold.feed(R"([{"candidates":[{"content":{"parts":[{"text":"a"}]}}]})", false), State::holding);
  EXPECT_EQ(hold.feed(R"(,{"candidates":[{"content":{"parts":[{"text":"b"}]}}]})", false), State::released);
  HoldBack broken(2, kArray, parser());
  EXPECT_EQ(broken.feed(R"([{"error":{"code":503}}])", true), State::failed);
  HoldBack nothing(1, kArray, parser());
  EXPECT_EQ(nothing.feed("<html>", false), State::failed);
  for (const std::string_view cut : {"", "[]", R"([{"candidates":[{"content":{"parts":[{"text":"a"}]}}]})",
                                     R"([{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}])"}) {
    EXPECT_EQ(HoldBack(9, kArray, parser()).feed(cut, true), State::cut) << cut;
  }
  const std::string_view whole = R"([{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}])";
  EXPECT_EQ(HoldBack(1, kArray, parser()).feed(whole, true), State::released);
}

TEST(HoldBack, FramesOfBedrockAreEvents) {
  const auto kFrames = answer(Operation::converse_stream, chat::Dialect::bedrock, Framing::event_stream);
  const auto frame = [](std::string_view name, std::string_view json) {
    std::string out;
    http::append_event_stream_event(out, name, json);
    return out;
  };
  HoldBack hold(1, kFrames, parser());
  EXPECT_EQ(hold.feed(frame("messageStart", R"({"role":"assistant"})"), false), State::holding);
  EXPECT_EQ(hold.feed(frame("contentBlockDelta", R"({"delta":{"text":"a"}})"), false), State::released);
  std::string exception;
  http::append_event_stream_exception(exception, "throttlingException", R"({"message":"later"})");
  HoldBack refused(3, kFrames, parser());
  EXPECT_EQ(refused.feed(frame("contentBlockDelta", R"({"delta":{"text":"a"}})") + exception, false), State::failed);
  const std::string begun = frame("messageStart", "{}") + frame("contentBlockDelta", R"({"delta":{"text":"a"}})");
  EXPECT_EQ(HoldBack(9, kFrames, parser()).feed(begun, true), State::cut);
  EXPECT_EQ(HoldBack(9, kFrames, parser()).feed(begun + frame("messageStop", R"({"stopReason":"end_turn"})"), true),
            State::released);
  HoldBack damaged(1, kFrames, parser());
  EXPECT_EQ(damaged.feed(std::string(64, 'x'), false), State::failed);
}

TEST(HoldBack, ChunksOfInvokeModelHoldTheModelsOwnEvents) {
  const auto kChunks = answer(Operation::invoke_stream, chat::Dialect::bedrock, Framing::event_stream);
  const auto chunk = [](std::string_view json) {
    std::string text(base::base64_size(json.size()), '\0');
    base::base64_encode(json, text.data());
    std::string out;
    http::append_event_stream_event(out, "chunk", R"({"bytes":")" + text + R"(","p":"abc"})");
    return out;
  };
  const std::string start = chunk(R"({"type":"message_start","message":{}})");
  const std::string word = chunk(R"({"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}})");
  HoldBack hold(2, kChunks, parser());
  EXPECT_EQ(hold.feed(start, false), State::holding);
  EXPECT_FALSE(hold.any_content());
  EXPECT_EQ(hold.feed(word, false), State::holding);
  EXPECT_TRUE(hold.any_content());
  EXPECT_EQ(hold.feed(word, false), State::released);
  EXPECT_EQ(hold.bytes(), start + word + word);
  HoldBack refused(1, kChunks, parser());
  EXPECT_EQ(refused.feed(start + chunk(R"({"type":"error","error":{"type":"overloaded_error"}})"), false),
            State::failed);
  EXPECT_EQ(HoldBack(9, kChunks, parser()).feed(start + word, true), State::cut);
  EXPECT_EQ(HoldBack(9, kChunks, parser()).feed(start + word + chunk(R"({"type":"message_stop"})"), true),
            State::released);
  HoldBack cut(1, kChunks, parser());
  EXPECT_EQ(cut.feed(chunk(R"({"type":"content_block_delta",)"), false), State::failed);
}

TEST(HoldBack, ADocumentIsHeldToItsEnd) {
  const auto kDocument = answer(Operation::chat, chat::Dialect::openai_chat, Framing::json);
  HoldBack hold(1, kDocument, parser());
  EXPECT_EQ(hold.feed(R"({"choices":)", false), State::holding);
  EXPECT_EQ(hold.feed("[]}", true), State::released);
  EXPECT_EQ(HoldBack(1, kDocument, parser()).feed(R"({"choices":[)", true), State::failed);
  EXPECT_EQ(HoldBack(1, kDocument, parser()).feed("", true), State::failed);
  auto speech = answer(Operation::audio_speech, chat::Dialect::openai_rest, Framing::json);
  speech.type = DocumentType::other;
  EXPECT_EQ(HoldBack(1, speech, parser()).feed("\xff\xfbID3", true), State::released);
}

}  // namespace
}  // namespace llmgw::gateway
