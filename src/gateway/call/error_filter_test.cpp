#include "gateway/call/error_filter.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "http/event_stream.h"

namespace llmgw::gateway {
namespace {

class ErrorFilterTest : public testing::Test {
 protected:
  ErrorFilterTest() {
    auto upstream = providers::prepare_upstream({.provider = "openai", .api_key = base::Secret("sk-of-the-operator")});
    EXPECT_TRUE(upstream);
    upstream_ = std::move(*upstream);
    secrets_ = secrets_of(upstream_, {}, arena_);
  }

  base::Arena arena_;
  json::Parser parser_;
  providers::Upstream upstream_;
  Secrets secrets_;
};

TEST(MayBeError, ByItsBeginning) {
  for (const std::string_view text :
       {R"({"error":{"message":"no"}})", R"( {"type": "error", "message": "no"})", R"({"object":"error"})",
        R"({"id":"x","error" : "no"})", "<html>", "Bad gateway", "404"}) {
    EXPECT_TRUE(may_be_error(text, false)) << text;
  }
  for (const std::string_view text : {R"({"id":"x","choices":[{"message":{"content":"an \"error\""}}]})",
                                      R"({"id":"x", "error" : null})", "[1]", "", "  "}) {
    EXPECT_FALSE(may_be_error(text, false)) << text;
  }
  EXPECT_TRUE(may_be_error("data: {}", false));
  EXPECT_FALSE(may_be_error("data: {}", true)) << "a stream under a wrong Content-Type";
  EXPECT_TRUE(may_be_error("<html>", true));
}

TEST(MayBeError, WhereverItStandsInTheBeginning) {
  for (size_t before = 0; before < 600; ++before) {
    for (const size_t behind : {0, 1, 14, 15, 16, 17, 40}) {
      const std::string text =
          R"({"arr":")" + std::string(before, 'r') + R"(","error":1)" + std::string(behind, ' ') + "}";
      const bool seen = text.find(R"("error")") + 7 <= kErrorSignBytes;
      ASSERT_EQ(may_be_error(text, false), seen) << before << " " << behind;
      const std::string other = R"({"arr":")" + std::string(before, 'r') + R"(","terror":1})";
      ASSERT_FALSE(may_be_error(other, false)) << before;
    }
  }
}

TEST_F(ErrorFilterTest, OfADocumentHostsGoOnlyIfItIsAnError) {
  EXPECT_EQ(redaction_of(R"({"error":{"message":"no"}})", parser_, arena_), Redaction::everything);
  EXPECT_EQ(redaction_of(R"([{"error":{"message":"no"}}])", parser_, arena_), Redaction::everything);
  EXPECT_EQ(redaction_of(" <html>", parser_, arena_), Redaction::everything);
  EXPECT_EQ(redaction_of(R"({"error":null,"output":[{"type":"error"}]})", parser_, arena_), Redaction::credentials);
  EXPECT_EQ(redaction_of("a transcript", parser_, arena_), Redaction::credentials);
}

TEST_F(ErrorFilterTest, EventsWaitForTheirEnd) {
  const std::string good = "data: {\"choices\":[{\"delta\":{\"content\":\"ask api.openai.com\"}}]}\n\n";
  const std::string error = "event: x\ndata: {\"error\":{\"message\":\"sk-of-the-operator at api.openai.com\"}}\n\n";
  const std::string stream = good + error;
  for (size_t cut = 1; cut < stream.size(); ++cut) {
    ErrorFilter filter(chat::Framing::sse);
    const std::string first(filter.feed(stream.substr(0, cut), false, secrets_, parser_, arena_));
    EXPECT_EQ(first, "");
    EXPECT_TRUE(filter.holds());
    EXPECT_EQ(filter.feed(stream.substr(cut), true, secrets_, parser_, arena_),
              good + "event: x\ndata: {\"error\":{\"message\":\"[redacted] at [redacted]\"}}\n\n");
    EXPECT_FALSE(filter.holds());
  }
}

TEST_F(ErrorFilterTest, ErrorsOfEveryApi) {
  for (const std::string_view data :
       {R"({"type":"error","error":{"type":"x","message":"sk-of-the-operator"}})",
        R"({"type":"error","code":"x","message":"sk-of-the-operator"})",
        R"({"object":"error","message":"sk-of-the-operator"})",
        R"({"type":"response.failed","response":{"error":{"message":"sk-of-the-operator"}}})",
        R"({"type":"message-end","delta":{"error":"sk-of-the-operator"}})", R"({"error":"sk-of-the-operator"})"}) {
    ErrorFilter filter(chat::Framing::sse);
    const std::string whole = "data: " + std::string(data) + "\n\n";
    EXPECT_EQ(filter.feed(whole, true, secrets_, parser_, arena_).find("sk-of"), std::string::npos) << data;
  }
}

TEST_F(ErrorFilterTest, AnEventWithoutEndDoesNotFillTheMemory) {
  ErrorFilter filter(chat::Framing::sse);
  const std::string piece(kErrorEventBytesMax / 2, 'x');
  EXPECT_EQ(filter.feed(piece, false, secrets_, parser_, arena_), "");
  EXPECT_EQ(filter.feed(piece, false, secrets_, parser_, arena_), piece + piece);
}

class MessageFilterTest : public ErrorFilterTest {
 protected:
  static std::string exception(std::string_view message) {
    std::string out;
    http::append_event_stream_exception(out, "validationException", message);
    return out;
  }
};

TEST_F(MessageFilterTest, WritesExceptionsAnew) {
  std::string event;
  http::append_event_stream_event(event, "contentBlockDelta", R"({"delta":{"text":"api.openai.com"}})");
  const std::string tail = event.substr(30);
  const std::string said = exception(R"({"message":"sk-of-the-operator at api.openai.com"})");
  MessageFilter filter;
  EXPECT_EQ(filter.feed(tail + event + said.substr(0, 50), tail.size(), false, secrets_, arena_), "");
  EXPECT_EQ(filter.feed(said.substr(50), std::nullopt, true, secrets_, arena_),
            tail + event + exception(R"({"message":"[redacted] at [redacted]"})"));
}

TEST_F(MessageFilterTest, ByteForByteWhereNothingIsShown) {
  const std::string said = exception(R"({"message":"the model is busy"})");
  MessageFilter filter;
  EXPECT_EQ(filter.feed(said, 0, true, secrets_, arena_), said);
  EXPECT_EQ(filter.feed(said.substr(20), std::nullopt, true, secrets_, arena_), said.substr(20));
  EXPECT_FALSE(filter.feed(exception("sk-of-the-operator").substr(20), std::nullopt, true, secrets_, arena_))
      << "its beginning has gone out: it cannot be mended";
}

}  // namespace
}  // namespace llmgw::gateway
