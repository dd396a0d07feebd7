// links: gateway
// What is held is what came, and the judgement does not depend on how the bytes are cut. The first byte of the input is
// the length of the pieces, the second the framing, whether a stream was asked for, and how it is to end.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "gateway/failover/hold_back.h"

namespace {

using llmgw::chat::Framing;
using llmgw::gateway::HoldBack;

constexpr Framing kFramings[] = {Framing::sse, Framing::json, Framing::json_array, Framing::event_stream};
constexpr uint32_t kContents = 2;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t piece = size_t{1} + data[0];
  const HoldBack::Answer answer{.asked = {.operation = llmgw::gateway::Operation::chat,
                                          .dialect = llmgw::chat::Dialect::openai_chat,
                                          .stream = (data[1] & 4) != 0},
                                .framing = kFramings[data[1] % std::size(kFramings)],
                                .to_close = (data[1] & 8) != 0};
  static llmgw::json::Parser parser;  // what it allocates is much, and kept
  HoldBack whole(kContents, answer, parser);
  const HoldBack::State verdict = whole.feed(bytes, true);
  if (whole.bytes() != bytes || verdict == HoldBack::State::holding) std::abort();
  HoldBack cut(kContents, answer, parser);
  auto state = HoldBack::State::holding;
  size_t at = 0;
  for (; state == HoldBack::State::holding; at += piece) {
    state = cut.feed(bytes.substr(at, piece), at + piece >= bytes.size());
  }
  if (state != verdict || cut.bytes() != bytes.substr(0, at)) std::abort();
  return 0;
}
