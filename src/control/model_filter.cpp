#include "control/model_filter.h"

#include <algorithm>

namespace llmgw::control {

bool matches_pattern(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

ModelFilter::ModelFilter(std::span<const std::string> patterns) : everything_(false) {
  for (const auto& pattern : patterns) {
    if (pattern == "*") everything_ = true;
    (pattern.find('*') == std::string::npos ? exact_ : patterns_).push_back(pattern);
  }
  std::ranges::sort(exact_);
}

bool ModelFilter::allows(std::string_view model) const {
  if (everything_ || std::ranges::binary_search(exact_, model)) return true;
  return std::ranges::any_of(patterns_, [&](const std::string& pattern) { return matches_pattern(pattern, model); });
}

}  // namespace llmgw::control
