#include "gateway/governance/price_cache.h"

namespace llmgw::gateway {

control::PriceTable::Prices PriceCache::find(const control::Snapshot& snapshot, const control::Connection& connection,
                                             std::string_view model) {
  if (version_ != snapshot.version || found_.size() >= kEntriesMax) {
    found_.clear();
    version_ = snapshot.version;
  }
  key_.assign(connection.name).append("\n").append(model);
  if (const auto found = found_.find(std::string_view(key_)); found != found_.end()) return found->second;
  auto prices = snapshot.prices.find(connection.name, connection.upstream.provider->name, model);
  found_.emplace(key_, prices);
  return prices;
}

}  // namespace llmgw::gateway
