// links: accounting
// What is found beside the counts of tokens is the same whatever the cuts, within its limits, and whatever the bytes.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "accounting/answer_details.h"

using llmgw::accounting::AnswerDetails;
using llmgw::accounting::kProviderTools;
using llmgw::accounting::ProviderTool;
using llmgw::chat::Framing;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Framing framing = data[0] % 2 == 0 ? Framing::json : Framing::sse;
  const size_t step = 1 + data[1] % 64;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  AnswerDetails whole(framing);
  whole.feed(text);
  AnswerDetails pieces(framing);
  for (size_t at = 0; at < text.size(); at += step) pieces.feed(text.substr(at, step));
  if (whole.tier_told() != pieces.tier_told() || whole.tier() != pieces.tier()) std::abort();
  constexpr size_t kNumbersMax = 10'000;
  for (size_t i = 0; i < kProviderTools; ++i) {
    const auto tool = static_cast<ProviderTool>(i);
    if (whole.uses(tool) != pieces.uses(tool) || whole.uses(tool) > kNumbersMax + size) std::abort();
  }
  return 0;
}
