// c-ares on the loop: its sockets watched edge-triggered, its timeouts on the timer wheel. Knows nothing of caching.
// Internal to net; one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/dns_cache.h"
#include "net/loop.h"
#include "net/resolver.h"

namespace llmgw::net {

class DnsChannel {
 public:
  using Callback = std::move_only_function<void(DnsAnswer)>;

  virtual ~DnsChannel() = default;  // drops the callbacks of queries under way without calling them
  // Reads the hosts file, now. Each answer is `found` or `no_address`.
  virtual void look_up_hosts(const std::string& name, DnsAnswer& v4, DnsAnswer& v6) = 0;
  // `done` is called once, perhaps before query() returns; it must not destroy the channel.
  virtual void query(const std::string& name, bool v6, Callback done) = 0;
};

base::Result<std::unique_ptr<DnsChannel>> open_dns_channel(Loop& loop, const DnsOptions& options);

// True if this host could send to the address: it has a route and a source address of the family. Sends nothing.
bool has_route(const Address& address);

}  // namespace llmgw::net
