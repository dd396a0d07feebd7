// The models a key may use: names, prefixes ("gpt-*") and patterns with '*' anywhere. Immutable once built; any thread,
// no allocation.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llmgw::control {

class ModelFilter {
 public:
  explicit ModelFilter(std::vector<std::string> patterns);

  bool allows(std::string_view model) const;
  bool allows_everything() const { return list_->everything; }
  // All of them, for routing::ModelTable::suggest.
  std::span<const std::string_view> patterns() const { return list_->views; }

 private:
  struct List {
    std::vector<std::string> text;
    std::vector<std::string_view> views;  // exact names first, sorted
    size_t exact_count = 0;
    bool everything = false;
  };
  std::shared_ptr<const List> list_;  // copies share it: thousands of keys may have the same
};

}  // namespace llmgw::control
