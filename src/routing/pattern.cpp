#include "routing/pattern.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace llmgw::routing {

// Greedy with one point of return: a later star never needs an earlier one to give more.
bool matches(std::string_view pattern, std::string_view name) {
  size_t p = 0;
  size_t n = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

// From the ends: what is left of both from i and j on has a name in common.
bool overlap(std::string_view a, std::string_view b) {
  if (!is_pattern(a)) return matches(b, a);
  if (!is_pattern(b)) return matches(a, b);
  std::vector<char> later(b.size() + 1);
  std::vector<char> now(b.size() + 1);
  for (size_t i = a.size() + 1; i-- > 0;) {
    for (size_t j = b.size() + 1; j-- > 0;) {
      const bool star_a = i < a.size() && a[i] == '*';
      const bool star_b = j < b.size() && b[j] == '*';
      bool common = i == a.size() && j == b.size();
      if (star_a) common = later[j] != 0 || (j < b.size() && now[j + 1] != 0);
      if (star_b) common = common || now[j + 1] != 0 || (i < a.size() && later[j] != 0);
      if (!star_a && !star_b && i < a.size() && j < b.size()) common = a[i] == b[j] && later[j + 1] != 0;
      now[j] = common ? 1 : 0;
    }
    std::swap(now, later);
  }
  return later[0] != 0;
}

bool allowed(std::span<const std::string_view> patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [name](std::string_view pattern) { return matches(pattern, name); });
}

int compare_precedence(std::string_view a, std::string_view b) {
  const auto less = [](size_t x, size_t y) { return x > y ? -1 : x < y ? 1 : 0; };
  if (is_pattern(a) != is_pattern(b)) return is_pattern(a) ? 1 : -1;
  if (!is_pattern(a)) return 0;
  if (const int order = less(a.find('*'), b.find('*'))) return order;
  const auto literals = [](std::string_view text) {
    return text.size() - static_cast<size_t>(std::count(text.begin(), text.end(), '*'));
  };
  return less(literals(a), literals(b));
}

}  // namespace llmgw::routing
