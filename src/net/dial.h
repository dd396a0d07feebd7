// Connections by name: resolves, tries the addresses of the answer, goes through a proxy, and speaks TLS, as the target
// asks for. Belongs to its loop's thread.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/dial_proxy.h"
#include "net/network.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "net/task.h"
#include "net/tls.h"

namespace llmgw::net {

// Contexts of the errors with which a proxy's answer to CONNECT ends (parse_connect_answer).
inline constexpr const char* kProxyWantsCredentials = "the proxy wants other credentials";  // permission
inline constexpr const char* kProxyRefusesTarget = "the proxy refuses this target";         // permission
inline constexpr const char* kProxyCannotReach = "the proxy cannot reach the target";       // unreachable
// So begin the contexts of the errors of TLS with a proxy; what TLS says follows.
inline constexpr std::string_view kProxyTls = "TLS with the proxy: ";

struct DialTarget {
  std::string host = {};  // a name or an IP address
  uint16_t port = 0;
  std::string unix_path = {};             // instead of host and port ("@name": abstract); never through a proxy
  TlsClientContext* tls = nullptr;        // null: plain
  std::string server_name = {};           // for SNI and verification; empty: host
  const Proxy* proxy = nullptr;           // ProxySettings::choose(); null: direct
  TlsClientContext* proxy_tls = nullptr;  // for a proxy that is itself reached by TLS
};

// True if the stream ends at a proxy that forwards plain requests: they need the absolute form of the target (RFC 9112,
// section 3.2.2) and, if proxy->authorization is not empty, a Proxy-Authorization header. With TLS the proxy was asked
// for a tunnel (CONNECT), and requests are written as always.
inline bool needs_absolute_form(const DialTarget& target) {
  return target.proxy != nullptr && target.tls == nullptr && target.unix_path.empty();
}

struct DialOptions {
  base::Duration stagger = std::chrono::milliseconds(250);  // RFC 8305, section 5: before the next address is tried too
  base::Duration attempt_timeout = std::chrono::seconds(3);  // for one address
  base::Duration dead_for = std::chrono::seconds(30);        // how long an address that failed comes last
  size_t dead_max = 1024;                                    // remembered addresses
  size_t attempts_max = 8;                                   // addresses tried for one connection
};

// The addresses that could not be connected to lately. Pure.
class FailedAddresses {
 public:
  void add(const Address& address, base::Instant until, size_t max);
  void remove(const Address& address);
  bool contains(const Address& address, base::Instant now) const;
  // Those that failed lately behind the others, else in the same order.
  std::vector<Address> order(std::vector<Address> addresses, base::Instant now) const;
  size_t size() const { return by_address_.size(); }

 private:
  struct Entry {
    std::string address;
    base::Instant until;
  };
  std::list<Entry> entries_;  // newest first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_address_;
};

class Dialer {
 public:
  // What is passed must outlive the dialer and its tasks.
  Dialer(Loop& loop, Network& network, Resolver& resolver, const DialOptions& options = {});

  // `target` and what it points to must live until the task ends. Errors: those of the resolver, of connecting (the
  // last address's) and of TLS; permission: the proxy refuses us; unreachable: it
  // opens no tunnel; protocol: the proxy makes no sense.
  Task<base::Result<std::unique_ptr<Stream>>> dial(const DialTarget& target, Wait wait);

  const FailedAddresses& failed() const { return failed_; }

 private:
  struct Race;
  Task<base::Result<std::unique_ptr<Stream>>> connect(const std::string& host, uint16_t port, Wait wait);
  Task<base::Result<std::unique_ptr<Stream>>> connect_any(std::vector<Address> addresses, Wait wait);
  Task<base::Result<std::unique_ptr<Stream>>> connect_proxy(const DialTarget& target, Wait wait);
  static Task<void> attempt(Dialer& dialer, Race& race, Address address, Wait wait);

  Loop& loop_;
  Network& network_;
  Resolver& resolver_;
  DialOptions options_;
  FailedAddresses failed_;
};

// The answer of a proxy to CONNECT, from the bytes received so far: true when the tunnel stands, false when more is
// needed. Pure; net/dial_test.cpp.
base::Result<bool> parse_connect_answer(std::string_view received);

}  // namespace llmgw::net
