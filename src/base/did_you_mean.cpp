#include "base/did_you_mean.h"

#include "base/text.h"

namespace llmgw::base {

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  const std::string_view near = closest(word, candidates);
  return near.empty() ? std::string() : "; did you mean '" + std::string(near) + "'?";
}

}  // namespace llmgw::base
