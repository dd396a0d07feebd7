#include "net/dns_cache.h"

#include <algorithm>

namespace llmgw::net {

std::vector<Address> order_addresses(const DnsAnswer& v6, const DnsAnswer& v4) {
  std::vector<Address> ordered;
  ordered.reserve(v4.addresses.size() + v6.addresses.size());
  const auto append = [&](const std::vector<Address>& addresses) {
    ordered.insert(ordered.end(), addresses.begin(), addresses.end());
  };
  if (!v6.routable || !v4.routable) {
    append(v6.routable ? v6.addresses : v4.addresses);
    append(v6.routable ? v4.addresses : v6.addresses);
    return ordered;
  }
  for (size_t i = 0; i < std::max(v4.addresses.size(), v6.addresses.size()); ++i) {
    if (i < v6.addresses.size()) ordered.push_back(v6.addresses[i]);
    if (i < v4.addresses.size()) ordered.push_back(v4.addresses[i]);
  }
  return ordered;
}

DnsName::State DnsName::state(base::Instant now) const {
  if (!addresses_.empty() && now < good_until_) return State::fresh;
  if (!addresses_.empty() && now < usable_until_) return State::stale;
  return settled_ && now < retry_at_ ? State::failed : State::unknown;
}

bool DnsName::query_due(base::Instant now) const {
  return settled_ && now >= retry_at_ && state(now) != State::fresh;
}

uint32_t DnsName::query_started() {
  settled_ = false;
  awaited_ = 2;
  v4_ = {};
  v6_ = {};
  return ++query_;
}

bool DnsName::answered(uint32_t query, bool v6, DnsAnswer answer, base::Instant now, const DnsOptions& options) {
  if (query != query_) return false;
  --awaited_;
  if (answer.addresses.size() > kDnsAddressesMax) answer.addresses.resize(kDnsAddressesMax);
  const bool adds = !answer.addresses.empty();
  (v6 ? v6_ : v4_) = std::move(answer);
  if (settled_) {
    if (adds && has_addresses()) addresses_ = order_addresses(v6_, v4_);
    return false;
  }
  if (awaited_ > 0) return false;
  settle(now, options);
  return true;
}

bool DnsName::waited_enough(uint32_t query, base::Instant now, const DnsOptions& options) {
  if (query != query_ || !half_answered()) return false;
  settle(now, options);
  return true;
}

void DnsName::settle(base::Instant now, const DnsOptions& options) {
  settled_ = true;
  if (has_addresses()) return succeed(now, options);
  const bool definite = v4_.status == DnsAnswer::Status::no_address && v6_.status == DnsAnswer::Status::no_address;
  if (definite) {
    addresses_.clear();
    failing_ = false;
    error_ = {base::ErrorCode::name_not_found, "the name has no address", 0};
    retry_at_ = now + options.not_found_ttl;
    return;
  }
  failing_ = true;
  const DnsAnswer& failed = v4_.status == DnsAnswer::Status::failed ? v4_ : v6_;
  error_ = {failed.error, failed.reason, 0};
  retry_at_ = now + options.failure_ttl;
}

void DnsName::succeed(base::Instant now, const DnsOptions& options) {
  failing_ = false;
  addresses_ = order_addresses(v6_, v4_);
  base::Duration ttl = options.ttl_max;
  if (!v4_.addresses.empty()) ttl = std::min(ttl, v4_.ttl);
  if (!v6_.addresses.empty()) ttl = std::min(ttl, v6_.ttl);
  good_until_ = now + std::max(ttl, options.ttl_min);
  usable_until_ = good_until_ + options.stale_limit;
  retry_at_ = now;
}

Resolution DnsName::resolution(uint16_t port, base::Instant now, const DnsOptions& options) const {
  const bool stale = now >= good_until_;
  Resolution resolution{addresses_, stale ? options.failure_ttl : good_until_ - now, stale};
  for (Address& address : resolution.addresses) address.set_port(port);
  return resolution;
}

}  // namespace llmgw::net
