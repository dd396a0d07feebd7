#include "control/price_table.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <tuple>

#include "control/config_loader.h"
#include "control/shipped_prices.h"
#include "routing/pattern.h"

namespace llmgw::control {
namespace {

accounting::Price price_of(const PriceConfig& from) {
  const auto nano = [](const std::optional<NanoDollars>& amount) {
    return amount ? std::optional(amount->nano) : std::nullopt;
  };
  return {.input = from.input.nano,
          .output = from.output.nano,
          .cache_read = nano(from.cache_read),
          .cache_write = nano(from.cache_write),
          .cache_write_1h = nano(from.cache_write_1h),
          .reasoning = nano(from.reasoning),
          .audio_input = nano(from.audio_input),
          .image_input = nano(from.image_input),
          .audio_output = nano(from.audio_output),
          .image_output = nano(from.image_output),
          .request = from.request.nano};
}

}  // namespace

std::span<const PriceConfig> shipped_prices() {
  // Read once; a test checks that they can be.
  static const std::vector<PriceConfig> kPrices = [] {
    auto prices = load_prices(kShippedPrices);
    assert(prices);
    return prices ? std::move(*prices) : std::vector<PriceConfig>();
  }();
  return kPrices;
}

PriceTable PriceTable::build(std::span<const PriceConfig> own, std::span<const PriceConfig> shipped) {
  PriceTable table;
  std::map<std::tuple<std::string_view, std::string_view, bool>, Tiers> tiers;
  for (const auto& [prices, is_own] : {std::pair(own, true), std::pair(shipped, false)}) {
    for (const PriceConfig& price : prices) {
      tiers[{price.provider, price.model, is_own}].tiers_.push_back({price.above_tokens, price_of(price)});
    }
  }
  for (auto& [name, each] : tiers) {
    std::ranges::sort(each.tiers_, {}, &Tiers::Tier::above);
    const auto& [provider, model, is_own] = name;
    table.entries_.push_back(
        {.provider = std::string(provider), .model = std::string(model), .own = is_own, .tiers = std::move(each)});
  }
  std::ranges::sort(table.entries_, [](const Entry& a, const Entry& b) {
    const int order = routing::compare_precedence(a.model, b.model);
    return order != 0 ? order < 0 : std::tie(a.provider, a.model, a.own) < std::tie(b.provider, b.model, b.own);
  });
  return table;
}

bool PriceTable::Prices::any_of_media() const {
  const auto of_media = [](const Tiers* each) {
    return std::ranges::any_of(each->tiers_, [](const Tiers::Tier& tier) {
      const accounting::Price& price = tier.price;
      return price.audio_input || price.image_input || price.audio_output || price.image_output;
    });
  };
  return any() && (of_media(closest_) || std::ranges::any_of(further_, of_media));
}

bool PriceTable::add_by(std::string_view provider, std::string_view model, bool own, Prices& prices) const {
  for (const Entry& entry : entries_) {
    if (entry.own != own || entry.provider != provider || !routing::matches(entry.model, model)) continue;
    if (prices.any()) {
      prices.further_.push_back(&entry.tiers);
    } else {
      prices.closest_ = &entry.tiers;
    }
    if (prices.all()) return true;
  }
  return false;
}

PriceTable::Prices PriceTable::find(std::string_view connection, std::string_view provider,
                                    std::string_view model) const {
  Prices prices;
  if (add_by(connection, model, true, prices)) return prices;
  // The shipped ones know of no connections.
  for (const bool own : {true, false}) {
    for (const std::string_view by : {provider, std::string_view("*")}) {
      if (add_by(by, model, own, prices)) return prices;
    }
  }
  return prices;
}

}  // namespace llmgw::control
