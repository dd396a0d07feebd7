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

// Of a stream of server-sent events.
class Sse {
 public:
  explicit Sse(uint32_t contents) : hold_(contents, Framing::sse, parser()) {}
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
  EXPECT_EQ(Sse(9).feed(event(kWord), true), State::released);
  Sse hold(UINT32_MAX);
  const std::string word = event(kWord);
  State state = State::holding;
  for (size_t sent = 0; state == State::holding && sent < 2 * kHeldBytesMax; sent += word.size()) {
    state = hold.feed(word, false);
  }
  EXPECT_EQ(state, State::released);
  EXPECT_LT(hold.bytes().size(), kHeldBytesMax + word.size());
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
  HoldBack hold(2, Framing::json_array, parser());
  EXPECT_EQ(hold.feed(R"([{"candidates":[{"content":{"parts":[{"text":"a"}]}}]})", false), State::holding);
  EXPECT_EQ(hold.feed(R"(,{"candidates":[{"content":{"parts":[{"text":"b"}]}}]})", false), State::released);
  HoldBack broken(2, Framing::json_array, parser());
  EXPECT_EQ(broken.feed(R"([{"error":{"code":503}}])", true), State::failed);
  HoldBack nothing(1, Framing::json_array, parser());
  EXPECT_EQ(nothing.feed("<html>", false), State::failed);
}

TEST(HoldBack, FramesOfBedrockAreEvents) {
  const auto frame = [](std::string_view name, std::string_view json) {
    std::string out;
    http::append_event_stream_event(out, name, json);
    return out;
  };
  HoldBack hold(1, Framing::event_stream, parser());
  EXPECT_EQ(hold.feed(frame("messageStart", R"({"role":"assistant"})"), false), State::holding);
  EXPECT_EQ(hold.feed(frame("contentBlockDelta", R"({"delta":{"text":"a"}})"), false), State::released);
  std::string exception;
  http::append_event_stream_exception(exception, "throttlingException", R"({"message":"later"})");
  HoldBack refused(3, Framing::event_stream, parser());
  EXPECT_EQ(refused.feed(frame("contentBlockDelta", R"({"delta":{"text":"a"}})") + exception, false), State::failed);
  HoldBack damaged(1, Framing::event_stream, parser());
  EXPECT_EQ(damaged.feed(std::string(64, 'x'), false), State::failed);
}

TEST(HoldBack, ChunksOfInvokeModelHoldTheModelsOwnEvents) {
  const auto chunk = [](std::string_view json) {
    std::string text(base::base64_size(json.size()), '\0');
    base::base64_encode(json, text.data());
    std::string out;
    http::append_event_stream_event(out, "chunk", R"({"bytes":")" + text + R"(","p":"abc"})");
    return out;
  };
  const std::string start = chunk(R"({"type":"message_start","message":{}})");
  const std::string word = chunk(R"({"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}})");
  HoldBack hold(2, Framing::event_stream, parser());
  EXPECT_EQ(hold.feed(start, false), State::holding);
  EXPECT_FALSE(hold.any_content());
  EXPECT_EQ(hold.feed(word, false), State::holding);
  EXPECT_TRUE(hold.any_content());
  EXPECT_EQ(hold.feed(word, false), State::released);
  EXPECT_EQ(hold.bytes(), start + word + word);
  HoldBack refused(1, Framing::event_stream, parser());
  EXPECT_EQ(refused.feed(start + chunk(R"({"type":"error","error":{"type":"overloaded_error"}})"), false),
            State::failed);
  HoldBack cut(1, Framing::event_stream, parser());
  EXPECT_EQ(cut.feed(chunk(R"({"type":"content_block_delta",)"), false), State::failed);
}

TEST(HoldBack, ADocumentIsHeldToItsEnd) {
  HoldBack hold(1, Framing::json, parser());
  EXPECT_EQ(hold.feed(R"({"choices":)", false), State::holding);
  EXPECT_EQ(hold.feed("[]}", true), State::released);
  HoldBack cut(1, Framing::json, parser());
  EXPECT_EQ(cut.feed(R"({"choices":[)", true), State::failed);
  HoldBack error(1, Framing::json, parser());
  EXPECT_EQ(error.feed(R"({"error":{"message":"no"}})", true), State::failed);
  HoldBack speech(1, Framing::json, parser());
  EXPECT_EQ(speech.feed("\xff\xfbID3", true), State::released);
}

}  // namespace
}  // namespace llmgw::gateway
