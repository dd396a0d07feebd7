// links: gateway
// What is held is what came, and the judgement does not depend on how the bytes are cut. The first byte is the length
// of the pieces.
#include <cstdlib>
#include <string_view>

#include "gateway/failover/hold_back.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using llmgw::gateway::HoldBack;
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t piece = 1 + data[0];
  HoldBack whole(2);
  const auto verdict = whole.feed(bytes, false);
  if (whole.bytes() != bytes) std::abort();
  HoldBack cut(2);
  auto state = HoldBack::State::holding;
  size_t at = 0;
  for (; at < bytes.size() && state == HoldBack::State::holding; at += piece) {
    state = cut.feed(bytes.substr(at, piece), false);
  }
  if (state != verdict) std::abort();
  return 0;
}
