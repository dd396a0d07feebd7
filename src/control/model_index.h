// Model name -> the entries that serve it: exact names first, then the longest prefix, then the pattern with the most
// characters that are not '*'. Immutable once built; any thread, no lock, no allocation.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llmgw::control {

class ModelIndex {
 public:
  struct Entry {
    std::string_view pattern;  // must outlive the index
    uint32_t model;
  };
  ModelIndex() = default;
  // Entries of the same pattern make a group, in the order given.
  explicit ModelIndex(std::span<const Entry> entries);

  std::span<const uint32_t> find(std::string_view name) const;

 private:
  struct Group {
    std::string_view pattern;
    uint32_t first;
    uint32_t count;
    uint32_t literal_characters;
  };
  std::span<const uint32_t> members(const Group& group) const {
    return std::span(models_).subspan(group.first, group.count);
  }

  std::vector<Group> exact_;     // by pattern
  std::vector<Group> patterns_;  // the most specific first
  std::vector<uint32_t> models_;
};

}  // namespace llmgw::control
