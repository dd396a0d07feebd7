// Every recorded event stream of the providers, where the machine has some, cut in two wherever it may be: whatever
// looks into a stream that passes through sees the same. The bytes themselves: tests/e2e/recorded_test.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "accounting/usage_scanner.h"
#include "dialects/codec_test_support.h"
#include "gateway/call/event_stream_tap.h"
#include "gateway/call/stream_ending.h"
#include "gateway/failover/first_content.h"
#include "gateway/failover/hold_back.h"
#include "http/sse.h"

namespace llmgw::gateway {
namespace {

using dialects::testing_support::Case;
using dialects::testing_support::recorded_cases;

// LLMGW_EVERY_CUT=1 cuts at every byte of everything: many minutes with sanitizers. Without it that is done to the
// first and last events of a stream, where all kinds of them stand; further ones (which are alike), and the middle of a
// long event (a picture, a page of search results), are cut at steps that meet every offset within the scanner's 64
// bytes.
constexpr size_t kFirstEvents = 8;
constexpr size_t kLastEvents = 4;
constexpr size_t kWholeEventBytesMax = 768;
constexpr size_t kEndBytes = 80;
constexpr size_t kStep = 61;

struct Way {
  const char* collection;  // its word for the dialect
  chat::Dialect dialect;
};
constexpr Way kWays[] = {
    {"openai_chat", chat::Dialect::openai_chat},
    {"openai_responses", chat::Dialect::openai_responses},
    {"anthropic_messages", chat::Dialect::anthropic},
    {"gemini", chat::Dialect::gemini},
};

std::vector<Case> recorded_streams(const Way& way) {
  std::vector<Case> cases = recorded_cases(way.collection);
  std::erase_if(cases, [](const Case& one) {
    return one.status != 200 || !(one.response.starts_with("data:") || one.response.starts_with("event:"));
  });
  return cases;
}

// Where events end: behind each blank line, and where the stream does.
std::vector<size_t> event_ends(std::string_view stream) {
  std::vector<size_t> ends;
  for (size_t at = 0; at < stream.size();) {
    const size_t feed = std::min(stream.find("\n\n", at), stream.size());
    const size_t crlf = std::min(stream.find("\r\n\r\n", at), stream.size());
    at = std::min({feed + 2, crlf + 4, stream.size()});
    ends.push_back(at);
  }
  return ends;
}

// All that looks at a stream's bytes.
class Watchers {
 public:
  explicit Watchers(chat::Dialect dialect)
      : text_(dialect), ending_(dialect, chat::Framing::sse, true, parser()), usage_(dialect, chat::Framing::sse) {}

  void feed(std::string_view bytes) {
    text_.feed(bytes);
    ending_.feed(bytes, false, &text_);
    text_.forget_error();
    last_.add(bytes);
    usage_.feed(bytes);
    for (;;) {
      const auto event = reader_.next(bytes);
      ASSERT_TRUE(event.has_value());
      if (!event->has_value()) return;
      events_.append((*event)->event)
          .append("\n")
          .append((*event)->data)
          .append("\n")
          .append((*event)->id)
          .append("\n");
    }
  }
  void forget_events() { events_.clear(); }
  std::optional<chat::ErrorKind> failure() const { return ending_.failure(); }
  chat::Usage usage() const { return usage_.usage(); }

  friend bool operator==(const Watchers& a, const Watchers& b) {
    return a.events_ == b.events_ && a.ending_.failure() == b.ending_.failure() &&
           a.ending_.said_end() == b.ending_.said_end() && a.ending_.at_boundary() == b.ending_.at_boundary() &&
           a.last_.between_events() == b.last_.between_events() && a.usage_.seen() == b.usage_.seen() &&
           a.usage_.usage() == b.usage_.usage() && a.usage_.media() == b.usage_.media();
  }

 private:
  static json::Parser& parser() {
    static json::Parser parser;
    return parser;
  }

  http::SseReader reader_;
  http::SseBoundary last_;
  accounting::TextScanner text_;
  StreamEnding ending_;
  accounting::UsageScanner usage_;
  std::string events_;
};

bool every_cut() {
  static const bool every = std::getenv("LLMGW_EVERY_CUT") != nullptr;
  return every;
}

std::vector<size_t> cuts(size_t begin, size_t end, bool further) {
  std::vector<size_t> all;
  const bool whole = every_cut() || (!further && end - begin <= kWholeEventBytesMax);
  for (size_t at = begin + 1; at <= end;) {
    all.push_back(at);
    const bool at_an_end = !further && (at - begin < kEndBytes || end - at <= kEndBytes);
    at += whole || at_an_end ? 1 : kStep;
  }
  return all;
}

// Each event cut in two, together with the one behind it, which must not be read otherwise for that.
void check_every_cut(std::string_view stream, chat::Dialect dialect) {
  const std::vector<size_t> ends = event_ends(stream);
  Watchers before(dialect);
  for (size_t i = 0, begin = 0; i < ends.size(); begin = ends[i++]) {
    const size_t next = ends[std::min(i + 1, ends.size() - 1)];
    Watchers whole = before;
    whole.feed(stream.substr(begin, next - begin));
    const bool further = i >= kFirstEvents && i + kLastEvents < ends.size();
    for (const size_t at : cuts(begin, ends[i], further)) {
      Watchers cut = before;
      cut.feed(stream.substr(begin, at - begin));
      cut.feed(stream.substr(at, next - at));
      ASSERT_TRUE(cut == whole) << "cut at byte " << at;
    }
    before.feed(stream.substr(begin, ends[i] - begin));
    before.forget_events();
  }
  Watchers at_once(dialect);
  at_once.feed(stream);
  Watchers by_bytes(dialect);
  for (const char& byte : stream) by_bytes.feed({&byte, 1});
  EXPECT_TRUE(at_once == by_bytes);
  at_once.forget_events();
  EXPECT_TRUE(at_once == before);
}

TEST(RecordedStreams, AreReadTheSameWhereverTheyAreCut) {
  size_t streams = 0, ended = 0, counted = 0;
  for (const Way& way : kWays) {
    for (const Case& one : recorded_streams(way)) {
      SCOPED_TRACE(one.id);
      ASSERT_NO_FATAL_FAILURE(check_every_cut(one.response, way.dialect));
      Watchers all(way.dialect);
      all.feed(one.response);
      ++streams;
      ended += all.failure() ? 0 : 1;
      counted += all.usage().known() ? 1 : 0;
    }
  }
  if (streams == 0) GTEST_SKIP() << "no recorded traffic: set LLMGW_CASES";
  // That there was something to see: nearly all end as their API says and report their tokens.
  EXPECT_GT(ended * 10, streams * 9) << ended << " of " << streams;
  EXPECT_GT(counted * 10, streams * 8) << counted << " of " << streams;
}

// What is kept back of a stream's beginning is let go at the same event.
TEST(RecordedStreams, AreBelievedAtTheSameEventWhereverTheyAreCut) {
  json::Parser parser;
  size_t streams = 0, released = 0;
  for (const Way& way : kWays) {
    for (const Case& one : recorded_streams(way)) {
      SCOPED_TRACE(one.id);
      const std::vector<size_t> ends = event_ends(one.response);
      const HoldBack::Answer answer{.asked = {.operation = Operation::chat, .dialect = way.dialect, .stream = true},
                                    .framing = chat::Framing::sse};
      HoldBack by_events(1, answer, parser);
      HoldBack::State state = HoldBack::State::holding;
      size_t begin = 0, event = 0;
      for (; event < ends.size() && state == HoldBack::State::holding; begin = ends[event++]) {
        state = by_events.feed(std::string_view(one.response).substr(begin, ends[event] - begin), false);
      }
      const std::string_view head = std::string_view(one.response).substr(0, begin);
      for (size_t at = 1; at < std::min(head.size(), kWholeEventBytesMax); ++at) {
        HoldBack cut(1, answer, parser);
        // Before the last event's blank line nothing is decided; its CR already ends it.
        HoldBack::State seen = cut.feed(head.substr(0, at), false);
        const bool undecided = seen == HoldBack::State::holding;
        ASSERT_TRUE(undecided || (at + 1 == head.size() && head[at - 1] == '\r')) << "cut at byte " << at;
        if (undecided) seen = cut.feed(head.substr(at), false);
        ASSERT_EQ(seen, state) << "cut at byte " << at;
        ASSERT_EQ(cut.bytes(), head.substr(0, undecided ? head.size() : at));
        FirstContent content;
        const bool early = content.feed(head.substr(0, at));
        ASSERT_FALSE(early && undecided) << "cut at byte " << at;
        if (state == HoldBack::State::released) ASSERT_EQ(content.feed(head.substr(at)), by_events.any_content());
      }
      ++streams;
      released += state == HoldBack::State::released ? 1 : 0;
    }
  }
  if (streams == 0) GTEST_SKIP() << "no recorded traffic: set LLMGW_CASES";
  EXPECT_GT(released * 10, streams * 9) << released << " of " << streams;
}

// Bedrock's frames: where a frame says something for the first time, by what the reader that checks everything makes of
// it, and nowhere before, however the frames are cut.
TEST(RecordedStreams, OfBedrockBeginToSpeakAtTheSameFrameWhereverTheyAreCut) {
  using Payload = EventStreamTap::Payload;
  struct Api {
    const char* collection;
    Payload payload;
  };
  size_t streams = 0, with_prelude = 0;
  for (const Api& api : {Api{"bedrock_converse", Payload::plain}, Api{"bedrock_invoke", Payload::wrapped}}) {
    for (const Case& one : recorded_cases(api.collection)) {
      if (one.status != 200 || !one.streaming) continue;
      SCOPED_TRACE(one.id);
      const std::string_view stream = one.response;
      http::EventStreamReader reader;
      std::string_view rest = stream;
      std::string inside;
      size_t silent = 0, spoken = 0;  // where the frames before the first content end, and where it ends
      while (spoken == 0) {
        auto next = reader.next(rest);
        ASSERT_TRUE(next.has_value());
        if (!next->has_value()) break;
        inside.clear();
        const bool chunk = unwrap_chunk((*next)->payload, inside);
        ASSERT_EQ(chunk, api.payload == Payload::wrapped);
        const bool announces = inside.find("\"message_start\"") != std::string::npos ||
                               inside.find("\"content_block_start\"") != std::string::npos ||
                               (*next)->text(":event-type") == "messageStart" ||
                               (*next)->text(":event-type") == "contentBlockStart";
        (announces ? silent : spoken) = stream.size() - rest.size();
      }
      ASSERT_GT(spoken, silent);
      ++streams;
      with_prelude += silent > 0 ? 1 : 0;
      for (size_t cut = 1; cut < spoken; ++cut) {
        EventStreamTap tap(api.payload);
        tap.feed(stream.substr(0, cut), {});
        if (cut <= silent) ASSERT_FALSE(tap.content()) << "cut at byte " << cut;
        tap.feed(stream.substr(cut, spoken - cut), {});
        ASSERT_TRUE(tap.content()) << "cut at byte " << cut;
      }
    }
  }
  if (streams == 0) GTEST_SKIP() << "no recorded traffic: set LLMGW_CASES";
  EXPECT_GT(with_prelude * 10, streams * 8) << with_prelude << " of " << streams;
}

}  // namespace
}  // namespace llmgw::gateway
