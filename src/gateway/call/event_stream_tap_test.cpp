#include "gateway/call/event_stream_tap.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/base64.h"

namespace llmgw::gateway {
namespace {

using accounting::UsageScanner;
using Payload = EventStreamTap::Payload;

std::string event(std::string_view type, std::string_view json) {
  std::string out;
  EXPECT_TRUE(http::append_event_stream_event(out, type, json));
  return out;
}

std::string chunk(std::string_view json, const char* member = R"("bytes":)") {
  std::string text(base::base64_size(json.size()), '\0');
  base::base64_encode(json, text.data());
  return event("chunk", R"({"p":"bytes",)" + std::string(member) + "\"" + text + "\"}");
}

struct Seen {
  chat::Usage usage;
  uint64_t text_bytes;
  bool ended;
  bool at_boundary;
};

Seen tap(std::string_view stream, Payload payload, chat::Dialect dialect, size_t step) {
  EventStreamTap tapped(payload);
  UsageScanner usage(dialect, chat::Framing::event_stream);
  accounting::TextScanner text(dialect);
  for (size_t at = 0; at < stream.size(); at += step) {
    tapped.feed(stream.substr(at, step), {.usage = &usage, .text = &text});
  }
  return {usage.usage(), text.bytes(), tapped.ended(), tapped.at_boundary()};
}

TEST(EventStreamTap, ReadsConversesUsageBehindTheStop) {
  const std::string start = event("messageStart", R"({"role":"assistant"})") +
                            event("contentBlockDelta", R"({"delta":{"text":"\"usage\":{\"inputTokens\":9}"}})") +
                            event("messageStop", R"({"stopReason":"end_turn"})");
  const std::string stream = start + event("metadata", R"({"usage":{"inputTokens":7,"outputTokens":3,"totalTokens":10,)"
                                                       R"("cacheReadInputTokens":2},"metrics":{"latencyMs":5}})");
  for (const size_t step : {size_t{1}, size_t{3}, size_t{50}, stream.size()}) {
    const Seen seen = tap(stream, Payload::plain, chat::Dialect::bedrock, step);
    EXPECT_EQ(seen.usage.input, 7U) << step;
    EXPECT_EQ(seen.usage.output, 3U);
    EXPECT_EQ(seen.usage.cache_read, 2U);
    EXPECT_TRUE(seen.ended);
    EXPECT_TRUE(seen.at_boundary);
    const Seen cut = tap(start, Payload::plain, chat::Dialect::bedrock, step);
    EXPECT_FALSE(cut.usage.known());
    EXPECT_EQ(cut.text_bytes, std::string_view(R"("usage":{"inputTokens":9})").size());
    EXPECT_FALSE(cut.ended);
    EXPECT_TRUE(cut.at_boundary);
    EXPECT_FALSE(tap(stream.substr(0, stream.size() - 1), Payload::plain, chat::Dialect::bedrock, step).at_boundary);
  }
}

// Damaged on the way, or an event that is no JSON: known at the end of its frame, and where that began.
TEST(EventStreamTap, KnowsWhatNobodyCanRead) {
  const std::string good = event("messageStart", R"({"role":"assistant"})");
  std::string damaged = event("contentBlockDelta", R"({"delta":{"text":"abc"}})");
  damaged[damaged.find("abc")] = 'z';
  const std::string cut = event("contentBlockDelta", R"({"delta":{"text":"abc)");
  const std::string lengths = std::string("\0\0\0\1\0\0\0\0", 8) + "whatever is this";
  for (const std::string& bad : {damaged, cut, lengths}) {
    for (const size_t step : {size_t{1}, size_t{9}, size_t{10'000}}) {
      const std::string stream = good + good + bad + good;
      EventStreamTap tapped(Payload::plain);
      UsageScanner usage(chat::Dialect::bedrock, chat::Framing::event_stream);
      size_t at = 0;
      for (; at < stream.size() && !tapped.malformed(); at += step) {
        tapped.feed(std::string_view(stream).substr(at, step), {.usage = &usage});
      }
      ASSERT_TRUE(tapped.malformed()) << step;
      if (step < bad.size()) {
        EXPECT_LE(at, stream.size() - good.size() + step);
        if (bad != lengths) EXPECT_FALSE(tapped.bytes_before()) << "its beginning has gone out";
      } else {
        EXPECT_EQ(tapped.bytes_before(), 2 * good.size());
      }
    }
  }
  EventStreamTap chunks(Payload::wrapped);
  UsageScanner usage(chat::Dialect::anthropic, chat::Framing::event_stream);
  chunks.feed(chunk(R"({"type":"ping"})") + chunk(R"({"type":"content_block_delta","delta":{"text":"x)"),
              {.usage = &usage});
  EXPECT_TRUE(chunks.malformed());
  EXPECT_EQ(chunks.bytes_before(), chunk(R"({"type":"ping"})").size());
  // What the service says itself is told by it, whatever it is.
  std::string exception;
  ASSERT_TRUE(http::append_event_stream_exception(exception, "throttlingException", "{"));
  EventStreamTap told(Payload::plain);
  told.feed(exception, {.usage = &usage});
  EXPECT_FALSE(told.malformed());
}

TEST(EventStreamTap, ReadsClaudesUsageOutOfInvokesChunks) {
  const std::string stream =
      chunk(R"({"type":"message_start","message":{"usage":{"input_tokens":11,"output_tokens":1}}})") +
      chunk(R"({"type":"content_block_delta","delta":{"text":")" + std::string(2000, 'x') + R"("}})") +
      chunk(R"({"type":"message_delta","usage":{"output_tokens":42}})", "\"bytes\" : ") +
      chunk(R"({"type":"message_stop"})");
  for (const size_t step : {size_t{1}, size_t{7}, size_t{64}, stream.size()}) {
    const Seen seen = tap(stream, Payload::wrapped, chat::Dialect::anthropic, step);
    EXPECT_EQ(seen.usage.input, 11U) << step;
    EXPECT_EQ(seen.usage.output, 42U);
    EXPECT_TRUE(seen.ended);
  }
}

TEST(EventStreamTap, AnExceptionEndsAStream) {
  std::string stream = event("messageStart", R"({"role":"assistant"})");
  ASSERT_TRUE(http::append_event_stream_exception(stream, "throttlingException", R"({"message":"slow"})"));
  EXPECT_TRUE(tap(stream, Payload::plain, chat::Dialect::bedrock, 10).ended);
}

TEST(EventStreamTap, WhatIsNoEventStreamHasNoBoundary) {
  EXPECT_FALSE(tap("<html>not an event stream</html>", Payload::plain, chat::Dialect::bedrock, 5).at_boundary);
}

struct ContentRow {
  const char* what;
  Payload payload;
  std::string prelude;
  std::string content;
};

std::vector<ContentRow> content_rows() {
  std::string exception;
  EXPECT_TRUE(http::append_event_stream_exception(exception, "throttlingException", R"({"message":"slow"})"));
  const std::string start = event("messageStart", R"({"role":"assistant"})");
  const std::string text = event("contentBlockDelta", R"({"delta":{"text":"a"}})");
  const std::string claude = chunk(R"({"type":"message_start","message":{}})") +
                             chunk(R"({"type": "ping"})", "\"bytes\" : ") +
                             chunk(R"({"type":"content_block_start","content_block":{"text":"content_block_delta"}})");
  return {
      {"Converse", Payload::plain, start, text},
      {"a tool", Payload::plain, start + event("contentBlockStart", R"({"start":{"toolUse":{"name":"f"}}})"), text},
      {"nothing but an end", Payload::plain, start, event("messageStop", R"({"stopReason":"end_turn"})")},
      {"an exception", Payload::plain, start, exception},
      {"Claude", Payload::wrapped, claude, chunk(R"({"type":"content_block_delta","delta":{"text":"a"}})")},
      {"Nova", Payload::wrapped, chunk(R"({"messageStart":{"role":"assistant"}})"),
       chunk(R"({"contentBlockDelta":{"delta":{"text":"a"}}})")},
      {"a model nobody knows", Payload::wrapped, "", chunk(R"({"generation":"a","type":"message_start"})")},
      {"an exception instead of a chunk", Payload::wrapped, claude, exception},
      {"a name without an end", Payload::wrapped, claude, chunk(R"({"type":")" + std::string(500, 'p') + "\"}")},
  };
}

TEST(EventStreamTap, ContentIsNotTheFirstFrameWhereverTheBytesAreCut) {
  for (const ContentRow& row : content_rows()) {
    const std::string stream = row.prelude + row.content;
    for (size_t cut = 0; cut < stream.size(); ++cut) {
      EventStreamTap tapped(row.payload);
      tapped.feed(std::string_view(stream).substr(0, cut), {});
      if (cut <= row.prelude.size()) EXPECT_FALSE(tapped.content()) << row.what << " cut at " << cut;
      tapped.feed(std::string_view(stream).substr(cut), {});
      EXPECT_TRUE(tapped.content()) << row.what << " cut at " << cut;
      tapped.feed(row.prelude, {});
      EXPECT_TRUE(tapped.content()) << row.what << ": it stays so";
    }
    EventStreamTap by_bytes(row.payload);
    for (const char& byte : row.prelude) by_bytes.feed({&byte, 1}, {});
    EXPECT_FALSE(by_bytes.content()) << row.what;
  }
}

TEST(EventStreamTap, AnEventWithoutANameSaysSomethingOnceTheNextBegins) {
  for (const std::string_view json : {"{}", "", R"({"type":7})"}) {
    EventStreamTap tapped(Payload::wrapped);
    tapped.feed(chunk(json), {});
    EXPECT_FALSE(tapped.content()) << json;
    tapped.feed(chunk(R"({"type":"ping"})"), {});
    EXPECT_TRUE(tapped.content()) << json;
  }
}

TEST(EventStreamTap, WhatIsNoEventStreamIsTakenForContent) {
  EventStreamTap tapped(Payload::plain);
  tapped.feed("<html>not an event stream</html>", {});
  EXPECT_TRUE(tapped.content());
}

TEST(UnwrapChunk, WhateverStandsAroundIt) {
  const auto unwrapped = [](std::string_view payload) {
    std::string out = "+";
    return unwrap_chunk(payload, out) ? out : "none";
  };
  EXPECT_EQ(unwrapped(R"({"bytes":"YWI="})"), "+ab");
  EXPECT_EQ(unwrapped(R"({"p":"bytes","bytes" : "YWI=","q":"x"})"), "+ab");
  EXPECT_EQ(unwrapped(R"({"bytes":""})"), "+");
  for (const char* const none :
       {"", "{}", R"({"bytes"})", R"({"bytes":"YWI=)", R"({"bytes":"?"})", R"({"p":"bytes"})"}) {
    EXPECT_EQ(unwrapped(none), "none") << none;
  }
}

}  // namespace
}  // namespace llmgw::gateway
