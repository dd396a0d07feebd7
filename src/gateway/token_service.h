// A worker's access tokens for one set of credentials. What is fetched is the whole process's
// (gateway/shared_tokens.h); the worker whose call came first fetches it, over the connection's own proxy and TLS
// settings. Calls wait only where there is no token yet. One thread, the loop's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "control/snapshot.h"
#include "gateway/shared_tokens.h"
#include "gateway/worker.h"
#include "http/pool.h"
#include "net/io.h"
#include "providers/token_source.h"
#include "telemetry/log.h"

namespace llmgw::gateway {

// For the whole exchange with the token endpoint, which answers within half a second.
inline constexpr base::Duration kTokenFetchTimeout = std::chrono::seconds(20);

class TokenService {
 public:
  // `connection` is one with upstream.google; its endpoint is replaced by the token endpoint.
  TokenService(net::Loop& loop, telemetry::Log& log, std::shared_ptr<SharedToken> token,
               const control::Connection& connection, ConnectUpstream connect, const ProxyOf& proxy_of);
  TokenService(const TokenService&) = delete;
  TokenService& operator=(const TokenService&) = delete;
  ~TokenService();

  // What two connections that may share tokens have in common. Holds no secret.
  static std::string identity(const control::Connection& connection);

  // The value of the Authorization header, in the arena.
  net::Task<base::Result<std::string_view>> authorization(base::Arena& arena, net::Wait wait);
  // The provider answered 401 to it. True if asking again is worth while.
  bool refused(std::string_view authorization);

 private:
  net::Task<void> fetch();
  net::Task<base::Result<providers::AccessToken>> exchange();

  net::Loop& loop_;
  telemetry::Log& log_;
  control::Connection connection_;
  ConnectUpstream connect_;
  std::string origin_;  // of a forward proxy's absolute form; empty: none
  base::Secret proxy_authorization_;
  std::shared_ptr<SharedToken> token_;
  // What the shared one said last.
  base::Secret header_;
  base::Instant certain_until_{};
  uint64_t version_ = 0;
  bool fetches_ = false;
  net::Signal changed_;
  SharedToken::Listener listener_;
  http::Pool pool_;
  net::TaskGroup tasks_;
};

}  // namespace llmgw::gateway
