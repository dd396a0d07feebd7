// How a worker opens a connection to an upstream: name or address, proxy and TLS as the connection's settings say. One
// a worker; one thread, the loop's.
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "control/snapshot.h"
#include "net/dial.h"
#include "net/network.h"
#include "net/resolver.h"
#include "net/tls.h"

namespace llmgw::gateway {

class UpstreamConnector {
 public:
  UpstreamConnector(net::Loop& loop, net::Network& network);

  // The connection must live until the task ends. TLS errors have their text in net::last_tls_error().
  net::Task<base::Result<std::unique_ptr<net::Stream>>> connect(const control::Connection& connection, net::Wait wait);

  // What a new snapshot changes for connections made from now on. Certificates and authorities are read again when next
  // needed: their files may have changed.
  void adopt(const control::Snapshot& snapshot);

  // The proxy that requests of this connection go through; nothing: none. Requests without TLS must then be written in
  // absolute form, with the proxy's authorization (net::needs_absolute_form).
  std::optional<net::Proxy> proxy_of(const control::Connection& connection) const;

  // What stands between a connection's settings and its use: files that cannot be read, a proxy variable that makes no
  // sense. Tried before a snapshot is adopted, so that an operator's mistake stops a reload and not calls.
  static std::expected<void, std::string> check(const control::Connection& connection);

 private:
  // Kept alive by the connections being made while a new one takes its place.
  struct Names {
    std::unique_ptr<net::Resolver> resolver;
    std::optional<net::Dialer> dialer;
  };
  base::Result<net::TlsClientContext> context_for(const control::Connection& connection);
  base::Result<net::TlsClientContext> proxy_context(const control::Connection& connection);
  base::Result<std::shared_ptr<Names>> names();

  net::Loop& loop_;
  net::Network& network_;
  net::ProxySettings environment_;  // HTTP_PROXY and its kin
  net::DnsOptions dns_;
  std::shared_ptr<Names> names_;  // made when first needed
  std::map<std::string, net::TlsClientContext> contexts_;
};

}  // namespace llmgw::gateway
