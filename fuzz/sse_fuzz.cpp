// links: http
// The event reader gives the same events, tail and error however the bytes are cut; an event written reads the same;
// the boundary tracker says "between events" only where appending an event leaves those before it as they are.
// The first byte of the input is the length of the pieces.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "http/sse.h"

namespace llmgw::http {
namespace {

struct Seen {
  std::string event;
  std::string data;
  std::string id;
  std::optional<uint64_t> retry_ms;
  bool operator==(const Seen&) const = default;
};

struct Stream {
  std::vector<Seen> events;
  std::optional<Seen> tail;
  bool unterminated = false;
  bool inside_line = false;
  bool too_large = false;
  bool between_events = false;
  bool between_lines = false;
  bool operator==(const Stream&) const = default;
};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

Seen copy(const SseEvent& event) {
  return {std::string(event.event), std::string(event.data), std::string(event.id), event.retry_ms};
}

Stream read(std::string_view bytes, size_t step) {
  constexpr size_t kEventBytesMax = 512;  // small, or no input would reach it
  SseReader reader(kEventBytesMax);
  SseBoundary boundary;
  Stream out;
  for (size_t at = 0; at < bytes.size() && !out.too_large; at += step) {
    const std::string part(bytes.substr(at, step));
    boundary.add(part);
    std::string_view left = part;
    while (!left.empty() && !out.too_large) {
      const size_t before = left.size();
      const auto event = reader.next(left);
      out.too_large = !event.has_value();
      if (event && *event) out.events.push_back(copy(**event));
      require(out.too_large || left.size() < before, "a call takes something");
      require(out.too_large || *event || left.empty(), "no event means that all bytes are used up");
    }
  }
  out.between_events = boundary.between_events();
  out.between_lines = boundary.between_lines();
  if (out.too_large) return out;
  const SseReader::Tail tail = reader.finish();
  if (tail.event) out.tail = copy(*tail.event);
  out.unterminated = tail.unterminated;
  out.inside_line = tail.inside_line;
  return out;
}

void check(std::string_view bytes, size_t step) {
  const Stream whole = read(bytes, bytes.size());
  const Stream split = read(bytes, step);
  require(split.events == whole.events, "splits agree on the events");
  require(split.too_large == whole.too_large, "splits agree on the limit");
  if (whole.too_large) return;
  require(split == whole, "splits agree on the tail");
  require(whole.between_events != whole.unterminated, "boundary and reader agree");
  require(whole.between_lines != whole.inside_line, "line ends agree");
  std::string more(bytes);
  require(append_event(more, "error", "cut\nhere"), "an event can be written");
  if (!whole.between_events) return;
  const Stream after = read(more, step);
  require(after.events.size() == whole.events.size() + 1 && !after.unterminated, "one event more");
  require(after.events.back().event == "error" && after.events.back().data == "cut here",
          "the event written is read, on one line");
  require(std::equal(whole.events.begin(), whole.events.end(), after.events.begin()), "and the others stay");
}

}  // namespace
}  // namespace llmgw::http

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  llmgw::http::check(bytes, std::max<size_t>(1, data[0] % 32));
  return 0;
}
