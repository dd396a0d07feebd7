// How a worker opens a connection to an upstream: name or address, TLS as the connection's settings say. One a worker;
// one thread, the loop's.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "control/snapshot.h"
#include "net/network.h"
#include "net/tls.h"

namespace llmgw::gateway {

class UpstreamConnector {
 public:
  explicit UpstreamConnector(net::Network& network) : network_(network) {}

  // The connection must live until the task ends. TLS errors have their text in net::last_tls_error().
  net::Task<base::Result<std::unique_ptr<net::Stream>>> connect(const control::Connection& connection, net::Wait wait);

  // Certificates and authorities are read again for the next connection: a reload may have changed the files.
  void forget_contexts() { contexts_.clear(); }

  // What the files of `connection` are good for, tried once: an operator's mistake should stop a reload, not calls.
  // Says nothing about a connection that names no file of its own.
  static base::Result<void> check(const control::Connection& connection);

 private:
  base::Result<net::TlsClientContext*> context_for(const control::Connection& connection);
  net::Task<base::Result<std::unique_ptr<net::Stream>>> dial(const control::Connection& connection, net::Wait wait);

  net::Network& network_;
  std::map<std::string, net::TlsClientContext> contexts_;
};

}  // namespace llmgw::gateway
