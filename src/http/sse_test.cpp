#include "http/sse.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace llmgw::http {
namespace {

struct Seen {
  std::string event;
  std::string data;
  std::string id;
  std::optional<uint64_t> retry_ms;
  bool operator==(const Seen&) const = default;
};

void PrintTo(const Seen& seen, std::ostream* out) {
  *out << "{" << seen.event << "|" << seen.data << "|" << seen.id << "|" << (seen.retry_ms ? *seen.retry_ms : 0) << "}";
}

Seen copy(const SseEvent& event) {
  return {std::string(event.event), std::string(event.data), std::string(event.id), event.retry_ms};
}

std::vector<Seen> read(SseReader& reader, std::string_view bytes, size_t step) {
  std::vector<Seen> events;
  for (size_t at = 0; at < bytes.size(); at += step) {
    const std::string part(bytes.substr(at, step));
    std::string_view left = part;
    while (!left.empty()) {
      const auto event = reader.next(left);
      EXPECT_TRUE(event.has_value());
      if (!event) return events;
      if (*event) events.push_back(copy(**event));
    }
  }
  return events;
}

TEST(SseReader, ReadsTheStandardAtEverySplit) {
  using namespace std::string_view_literals;
  struct Row {
    std::string_view what;
    std::string_view bytes;
    std::vector<Seen> events;
  };
  const Row rows[] = {
      {"one event", "data: {\"a\":1}\n\n", {{"", "{\"a\":1}", "", {}}}},
      {"named", "event: ping\ndata: x\n\n", {{"ping", "x", "", {}}}},
      {"CR LF", "event: ping\r\ndata: x\r\n\r\ndata: y\r\n\r\n", {{"ping", "x", "", {}}, {"", "y", "", {}}}},
      {"CR", "event: ping\rdata: x\r\rdata: y\r\r", {{"ping", "x", "", {}}, {"", "y", "", {}}}},
      {"mixed ends",
       "data: x\r\n\ndata: y\n\r\ndata: z\r\r\ndata: w\n\r",
       {{"", "x", "", {}}, {"", "y", "", {}}, {"", "z", "", {}}, {"", "w", "", {}}}},
      {"several data lines", "data: a\ndata: b\ndata:\ndata:  c\n\n", {{"", "a\nb\n\n c", "", {}}}},
      {"several data lines, CR LF", "data: a\r\ndata: b\r\n\r\n", {{"", "a\nb", "", {}}}},
      {"an error of Google's, bare",
       "data: a\n\n{\n \"error\": {}\n}\n\nx: {\n\n",
       {{"", "a", "", {}}, {"", "{\n \"error\": {}\n}", "", {}}}},
      {"no space", "data:x\n\n", {{"", "x", "", {}}}},
      {"one space only", "data:  x\n\n", {{"", " x", "", {}}}},
      {"tab stays", "data:\tx\n\n", {{"", "\tx", "", {}}}},
      {"colons in the data", "data: a: b:c\n\n", {{"", "a: b:c", "", {}}}},
      {"data without a colon", "data\n\n", {{"", "", "", {}}}},
      {"empty data", "data:\n\n", {{"", "", "", {}}}},
      {"two empty data lines", "data\ndata\n\n", {{"", "\n", "", {}}}},
      {"comments", ": hello\n\n:\n\n:x\ndata: y\n:z\n\n", {{"", "y", "", {}}}},
      {"event without data", "event: a\n\ndata: b\n\n", {{"", "b", "", {}}}},
      {"last event name wins", "event: a\nevent: b\ndata: c\n\n", {{"b", "c", "", {}}}},
      {"id stays",
       "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
       {{"", "a", "1", {}}, {"", "b", "1", {}}, {"", "c", "", {}}}},
      {"id without data", "id: 7\n\ndata: b\n\n", {{"", "b", "7", {}}}},
      {"id with NUL", "id: 1\0\ndata: a\n\n"sv, {{"", "a", "", {}}}},
      {"retry", "retry: 2500\n\ndata: a\n\ndata: b\n\n", {{"", "a", "", 2500}, {"", "b", "", {}}}},
      {"retry not a number", "retry: 2s\nretry:\nretry: -1\ndata: a\n\n", {{"", "a", "", {}}}},
      {"unknown fields", "foo: bar\nDATA: no\n data: no\ndata : no\ndata: a\n\n", {{"", "a", "", {}}}},
      {"byte order mark",
       "\xef\xbb\xbf"
       "data: a\n\n\xef\xbb\xbf"
       "data: b\n\n",
       {{"", "a", "", {}}}},
      {"byte order mark and a blank line", "\xef\xbb\xbf\ndata: a\n\n", {{"", "a", "", {}}}},
      {"many blank lines", "\n\n\n\ndata: a\n\n\n\n\ndata: b\n\n\r\r\n\n", {{"", "a", "", {}}, {"", "b", "", {}}}},
      {"not finished", "data: a\n\ndata: b\n", {{"", "a", "", {}}}},
      {"not UTF-8", "data: \xff\xfe\n\n", {{"", "\xff\xfe", "", {}}}},
      {"longer than a vector register",
       "event: content_block_delta\ndata: 0123456789012345678901234567890123456789\n\n",
       {{"content_block_delta", "0123456789012345678901234567890123456789", "", {}}}},
      {"done", "data: [DONE]\n\n", {{"", "[DONE]", "", {}}}},
  };
  for (const Row& row : rows) {
    for (size_t step = 1; step <= row.bytes.size(); ++step) {
      SseReader reader;
      EXPECT_EQ(read(reader, row.bytes, step), row.events) << row.what << " in steps of " << step;
    }
  }
}

TEST(SseReader, DoesNotCopyAnEventThatLiesWhole) {
  SseReader reader;
  const std::string bytes = "event: a\ndata: hello\n\ndata: rest";
  std::string_view left = bytes;
  const auto event = reader.next(left);
  ASSERT_TRUE(event.has_value() && event->has_value());
  EXPECT_EQ((**event).data.data(), bytes.data() + 15);
  EXPECT_EQ((**event).event.data(), bytes.data() + 7);
  EXPECT_EQ(left, "data: rest");
}

TEST(SseReader, ViewsHoldUntilTheNextCall) {
  SseReader reader;
  std::string_view first = "data: a\nda";
  ASSERT_TRUE(reader.next(first).has_value());
  std::string_view second = "ta: b\n\ndata: c\n\n";
  const auto joined = reader.next(second);
  ASSERT_TRUE(joined.has_value() && joined->has_value());
  EXPECT_EQ((**joined).data, "a\nb");
  const auto whole = reader.next(second);
  ASSERT_TRUE(whole.has_value() && whole->has_value());
  EXPECT_EQ((**whole).data, "c");
}

TEST(SseReader, FlushesWhatTheEndLeft) {
  struct Row {
    std::string_view bytes;
    std::optional<std::string_view> data;
    bool unterminated;
    bool inside_line;
  };
  constexpr Row kRows[] = {
      {"", {}, false, false},
      {"data: a\n\n", {}, false, false},
      {"data: a\r\n\r\n", {}, false, false},
      {"data: a\n\ndata: b\n", "b", true, false},
      {"data: a\n\ndata: b\r", "b", true, false},
      {"data: a\n\ndata: b", "b", true, true},
      {"data: b\ndata: c", "b\nc", true, true},
      {"data: a\n\nevent: b\n", {}, true, false},
      {"data: a\n\n: comment", {}, true, true},
      {"\xef\xbb\xbf"
       "data: a",
       "a", true, true},
  };
  for (const Row& row : kRows) {
    for (size_t step = 1; step <= row.bytes.size() + 1; ++step) {
      SseReader reader;
      read(reader, row.bytes, step);
      const SseReader::Tail tail = reader.finish();
      EXPECT_EQ(tail.unterminated, row.unterminated) << row.bytes;
      EXPECT_EQ(tail.inside_line, row.inside_line) << row.bytes;
      ASSERT_EQ(tail.event.has_value(), row.data.has_value()) << row.bytes;
      if (tail.event) EXPECT_EQ(tail.event->data, *row.data);
      const SseReader::Tail again = reader.finish();
      EXPECT_FALSE(again.unterminated) << "the rest is handed out once";
    }
  }
}

TEST(SseReader, KeepsItsLimitAtEverySplit) {
  const std::string_view good = "data: 0123\n\n";
  const std::string_view bad = "data: 01234\n\ndata: x\n\n";
  for (size_t step = 1; step <= bad.size(); ++step) {
    SseReader reader(good.size());
    EXPECT_EQ(read(reader, good, step).size(), 1u);
    size_t events = 0;
    std::optional<base::ErrorCode> error;
    for (size_t at = 0; at < bad.size(); at += step) {
      std::string_view left = bad.substr(at, step);
      while (!left.empty() && !error) {
        const auto event = reader.next(left);
        if (!event) error = event.error().code;
        if (event && *event) ++events;
      }
    }
    EXPECT_EQ(error, base::ErrorCode::too_large) << step;
    EXPECT_EQ(events, 0u) << step;
    std::string_view more = good;
    EXPECT_FALSE(reader.next(more).has_value()) << "the error must stay";
  }
}

TEST(SseBoundary, KnowsTheEndOfAnEventAtEverySplit) {
  struct Row {
    std::string_view bytes;
    bool between_events;
    bool between_lines;
  };
  constexpr Row kRows[] = {
      {"", true, true},
      {"data: a", false, false},
      {"data: a\n", false, true},
      {"data: a\n\n", true, true},
      {"data: a\r\n", false, true},
      {"data: a\r\n\r\n", true, true},
      {"data: a\r", false, true},
      {"data: a\r\r", true, true},
      {"data: a\r\n\n", true, true},
      {"data: a\n\r\n", true, true},
      {"data: a\n\r", true, true},
      {"data: a\r\n\r", true, true},
      {"\n", true, true},
      {"\r\n", true, true},
      {"\n\n\ndata", false, false},
      {"data: a\n\nx\n", false, true},
  };
  for (const Row& row : kRows) {
    for (size_t step = 1; step <= row.bytes.size() + 1; ++step) {
      SseBoundary boundary;
      for (size_t at = 0; at < row.bytes.size(); at += step) {
        boundary.add(row.bytes.substr(at, step));
        boundary.add("");
      }
      EXPECT_EQ(boundary.between_events(), row.between_events) << row.bytes << " in steps of " << step;
      EXPECT_EQ(boundary.between_lines(), row.between_lines) << row.bytes << " in steps of " << step;
    }
  }
}

TEST(SseWriter, WhatItWritesTheReaderReads) {
  struct Row {
    std::string_view event;
    std::string_view data;
    std::string_view bytes;
  };
  constexpr Row kRows[] = {
      {"", "x", "data: x\n\n"},   {"error", "{\"a\":1}", "event: error\ndata: {\"a\":1}\n\n"}, {"", "", "data: \n\n"},
      {"", " x", "data:  x\n\n"}, {"", "{\n  \"a\": 1\r\n}\r", "data: {   \"a\": 1  } \n\n"},
  };
  for (const Row& row : kRows) {
    std::string out;
    ASSERT_TRUE(append_event(out, row.event, row.data));
    EXPECT_EQ(out, row.bytes);
    SseReader reader;
    const std::vector<Seen> events = read(reader, out, out.size());
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].event, row.event);
    SseBoundary boundary;
    boundary.add(out);
    EXPECT_TRUE(boundary.between_events());
  }
}

TEST(SseWriter, RefusesAnEventNameThatWouldEndItsLine) {
  using namespace std::string_view_literals;
  std::string out = "before";
  EXPECT_FALSE(append_event(out, "a\ndata: b", "x"));
  EXPECT_FALSE(append_event(out, "a\r", "x"));
  EXPECT_FALSE(append_event(out, "a\0"sv, "x"));
  EXPECT_EQ(out, "before");
  append_comment(out, "keep\nalive\r");
  EXPECT_EQ(out, "before: keep alive \n\n");
}

}  // namespace
}  // namespace llmgw::http
