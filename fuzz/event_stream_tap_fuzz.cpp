// links: gateway
// What is seen of an event stream that passes through does not depend on how its bytes are cut; and of Converse's, no
// message that says something, as the reader that checks everything has it, is missed. The first byte of the input is
// the length of the pieces and, by its highest bit, whether the payloads are InvokeModel's.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/call/event_stream_tap.h"

namespace {

using llmgw::accounting::TextScanner;
using llmgw::accounting::UsageScanner;
using llmgw::chat::Dialect;
using llmgw::chat::Framing;
using llmgw::gateway::EventStreamTap;
using Payload = EventStreamTap::Payload;

struct Seen {
  llmgw::chat::Usage usage;
  uint64_t text_bytes = 0;
  bool content = false;
  bool ended = false;
  bool at_boundary = false;
  bool operator==(const Seen&) const = default;
};

Seen tap(std::string_view bytes, Payload payload, size_t piece) {
  EventStreamTap tapped(payload);
  const Dialect dialect = payload == Payload::wrapped ? Dialect::anthropic : Dialect::bedrock;
  UsageScanner usage(dialect, Framing::event_stream);
  TextScanner text(dialect);
  bool content = false;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    tapped.feed(bytes.substr(at, piece), {.usage = &usage, .text = &text});
    if (content && !tapped.content()) std::abort();
    content = tapped.content();
  }
  return {.usage = usage.usage(),
          .text_bytes = text.bytes(),
          .content = content,
          .ended = tapped.ended(),
          .at_boundary = tapped.at_boundary()};
}

bool says_something(std::string_view bytes) {
  llmgw::http::EventStreamReader reader;
  for (;;) {
    const auto next = reader.next(bytes);
    if (!next || !*next) return false;
    if (!(*next)->is_event() || !llmgw::gateway::is_prelude_name((*next)->text(":event-type"))) return true;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr uint8_t kWrapped = 0x80;
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Payload payload = (data[0] & kWrapped) != 0 ? Payload::wrapped : Payload::plain;
  const Seen whole = tap(bytes, payload, bytes.size());
  if (tap(bytes, payload, size_t{1} + (data[0] & ~kWrapped)) != whole) std::abort();
  if (payload == Payload::plain && says_something(bytes) && !whole.content) std::abort();
  return 0;
}
