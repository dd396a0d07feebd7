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
  // The prices that one provider and model are written with, by the length of the prompt.
  class Tiers {
   public:
    // Null: these are of longer prompts only.
    const accounting::Price* at(uint64_t prompt_tokens) const {
      for (size_t i = tiers_.size(); i-- > 0;) {
        if (tiers_[i].above == 0 || prompt_tokens > tiers_[i].above) return &tiers_[i].price;
      }
      return nullptr;
    }

   private:
    friend class PriceTable;
    struct Tier {
      uint64_t above;
      accounting::Price price;
    };
    std::vector<Tier> tiers_;  // by `above`; never empty
  };

  // What a model costs: those that fit, the closest first, up to one that has a price of every prompt. Copied without
  // an allocation but where the closest is of longer prompts alone; valid as long as the table.
  class Prices {
   public:
    // Null: unknown, which is not free. `prompt_tokens`: all of the prompt, cached or not.
    const accounting::Price* at(uint64_t prompt_tokens) const {
      const accounting::Price* price = closest_ != nullptr ? closest_->at(prompt_tokens) : nullptr;
      for (size_t i = 0; price == nullptr && i < further_.size(); ++i) price = further_[i]->at(prompt_tokens);
      return price;
    }
    // There is one, if only of longer prompts.
    bool any() const { return closest_ != nullptr; }
    // Whatever the length of the prompt turns out to be.
    bool all() const { return at(0) != nullptr; }
    // Whether one of them has a price of sound or pictures.
    bool any_of_media() const;

   private:
    friend class PriceTable;
    const Tiers* closest_ = nullptr;
    std::vector<const Tiers*> further_;
  };

  // The operator's come before the shipped.
  static PriceTable build(std::span<const PriceConfig> own, std::span<const PriceConfig> shipped);

  // `model` is the upstream's name. Walks over the table: to be kept by who asks often.
  Prices find(std::string_view connection, std::string_view provider, std::string_view model) const;

 private:
  struct Entry {
    std::string provider;
    std::string model;
    bool own;
    Tiers tiers;
  };
  // Adds those that fit; true once prompts of every length have a price.
  bool add_by(std::string_view provider, std::string_view model, bool own, Prices& prices) const;

  std::vector<Entry> entries_;  // by precedence
};

}  // namespace llmgw::control
