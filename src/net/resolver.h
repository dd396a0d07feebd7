// Host names to addresses: the seam between the gateway and the DNS. The real one asks by c-ares and keeps what it
// learns; net/sim has the simulated one. Belongs to its loop's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/task.h"

namespace llmgw::net {

struct Resolution {
  std::vector<Address> addresses;  // never empty, in the order to try them
  base::Duration ttl{};            // how long the answer is good for, from now
  bool stale = false;              // the DNS fails at present; this is its last answer
};

class Resolver {
 public:
  virtual ~Resolver() = default;
  // A name, or a literal IP address (brackets allowed). name_not_found: there is no such name or it has no address;
  // unreachable: the DNS gave no answer. Waiters of one name share one query; it goes on when they leave.
  virtual Task<base::Result<Resolution>> resolve(std::string host, uint16_t port, Wait wait) = 0;
};

// What needs no query: literal addresses, and localhost with its subdomains (RFC 6761, section 6.3).
std::optional<Resolution> resolve_without_query(std::string_view host, uint16_t port);

struct DnsOptions {
  std::vector<Address> servers;                            // empty: those of /etc/resolv.conf
  bool search_domains = true;                              // as resolv.conf says (search, ndots)
  base::Duration query_timeout = std::chrono::seconds(2);  // the first try of each server; later ones take longer
  int tries = 3;
  base::Duration ttl_min = std::chrono::seconds(1);
  base::Duration ttl_max = std::chrono::seconds(300);
  base::Duration not_found_ttl = std::chrono::seconds(5);
  base::Duration failure_ttl = std::chrono::seconds(1);   // between two queries while the DNS fails
  base::Duration stale_limit = std::chrono::minutes(10);  // how long past its TTL an answer serves then
  base::Duration patience =
      std::chrono::milliseconds(500);  // how long a query is waited for while a stale answer is there
  base::Duration family_delay = std::chrono::milliseconds(50);  // RFC 8305, section 3: for the other family
  size_t names_max = 1024;  // kept names; beyond, the least recently used are forgotten
};

// Asks for A and AAAA at the same time. /etc/hosts (or the file CARES_HOSTS names) comes first and is final.
base::Result<std::unique_ptr<Resolver>> make_dns_resolver(Loop& loop, const DnsOptions& options = {});

}  // namespace llmgw::net
