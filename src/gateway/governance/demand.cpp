#include "gateway/governance/demand.h"

#include "chat/token_estimate.h"

#include <algorithm>
#include <cstring>

namespace llmgw::gateway {
namespace {

// Longer texts without a space at their beginning are not language.
constexpr size_t kMediaBytesMin = 2048;
constexpr size_t kLookedAt = 256;

bool is_media(std::string_view text) {
  return text.size() >= kMediaBytesMin && std::memchr(text.data(), ' ', kLookedAt) == nullptr;
}

}  // namespace

uint64_t estimate_prompt_tokens(std::string_view body) {
  uint64_t text_bytes = body.size();
  uint64_t media = 0;
  // Escaped quotation marks only cut a text in two. Only a text with no mark in its first kMediaBytesMin bytes can be
  // media, so it is enough to know the last one of so many.
  while (body.size() >= kMediaBytesMin) {
    const void* const last = memrchr(body.data(), '"', kMediaBytesMin);
    if (last != nullptr) {
      body.remove_prefix(static_cast<size_t>(static_cast<const char*>(last) - body.data()) + 1);
      continue;
    }
    const size_t end = body.find('"', kMediaBytesMin);
    if (end == std::string_view::npos) break;
    if (is_media(body.substr(0, end))) {
      text_bytes -= end;
      ++media;
    }
    body.remove_prefix(end + 1);
  }
  return text_bytes / chat::kBytesPerToken + media * kMediaTokens;
}

uint64_t tokens_of_answers(uint64_t tokens_of_one, uint64_t answers, uint64_t prompts) {
  uint64_t all = 0;
  const bool overflows =
      __builtin_mul_overflow(tokens_of_one, answers, &all) || __builtin_mul_overflow(all, prompts, &all);
  return overflows ? kDemandTokensMax : std::min(all, kDemandTokensMax);
}

uint64_t estimate_generated_tokens(uint64_t text_bytes) {
  return text_bytes / chat::kBytesPerToken;
}

}  // namespace llmgw::gateway
