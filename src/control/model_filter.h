// The models a key may use: names, prefixes ("gpt-*") and patterns with '*' anywhere. Immutable once built; any thread,
// no allocation.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llmgw::control {

// '*' stands for any run of characters, none included; everything else for itself. O(pattern * text) at worst, both
// bounded by their settings.
bool matches_pattern(std::string_view pattern, std::string_view text);

class ModelFilter {
 public:
  // Allows everything.
  ModelFilter() = default;
  explicit ModelFilter(std::span<const std::string> patterns);

  bool allows(std::string_view model) const;
  bool allows_everything() const { return everything_; }

 private:
  bool everything_ = true;
  std::vector<std::string> exact_;     // sorted
  std::vector<std::string> patterns_;  // those with a '*'
};

}  // namespace llmgw::control
