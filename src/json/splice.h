// Replacing parts of a text without copying the rest: the result is a list of pieces for one gathered write. Any
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"

namespace llmgw::json {

struct Edit {
  std::string_view span;  // the part of the body that goes; may be empty to insert at its position
  std::string_view text;  // what comes in its place; must outlive the pieces
};

// One request changes few things: its model name, a routing field that is cut out, and room for two more.
inline constexpr size_t kEditsMax = 4;

class Pieces {
 public:
  std::span<const std::string_view> parts() const { return {parts_.data(), count_}; }
  size_t size_bytes() const { return size_bytes_; }
  // All pieces one after the other, in the arena; for senders that cannot gather.
  std::string_view joined(base::Arena& arena) const;

 private:
  friend base::Result<Pieces> splice(std::string_view body, std::span<const Edit> edits);
  void add(std::string_view part);

  std::array<std::string_view, 2 * kEditsMax + 1> parts_;
  size_t count_ = 0;
  size_t size_bytes_ = 0;
};

// The body with every edit done, in whatever order they are given. Empty pieces are left out.
// too_large for more than kEditsMax edits, invalid_argument if a span is not inside the body or two overlap.
base::Result<Pieces> splice(std::string_view body, std::span<const Edit> edits);

// The text as a JSON string with its quotes, in the arena.
std::string_view quoted(base::Arena& arena, std::string_view text);

}  // namespace llmgw::json
