#include "gateway/failover/hold_back.h"

#include <gtest/gtest.h>

namespace llmgw::gateway {
namespace {

using State = HoldBack::State;

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
  HoldBack hold(1);
  EXPECT_EQ(hold.feed(event(kRole), false), State::holding);
  EXPECT_EQ(hold.feed(": keep-alive\n\n", false), State::holding);
  const std::string word = event(kWord);
  EXPECT_EQ(hold.feed(word.substr(0, 20), false), State::holding);
  EXPECT_EQ(hold.feed(word.substr(20), false), State::released);
  EXPECT_EQ(hold.bytes(), event(kRole) + ": keep-alive\n\n" + word);
  EXPECT_EQ(HoldBack(1).feed(event(kTool), false), State::released);
}

TEST(HoldBack, CountsContent) {
  HoldBack hold(3);
  EXPECT_EQ(hold.feed(event(kRole) + event(kWord) + event(kWord), false), State::holding);
  EXPECT_EQ(hold.feed(event(kWord), false), State::released);
  HoldBack whole(1000);
  EXPECT_EQ(whole.feed(event(kWord), false), State::holding);
  EXPECT_EQ(whole.feed(event("[DONE]"), false), State::released);
}

TEST(HoldBack, SeesErrorsInsideAStream) {
  for (const std::string& error :
       {event(R"({"error":{"message":"overloaded"}})"), event(R"({"type":"error","error":{}})", "error"),
        event(R"({"type":"error","code":"x"})"),
        event(R"({"type":"response.failed","response":{}})", "response.failed"), event("<html>Bad Gateway</html>"),
        event("{\"broken\": ")}) {
    HoldBack hold(1);
    EXPECT_EQ(hold.feed(error, false), State::failed) << error;
    HoldBack later(5);
    EXPECT_EQ(later.feed(event(kWord) + error, false), State::failed) << error;
  }
}

TEST(HoldBack, KnowsTheOtherDialectsPreludes) {
  HoldBack anthropic(1);
  EXPECT_EQ(anthropic.feed(event(R"({"type":"message_start"})", "message_start") + event(R"({"type":"ping"})", "ping") +
                               event(R"({"type":"content_block_start"})", "content_block_start"),
                           false),
            State::holding);
  EXPECT_EQ(
      anthropic.feed(event(R"({"type":"content_block_delta","delta":{"text":"a"}})", "content_block_delta"), false),
      State::released);
  HoldBack responses(1);
  EXPECT_EQ(responses.feed(event(R"({"type":"response.created"})", "response.created"), false), State::holding);
  EXPECT_EQ(responses.feed(event(R"({"type":"response.output_text.delta","delta":"a"})", "response.output_text.delta"),
                           false),
            State::released);
  EXPECT_EQ(HoldBack(1).feed(event(R"({"candidates":[{"content":{"parts":[{"text":"a"}]}}]})"), false),
            State::released);
}

TEST(HoldBack, AStreamThatEndsIsReleasedAndSoIsOneTooLong) {
  EXPECT_EQ(HoldBack(9).feed(event(kWord), true), State::released);
  HoldBack hold(UINT32_MAX);
  const std::string word = event(kWord);
  State state = State::holding;
  for (size_t sent = 0; state == State::holding && sent < 2 * kHeldBytesMax; sent += word.size()) {
    state = hold.feed(word, false);
  }
  EXPECT_EQ(state, State::released);
  EXPECT_LT(hold.bytes().size(), kHeldBytesMax + word.size());
}

}  // namespace
}  // namespace llmgw::gateway
