// What is known of a name: its answer, the answer's age, and what to do when the DNS fails. Pure: time is passed in,
// queries are the caller's business. Internal to net.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/address.h"
#include "net/resolver.h"

namespace llmgw::net {

inline constexpr size_t kDnsAddressesMax = 16;  // of one family kept for a name: more than anyone tries in turn

// The answer to a query for one family.
struct DnsAnswer {
  enum class Status : uint8_t { found, no_address, failed };
  Status status = Status::failed;
  std::vector<Address> addresses = {};  // port 0
  base::Duration ttl{};
  bool routable = true;     // this host has a route to the first address
  const char* reason = "";  // static text, when failed
  // When failed: unreachable; exhausted, it is this host that lacked something, and nothing is known of the servers.
  base::ErrorCode error = base::ErrorCode::unreachable;
};

// IPv6 and IPv4 by turns (RFC 8305, section 4), IPv6 first; a family without a route comes last as a whole.
std::vector<Address> order_addresses(const DnsAnswer& v6, const DnsAnswer& v4);

class DnsName {
 public:
  enum class State : uint8_t {
    fresh,    // resolution() is good
    stale,    // resolution() is better than nothing
    failed,   // error() stands
    unknown,  // nothing is known; a query is due or under way
  };

  State state(base::Instant now) const;
  // A query is under way and has not settled.
  bool querying() const { return !settled_; }
  // There is no good answer, none is being fetched, and the last failure is long enough ago.
  bool query_due(base::Instant now) const;
  // The last query failed: waiting for the next is likely in vain.
  bool failing() const { return failing_; }

  // Begins a query for both families; the number goes with its answers.
  uint32_t query_started();
  // True: the query has settled, and waiters should look again. A late or outdated answer gives false.
  bool answered(uint32_t query, bool v6, DnsAnswer answer, base::Instant now, const DnsOptions& options);
  // One family has answered with addresses, and the other has had options.family_delay. True as above.
  bool waited_enough(uint32_t query, base::Instant now, const DnsOptions& options);
  bool half_answered() const { return !settled_ && awaited_ == 1 && has_addresses(); }

  // The addresses with this port, when fresh or stale.
  Resolution resolution(uint16_t port, base::Instant now, const DnsOptions& options) const;
  base::Error error() const { return error_; }

 private:
  bool has_addresses() const { return !v4_.addresses.empty() || !v6_.addresses.empty(); }
  void settle(base::Instant now, const DnsOptions& options);
  void succeed(base::Instant now, const DnsOptions& options);

  uint32_t query_ = 0;
  int awaited_ = 0;
  bool settled_ = true;
  bool failing_ = false;
  DnsAnswer v4_;
  DnsAnswer v6_;
  std::vector<Address> addresses_;
  base::Instant good_until_{};
  base::Instant usable_until_{};
  base::Instant retry_at_ = base::Instant::min();
  base::Error error_{};
};

}  // namespace llmgw::net
