// The cache of a simulated engine: the blocks used last, by hash. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>

namespace llmgw::routing {

class EngineCache {
 public:
  explicit EngineCache(size_t blocks) : blocks_(blocks) {}

  size_t match(std::span<const uint64_t> chain) const {
    size_t found = 0;
    while (found < chain.size() && places_.contains(chain[found])) ++found;
    return found;
  }
  // The tail first, so that it is also the first to go.
  void use(std::span<const uint64_t> chain) {
    for (size_t i = chain.size(); i-- > 0;) {
      const auto known = places_.find(chain[i]);
      if (known != places_.end()) {
        order_.splice(order_.begin(), order_, known->second);
        continue;
      }
      order_.push_front(chain[i]);
      places_.emplace(chain[i], order_.begin());
      if (order_.size() > blocks_) {
        places_.erase(order_.back());
        order_.pop_back();
      }
    }
  }

 private:
  size_t blocks_;
  std::list<uint64_t> order_;
  std::unordered_map<uint64_t, std::list<uint64_t>::iterator> places_;
};

}  // namespace llmgw::routing
