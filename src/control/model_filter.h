// The models a key may use: names, prefixes ("gpt-*") and patterns with '*' anywhere. Immutable once built; any thread,
// no allocation.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llmgw::control {

class ModelFilter {
 public:
  explicit ModelFilter(std::vector<std::string> patterns);
  ModelFilter(ModelFilter&&) = default;
  ModelFilter& operator=(ModelFilter&&) = default;
  ModelFilter(const ModelFilter&) = delete;  // views point into the strings
  ModelFilter& operator=(const ModelFilter&) = delete;

  bool allows(std::string_view model) const;
  bool allows_everything() const { return everything_; }
  // All of them, for routing::ModelTable::suggest.
  std::span<const std::string_view> patterns() const { return views_; }

 private:
  std::vector<std::string> text_;
  std::vector<std::string_view> views_;  // exact names first, sorted
  size_t exact_count_ = 0;
  bool everything_ = false;
};

}  // namespace llmgw::control
