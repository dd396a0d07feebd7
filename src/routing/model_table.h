// Which targets serve a model's name. Built once, then immutable: any number of threads may look up. No look-up
// allocates but suggest().
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace llmgw::routing {

// A place that serves a name, by an id the builder chose.
struct Target {
  uint32_t id = 0;
  std::string_view owned_by = {};  // who serves it; clients may ask for one
};

// One line of configuration: a name or pattern, and one target of it. The same name again adds to its group.
struct ModelEntry {
  std::string_view name;
  std::string_view owned_by = {};
  uint32_t id = 0;
};

// All targets of one name, in the order they were given.
struct Group {
  std::string_view name = {};  // as configured; a pattern if it contains '*'
  std::span<const Target> targets = {};
};

class ModelTable {
 public:
  // Far above any real list; bounds what one configuration can make us hold.
  static constexpr size_t kEntriesMax = 1 << 20;
  static constexpr size_t kNameBytesMax = 512;

  ModelTable() : slots_(1) {}
  // Copies everything. invalid_argument: an empty or too long name; too_large: too many entries.
  static base::Result<ModelTable> build(std::span<const ModelEntry> entries);
  ModelTable(ModelTable&&) = default;
  ModelTable& operator=(ModelTable&&) = default;
  ModelTable(const ModelTable&) = delete;
  ModelTable& operator=(const ModelTable&) = delete;

  // The group with the best precedence: the exact name, then the pattern with the longest text before its first `*`,
  // then the one with the most other characters, then the one given first. With an `owned_by`, groups without a target
  // of that owner do not count; the caller picks that owner's targets out of the group.
  std::optional<Group> lookup(std::string_view name, std::string_view owned_by = {}) const;

  // Exact names first, in the order they were given, then patterns by precedence.
  std::span<const Group> groups() const { return groups_; }
  size_t exact_count() const { return exact_count_; }

  // Up to `count` exact names a client that asked for `name` may have meant, nearest first; where nothing is near, the
  // first names there are. Only names that one of `patterns` allows. For the message of a 404.
  std::vector<std::string_view> suggest(std::string_view name, size_t count,
                                        std::span<const std::string_view> patterns) const;

 private:
  struct Slot {
    uint32_t tag = 0;    // upper half of the name's hash
    uint32_t group = 0;  // index + 1; 0 is an empty slot
  };

  void index_exact_names();

  std::vector<char> text_;  // all names and owners; views point into it
  std::vector<Target> targets_;
  std::vector<Group> groups_;
  std::vector<Slot> slots_;  // a power of two, at most half full
  size_t exact_count_ = 0;
};

}  // namespace llmgw::routing
