#include "net/sim/resolver.h"

#include <algorithm>

#include "net/io.h"

namespace llmgw::net::sim {

using base::ErrorCode;
using base::Result;

namespace {

constexpr base::Duration kTtl = std::chrono::seconds(60);

}  // namespace

Task<Result<Resolution>> SimResolver::resolve(std::string host, uint16_t port, Wait wait) {
  if (auto known = resolve_without_query(host, port)) co_return std::move(*known);
  ++questions_;
  const auto spread = static_cast<uint64_t>(std::max((delay_max_ - delay_min_).count(), base::Duration::rep{0}));
  const base::Instant due = loop_.now() + delay_min_ + base::Duration(static_cast<int64_t>(rng_.below(spread + 1)));
  CO_TRY_VOID(co_await sleep_until(loop_, std::min(due, wait.deadline), wait.cancellation));
  if (wait.deadline < due) co_return base::fail(ErrorCode::deadline_exceeded, "name resolution");
  const auto found = records_.find(host);
  if (found == records_.end()) co_return base::fail(ErrorCode::name_not_found, "the name has no address");
  if (found->second.failure) co_return base::fail(*found->second.failure, "simulated DNS failure");
  Resolution resolution{found->second.addresses, kTtl, false};
  for (Address& address : resolution.addresses) {
    if (address.port() == 0) address.set_port(port);
  }
  co_return resolution;
}

void SimResolver::set(const std::string& name, std::vector<Address> addresses) {
  records_[name] = {std::move(addresses), std::nullopt};
}

void SimResolver::fail(const std::string& name, ErrorCode code) {
  records_[name].failure = code;
}

void SimResolver::set_delay(base::Duration delay_min, base::Duration delay_max) {
  delay_min_ = delay_min;
  delay_max_ = delay_max;
}

}  // namespace llmgw::net::sim
