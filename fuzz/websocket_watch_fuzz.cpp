// links: http
// However the frames of a WebSocket are cut, the same is seen: and seen where a reader of whole frames sees it. The
// first byte of the input is the length of the pieces.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "http/websocket_watch.h"

namespace llmgw::http {
namespace {

// A reader of all of it at once, straight from RFC 6455, section 5.2.
bool closes(std::string_view bytes) {
  const auto at = [&bytes](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  while (bytes.size() >= 2) {
    const bool close = (at(0) & 15) == 8;
    const size_t mask = (at(1) & 128) != 0 ? 4 : 0;
    uint64_t length = at(1) & 127;
    size_t head = 2;
    if (length >= 126) {
      const size_t wide = length == 126 ? 2 : 8;
      if (bytes.size() < head + wide) return false;
      length = 0;
      for (size_t i = 0; i < wide; ++i) length = length * 256 + at(head + i);
      head += wide;
    }
    head += mask;
    if (bytes.size() < head || bytes.size() - head < length) return false;
    if (close) return true;
    bytes.remove_prefix(head + length);
  }
  return false;
}

}  // namespace
}  // namespace llmgw::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t step = size_t{data[0]} + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  llmgw::http::WebSocketWatch watch;
  for (size_t i = 0; i < bytes.size(); i += step) watch.feed(bytes.substr(i, step));
  if (watch.closed() == llmgw::http::closes(bytes)) return 0;
  std::fprintf(stderr, "broken: a Close frame is seen where there is none, or the other way round\n");
  std::abort();
}
