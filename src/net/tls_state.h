// What stands behind the TLS contexts and streams. Internal to net; one thread.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "net/tls.h"

struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;

namespace llmgw::net::detail {

struct SslDeleter {
  void operator()(ssl_st* ssl) const;
  void operator()(ssl_ctx_st* context) const;
  void operator()(ssl_session_st* session) const;
};
using SslPtr = std::unique_ptr<ssl_st, SslDeleter>;
using SslContextPtr = std::unique_ptr<ssl_ctx_st, SslDeleter>;
using SslSessionPtr = std::unique_ptr<ssl_session_st, SslDeleter>;

// The newest session of each server ("name:port"), the least recently used forgotten first.
class TlsSessionCache {
 public:
  static constexpr size_t kSessionsMax = 256;  // a session with its chain takes some 5 KiB: at most 1.3 MiB a worker

  void put(const std::string& server, SslSessionPtr session);
  ssl_session_st* find(const std::string& server);  // null: none
  size_t size() const { return by_server_.size(); }

 private:
  struct Entry {
    std::string server;
    SslSessionPtr session;
  };
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_server_;
};

class TlsServerState {
 public:
  base::Result<void> load(const TlsServerOptions& options);
  ssl_ctx_st* default_context() const { return contexts_.front().get(); }
  // The context whose certificate is for `name`; null: none.
  ssl_ctx_st* find(std::string_view name) const;
  const std::string& alpn() const { return alpn_; }

 private:
  base::Result<void> add_certificate(const TlsServerOptions& options, const TlsCertificateFiles& files);
  base::Result<SslContextPtr> new_context(const TlsServerOptions& options);

  std::vector<SslContextPtr> contexts_;
  std::map<std::string, ssl_ctx_st*, std::less<>> by_name_;  // lower case; "*.example.com" as it stands
  std::string alpn_;                                         // wire form: length-prefixed names
  base::Secret ticket_keys_;
};

class TlsClientState {
 public:
  base::Result<void> load(const TlsClientOptions& options);
  ssl_ctx_st* context() const { return context_.get(); }
  bool verify() const { return verify_; }
  bool resumption() const { return resumption_; }
  TlsSessionCache& sessions() { return sessions_; }

 private:
  SslContextPtr context_;
  bool verify_ = true;
  bool resumption_ = true;
  TlsSessionCache sessions_;
};

// Called by OpenSSL when a server has given our client a session to keep.
int on_new_client_session(ssl_st* ssl, ssl_session_st* session);

// What to verify of the server and to send as SNI.
base::Result<void> set_server_name(ssl_st* ssl, const std::string& name, bool verify);

void clear_tls_errors();
// Takes the reason from OpenSSL's queue and the verification result of `ssl` (may be null), keeps the text for
// last_tls_error(), and returns it as an Error.
base::Error take_tls_error(const ssl_st* ssl, base::ErrorCode code, std::string_view what);
void set_last_tls_error(std::string_view what, std::string_view reason);

}  // namespace llmgw::net::detail
