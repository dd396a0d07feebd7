// What the models of all providers cost. Immutable once built; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "accounting/cost.h"
#include "control/config.h"

namespace llmgw::control {

// The prices that come with the program (prices.toml beside the source).
std::span<const PriceConfig> shipped_prices();

class PriceTable {
 public:
  // The prices of one provider's model, by the length of the prompt.
  class Tiers {
   public:
    // `prompt_tokens`: all of the prompt, cached or not.
    const accounting::Price& at(uint64_t prompt_tokens) const {
      size_t i = tiers_.size() - 1;
      while (i > 0 && prompt_tokens <= tiers_[i].above) --i;
      return tiers_[i].price;
    }

   private:
    friend class PriceTable;
    struct Tier {
      uint64_t above;
      accounting::Price price;
    };
    std::vector<Tier> tiers_;  // by `above`; never empty
  };

  // The operator's come before the shipped.
  static PriceTable build(std::span<const PriceConfig> own, std::span<const PriceConfig> shipped);

  // Null: unknown, which is not free. `model` is the upstream's name. An exact name costs a hash look-up, others a walk
  // over the patterns: to be kept by who asks often.
  const Tiers* find(std::string_view connection, std::string_view provider, std::string_view model) const;

 private:
  struct Entry {
    std::string provider;
    std::string model;
    bool own;
    Tiers tiers;
  };
  const Tiers* find_by(std::string_view provider, std::string_view model, bool own) const;

  std::vector<Entry> entries_;  // by precedence
};

}  // namespace llmgw::control
