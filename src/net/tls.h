// TLS on any stream, by OpenSSL 3: version 1.2 or 1.3, no compression, no renegotiation.
//
// A TlsStream owns the stream below, shares its readiness and moves its bytes through OpenSSL, so TLS works on TCP, on
// Unix-domain sockets and in the simulated world alike. What it adds to the contract of Stream:
//  - A write that returned would_block_* must be followed by the same bytes, in buffers cut anyhow; or by nothing.
//  - An end of the connection without close_notify is the error `reset`, never eof: a cut stream must not look
//  finished.
//  - shutdown_write() sends close_notify; destroying without it does not, so the peer sees a cut stream.
//
// Contexts belong to one worker: build one a thread. Errors are `tls` with the reason as static context;
// last_tls_error() has the longer text for a log line.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/task.h"

namespace llmgw::net {

namespace detail {
class TlsServerState;
class TlsClientState;
}  // namespace detail

struct TlsCertificateFiles {
  std::string chain_file = {};  // PEM, the server's or client's own certificate first
  std::string key_file = {};    // PEM, not encrypted
};

enum class TlsVersion : uint8_t { tls_1_2, tls_1_3 };
enum class TlsClientCertificates : uint8_t { ignored, optional, required };

inline constexpr size_t kTlsTicketKeyBytes = 80;  // OpenSSL's layout: name 16, HMAC key 32, AES key 32

struct TlsServerOptions {
  // The first is the default; the others are chosen by SNI from the names in the certificates (exact, or a wildcard
  // for one label). Certificates for the same names but of another key type (RSA, ECDSA) are both offered.
  std::vector<TlsCertificateFiles> certificates = {};
  TlsVersion minimum_version = TlsVersion::tls_1_2;
  TlsClientCertificates client_certificates = TlsClientCertificates::ignored;
  std::string client_ca_file = {};     // PEM; needed unless client certificates are ignored
  std::vector<std::string> alpn = {};  // in order of preference; a client that offers none of them is refused
  bool resumption = true;              // session tickets
  // make_tls_ticket_keys(), the same for every worker, so that a ticket of one is good at the others; empty: random.
  base::Secret ticket_keys = {};
};

// To put new certificates in force, create a new context and assign it: connections that run, and handshakes that are
// under way, keep the old one.
class TlsServerContext {
 public:
  // Reads the files. invalid_argument: see last_tls_error().
  static base::Result<TlsServerContext> create(const TlsServerOptions& options);
  const std::shared_ptr<detail::TlsServerState>& state() const { return state_; }

 private:
  explicit TlsServerContext(std::shared_ptr<detail::TlsServerState> state) : state_(std::move(state)) {}
  std::shared_ptr<detail::TlsServerState> state_;
};

struct TlsClientOptions {
  bool verify = true;                    // the chain and the name; off only for tests and on a user's explicit wish
  std::string ca_file = {};              // PEM; empty: the system's authorities
  bool system_too = false;               // trust the system's authorities beside those of ca_file
  TlsCertificateFiles certificate = {};  // empty: none
  std::vector<std::string> alpn = {};
  TlsVersion minimum_version = TlsVersion::tls_1_2;
  bool resumption = true;
};

class TlsClientContext {
 public:
  // Reads the files. invalid_argument: see last_tls_error().
  static base::Result<TlsClientContext> create(const TlsClientOptions& options);
  const std::shared_ptr<detail::TlsClientState>& state() const { return state_; }

 private:
  explicit TlsClientContext(std::shared_ptr<detail::TlsClientState> state) : state_(std::move(state)) {}
  std::shared_ptr<detail::TlsClientState> state_;
};

// Handshakes. The stream is closed when they fail. The context is used before the first suspension only.
Task<base::Result<std::unique_ptr<Stream>>> tls_accept(std::unique_ptr<Stream> stream, TlsServerContext& context,
                                                       Wait wait);
// `server_name` is a host name or an IP address (brackets allowed): sent as SNI (names only) and checked against the
// certificate. It must stay valid until the task's first suspension.
Task<base::Result<std::unique_ptr<Stream>>> tls_connect(std::unique_ptr<Stream> stream, TlsClientContext& context,
                                                        std::string_view server_name, Wait wait);

struct TlsInfo {
  std::string_view version;      // "TLSv1.3"
  std::string_view cipher;       // OpenSSL's name
  std::string_view server_name;  // the SNI of the connection, empty if none
  bool resumed = false;
};
// Only for a stream whose is_tls() is true. The views live as long as the stream.
TlsInfo tls_info(const Stream& stream);
// The verified peer's subject in RFC 2253 form ("CN=client,O=..."), empty without a certificate.
std::string tls_peer_subject(const Stream& stream);

// Why the last TLS operation on this thread failed, for a log line; at most 255 bytes. Valid until the next failure.
std::string_view last_tls_error();

base::Secret make_tls_ticket_keys();

// Our own writes never raise SIGPIPE; this covers libraries and log pipes. Called once by main.
void ignore_sigpipe();

}  // namespace llmgw::net
