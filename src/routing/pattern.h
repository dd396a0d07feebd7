// Name patterns: `*` stands for any text, also none; everything else is itself. Any thread; no allocation but for
// overlap().
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace llmgw::routing {

// Time is bounded by pattern.size() × name.size().
bool matches(std::string_view pattern, std::string_view name);

inline bool is_pattern(std::string_view text) {
  return text.find('*') != std::string_view::npos;
}

// Whether some name matches both. Time and memory are bounded by a.size() × b.size().
bool overlap(std::string_view a, std::string_view b);

// A key's list of models: true if one of the patterns matches.
bool allowed(std::span<const std::string_view> patterns, std::string_view name);

// The order in which patterns are tried: a name without `*` first, then the longest text before the first `*`, then the
// most characters that are not `*`. 0 for equals, negative if `a` comes first.
int compare_precedence(std::string_view a, std::string_view b);

}  // namespace llmgw::routing
