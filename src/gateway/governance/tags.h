// The tags of a call for its ledger record: what is too much, or no tag, is left out whole. Allocates in the request's
// arena; one thread.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "base/arena.h"

namespace llmgw::gateway {

inline constexpr size_t kTagsMax = 16;
inline constexpr size_t kTagBytesMax = 64;
// Of all together, with the commas between them: what a record's text holds.
inline constexpr size_t kTagTextBytesMax = 512;

class TagList {
 public:
  explicit TagList(base::Arena& arena) : arena_(arena) {}

  // Tags separated by commas, in the order of their importance: blanks around them, empty ones and those that are there
  // already do not count. The text must hold as long as the list.
  void add(std::string_view tags);
  // All of them, separated by commas. In the arena.
  std::string_view text() const;
  // How many were too many, too long or no text.
  size_t left_out() const { return left_out_; }

 private:
  void add_one(std::string_view tag);

  base::Arena& arena_;
  std::array<std::string_view, kTagsMax> tags_;
  size_t count_ = 0;
  size_t bytes_ = 0;  // with a comma behind each
  size_t left_out_ = 0;
};

}  // namespace llmgw::gateway
