#include "http/websocket_watch.h"

#include <algorithm>

namespace llmgw::http {
namespace {

// RFC 6455, section 5.2.
constexpr uint8_t kOpcode = 0x0f;
constexpr uint8_t kClose = 0x08;
constexpr uint8_t kMasked = 0x80;
constexpr uint8_t kLength = 0x7f;
constexpr uint8_t kLengthIn2Bytes = 126;
constexpr uint8_t kLengthIn8Bytes = 127;
constexpr size_t kMaskBytes = 4;

size_t length_bytes(uint8_t second) {
  if ((second & kLength) == kLengthIn8Bytes) return 8;
  return (second & kLength) == kLengthIn2Bytes ? 2 : 0;
}

size_t head_bytes(uint8_t second) {
  return 2 + length_bytes(second) + ((second & kMasked) != 0 ? kMaskBytes : 0);
}

}  // namespace

void WebSocketWatch::feed(std::string_view bytes) {
  while (!bytes.empty() && !closed_) {
    if (skip_ > 0) {
      const auto skipped = static_cast<size_t>(std::min<uint64_t>(skip_, bytes.size()));
      skip_ -= skipped;
      bytes.remove_prefix(skipped);
      closed_ = closing_ && skip_ == 0;
      continue;
    }
    head_[have_++] = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    if (have_ < 2 || have_ < head_bytes(head_[1])) continue;
    have_ = 0;
    closing_ = (head_[0] & kOpcode) == kClose;
    const size_t wide = length_bytes(head_[1]);
    if (wide == 0) skip_ = head_[1] & kLength;
    for (size_t i = 0; i < wide; ++i) skip_ = skip_ << 8 | head_[2 + i];
    closed_ = closing_ && skip_ == 0;
  }
}

}  // namespace llmgw::http
