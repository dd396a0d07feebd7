// The prices of names that no configuration lists: what a pattern such as "gpt-*" stands for is known only when a
// client asks. One worker's; one thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "control/snapshot.h"

namespace llmgw::gateway {

class PriceCache {
 public:
  // Clients choose the names, so what is kept is bounded; beyond it the cache begins anew.
  static constexpr size_t kEntriesMax = 1024;

  // Valid as long as the snapshot.
  control::PriceTable::Prices find(const control::Snapshot& snapshot, const control::Connection& connection,
                                   std::string_view model);

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  uint64_t version_ = 0;
  std::string key_;
  std::unordered_map<std::string, control::PriceTable::Prices, Hash, std::equal_to<>> found_;
};

}  // namespace llmgw::gateway
