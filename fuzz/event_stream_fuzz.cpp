// links: http
// The reader of AWS event streams gives the same messages and the same error however the bytes are cut; the walker sees
// the same payloads; a message written is read again. The first byte of the input is the length of the pieces.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "http/event_stream.h"

namespace llmgw::http {
namespace {

struct Stream {
  std::vector<std::string> payloads;
  std::vector<std::string> types;
  bool failed = false;
  bool between = true;
  bool operator==(const Stream&) const = default;
};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

Stream read(std::string_view bytes, size_t step) {
  EventStreamReader reader;
  Stream out;
  for (size_t at = 0; at < bytes.size() && !out.failed; at += step) {
    const std::string part(bytes.substr(at, step));
    std::string_view left = part;
    while (!left.empty() && !out.failed) {
      const size_t before = left.size();
      const auto message = reader.next(left);
      out.failed = !message.has_value();
      require(out.failed || left.size() < before, "a call takes something");
      if (out.failed || !*message) continue;
      out.payloads.emplace_back((*message)->payload);
      out.types.emplace_back((*message)->text(":event-type"));
      for (const auto& header : (*message)->headers) (void)header.number();
    }
  }
  out.between = out.failed || reader.between_messages();
  return out;
}

Stream walk(std::string_view bytes, size_t step) {
  EventStreamWalker walker;
  Stream out;
  for (size_t at = 0; at < bytes.size(); at += step) {
    const std::string part(bytes.substr(at, step));
    std::string_view left = part;
    while (const auto seen = walker.next(left)) {
      if (seen->starts) {
        out.payloads.emplace_back();
        out.types.emplace_back(walker.event_type());
      }
      out.payloads.back().append(seen->payload);
    }
  }
  out.failed = walker.broken();
  out.between = walker.between_messages();
  return out;
}

void check(std::string_view bytes, size_t step) {
  const Stream whole = read(bytes, bytes.size());
  require(read(bytes, step) == whole, "splits agree");
  require(walk(bytes, step) == walk(bytes, bytes.size()), "splits agree for the walker");
  if (!whole.failed && whole.between) {
    const Stream walked = walk(bytes, step);
    require(walked.payloads == whole.payloads && walked.between, "the walker sees what the reader reads");
  }
  std::string message;
  const std::string_view type = bytes.substr(0, bytes.size() / 4);
  require(append_event_stream_event(message, type, bytes), "an event can be written");
  const Stream again = read(message, step);
  require(again.payloads.size() == 1 && again.payloads[0] == bytes && again.types[0] == type, "and read again");
}

}  // namespace
}  // namespace llmgw::http

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  if (size < 2 || size > 60'000) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  llmgw::http::check(bytes, std::max<size_t>(1, data[0] % 64));
  return 0;
}
