// links: accounting
// What is found beside the counts of tokens is the same whatever the cuts, within its limits, and whatever the bytes.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "accounting/answer_details.h"

using llmgw::accounting::AnswerDetails;
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
  const bool same = whole.tier_told() == pieces.tier_told() && whole.tier() == pieces.tier() &&
                    whole.web_searches() == pieces.web_searches() && whole.file_searches() == pieces.file_searches() &&
                    whole.google_queries() == pieces.google_queries();
  constexpr size_t kNumbersMax = 10'000;
  const bool bounded = whole.web_searches() <= kNumbersMax + size && whole.google_queries() <= kNumbersMax;
  if (!same || !bounded) std::abort();
  return 0;
}
