#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>

#include "base/text.h"
#include "net/address.h"
#include "net/tls_files.h"
#include "net/tls_state.h"

namespace llmgw::net {
namespace detail {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr size_t kAlpnNameBytesMax = 255;       // RFC 7301, section 3.1
constexpr size_t kClientCaBytesMax = 16 << 20;  // far above any bundle of authorities
constexpr size_t kServerNameBytesMax = 255;     // RFC 1035, section 2.3.4
constexpr long kTicketLifetimeSeconds = 2 * 60 * 60;

std::unexpected<base::Error> refuse(const char* context, std::string_view detail) {
  set_last_tls_error(context, detail);
  return fail(ErrorCode::invalid_argument, context);
}

std::unexpected<base::Error> refuse_file(const std::string& file) {
  return std::unexpected(take_tls_error(nullptr, ErrorCode::invalid_argument, file));
}

// The reason alone, for a message that names the file itself.
std::string take_file_error() {
  const base::Error error = take_tls_error(nullptr, ErrorCode::invalid_argument, "");
  return error.context;
}

// A key that needs a passphrase is refused instead of asking on the terminal.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

void set_common_options(SSL_CTX* context, TlsVersion minimum) {
  SSL_CTX_set_min_proto_version(context, minimum == TlsVersion::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_LEGACY_SERVER_CONNECT);
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_passwd_cb(context, &no_passphrase);
  // Forward secrecy and authenticated encryption only (RFC 9325, section 4.2); AES-128 first: the cheapest of them.
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
}

Result<std::string> alpn_wire(const std::vector<std::string>& names) {
  std::string wire;
  for (const std::string& name : names) {
    if (name.empty() || name.size() > kAlpnNameBytesMax) return refuse("an ALPN name has 1 to 255 bytes", name);
    wire.push_back(static_cast<char>(name.size()));
    wire += name;
  }
  return wire;
}

// The first of the two that OpenSSL does not take, with its reason in the queue.
std::optional<TlsFileFault::Kind> find_fault(SSL_CTX* context, const TlsCertificateFiles& files) {
  using Kind = TlsFileFault::Kind;
  if (SSL_CTX_use_certificate_chain_file(context, files.chain_file.c_str()) != 1) return Kind::certificate;
  if (SSL_CTX_use_PrivateKey_file(context, files.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    const unsigned long first = ERR_peek_error();
    const bool other = ERR_GET_LIB(first) == ERR_LIB_X509 && ERR_GET_REASON(first) == X509_R_KEY_VALUES_MISMATCH;
    return other ? Kind::pair : Kind::key;
  }
  if (SSL_CTX_check_private_key(context) != 1) return Kind::pair;
  return std::nullopt;
}

Result<void> use_certificate(SSL_CTX* context, const TlsCertificateFiles& files) {
  clear_tls_errors();
  const auto fault = find_fault(context, files);
  if (!fault) return {};
  return refuse_file(*fault == TlsFileFault::Kind::certificate ? files.chain_file : files.key_file);
}

// The DNS names of the context's newest certificate, in lower case; its common name if it has no alternative names.
std::vector<std::string> certificate_names(SSL_CTX* context) {
  std::vector<std::string> names;
  X509* certificate = SSL_CTX_get0_certificate(context);
  const auto add = [&](const ASN1_STRING* text) {
    std::string name(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), ASN1_STRING_length(text));
    std::ranges::transform(name, name.begin(), base::to_lower);
    names.push_back(std::move(name));
  };
  auto* alternatives =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type == GEN_DNS) add(name->d.dNSName);
  }
  if (alternatives == nullptr) {
    const X509_NAME* subject = X509_get_subject_name(certificate);
    const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (index >= 0) add(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
  }
  GENERAL_NAMES_free(alternatives);
  return names;
}

int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                unsigned offered_size, void* argument) {
  const std::string& ours = static_cast<TlsServerState*>(argument)->alpn();
  unsigned char* chosen = nullptr;
  const int result = SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                                           static_cast<unsigned>(ours.size()), offered, offered_size);
  *out = chosen;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int choose_certificate(SSL* ssl, int*, void* argument) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_CTX* context = static_cast<TlsServerState*>(argument)->find(name);
  if (context != nullptr) SSL_set_SSL_CTX(ssl, context);
  return SSL_TLSEXT_ERR_OK;
}

// Sessions are good only where the same authorities and the same strictness are in force: the ticket keys may outlive
// a reload that takes an authority away.
Result<void> set_session_scope(SSL_CTX* context, const TlsServerOptions& options) {
  std::string scope(1, static_cast<char>(options.client_certificates));
  if (options.client_certificates != TlsClientCertificates::ignored) {
    std::ifstream file(options.client_ca_file, std::ios::binary);
    scope.append(std::istreambuf_iterator<char>(file), {});
    if (!file || scope.size() > kClientCaBytesMax) {
      return refuse("the file of client authorities cannot be read", options.client_ca_file);
    }
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(scope.data(), scope.size(), digest.data(), &size, EVP_sha256(), nullptr);
  SSL_CTX_set_session_id_context(context, digest.data(), std::min(size, 32u));
  return {};
}

Result<void> set_client_verification(SSL_CTX* context, const TlsServerOptions& options) {
  TRY_VOID(set_session_scope(context, options));
  if (options.client_certificates == TlsClientCertificates::ignored) return {};
  const char* file = options.client_ca_file.c_str();
  if (SSL_CTX_load_verify_locations(context, file, nullptr) != 1) return refuse_file(options.client_ca_file);
  auto* names = SSL_load_client_CA_file(file);
  if (names == nullptr) return refuse_file(options.client_ca_file);
  SSL_CTX_set_client_CA_list(context, names);
  const bool required = options.client_certificates == TlsClientCertificates::required;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  return {};
}

}  // namespace

void SslDeleter::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}
void SslDeleter::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}
void SslDeleter::operator()(ssl_session_st* session) const {
  SSL_SESSION_free(session);
}

void TlsSessionCache::put(const std::string& server, SslSessionPtr session) {
  if (const auto found = by_server_.find(server); found != by_server_.end()) {
    found->second->session = std::move(session);
    entries_.splice(entries_.begin(), entries_, found->second);
    return;
  }
  if (entries_.size() >= kSessionsMax) {
    by_server_.erase(entries_.back().server);
    entries_.pop_back();
  }
  entries_.push_front({server, std::move(session)});
  by_server_[server] = entries_.begin();
}

ssl_session_st* TlsSessionCache::find(const std::string& server) {
  const auto found = by_server_.find(server);
  if (found == by_server_.end()) return nullptr;
  if (SSL_SESSION_is_resumable(found->second->session.get()) != 1) {
    entries_.erase(found->second);
    by_server_.erase(found);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->session.get();
}

Result<SslContextPtr> TlsServerState::new_context(const TlsServerOptions& options) {
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (!context) return refuse_file("SSL_CTX_new");
  set_common_options(context.get(), options.minimum_version);
  SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // tickets carry the session
  SSL_CTX_set_timeout(context.get(), kTicketLifetimeSeconds);
  if (options.resumption) {
    SSL_CTX_set_num_tickets(context.get(), 1);
    std::string keys(ticket_keys_.reveal());
    const auto set = SSL_CTX_set_tlsext_ticket_keys(context.get(), keys.data(), static_cast<long>(keys.size()));
    OPENSSL_cleanse(keys.data(), keys.size());
    if (set != 1) return refuse("ticket keys have 80 bytes", "");
  } else {
    SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context.get(), 0);
  }
  if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(context.get(), &choose_alpn, this);
  SSL_CTX_set_tlsext_servername_callback(context.get(), &choose_certificate);
  SSL_CTX_set_tlsext_servername_arg(context.get(), this);
  TRY_VOID(set_client_verification(context.get(), options));
  return context;
}

Result<void> TlsServerState::add_certificate(const TlsServerOptions& options, const TlsCertificateFiles& files) {
  TRY(context, new_context(options));
  TRY_VOID(use_certificate(context.get(), files));
  const auto names = certificate_names(context.get());
  const auto same = names.empty() ? by_name_.end() : by_name_.find(names.front());
  if (same != by_name_.end() && certificate_names(same->second) == names) {
    return use_certificate(same->second, files);
  }
  for (const std::string& name : names) by_name_.emplace(name, context.get());
  contexts_.push_back(std::move(context));
  return {};
}

Result<void> TlsServerState::load(const TlsServerOptions& options) {
  if (options.certificates.empty()) return refuse("a TLS server needs a certificate", "");
  TRY(alpn, alpn_wire(options.alpn));
  alpn_ = std::move(alpn);
  ticket_keys_ = options.ticket_keys.empty() ? make_tls_ticket_keys() : options.ticket_keys;
  for (const TlsCertificateFiles& files : options.certificates) TRY_VOID(add_certificate(options, files));
  return {};
}

ssl_ctx_st* TlsServerState::find(std::string_view name) const {
  std::string key(name);
  std::ranges::transform(key, key.begin(), base::to_lower);
  if (key.ends_with('.')) key.pop_back();
  if (const auto exact = by_name_.find(key); exact != by_name_.end()) return exact->second;
  const size_t dot = key.find('.');
  if (dot == std::string::npos) return nullptr;
  const auto wildcard = by_name_.find("*" + key.substr(dot));
  return wildcard != by_name_.end() ? wildcard->second : nullptr;
}

Result<void> set_server_name(ssl_st* ssl, const std::string& name, bool verify) {
  const auto no_memory = [] { return fail(take_tls_error(nullptr, ErrorCode::internal, "the server's name")); };
  if (name.empty() || name.size() > kServerNameBytesMax || name.find('\0') != std::string::npos) {
    if (name.empty() && !verify) return {};
    return fail(ErrorCode::invalid_argument, "a TLS server name has 1 to 255 bytes");
  }
  if (Address::from_ip(name, 0)) {
    if (verify && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str()) != 1) return no_memory();
    return {};
  }
  if (SSL_set_tlsext_host_name(ssl, name.c_str()) != 1) return no_memory();
  if (!verify) return {};
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (SSL_set1_host(ssl, name.c_str()) != 1) return no_memory();
  return {};
}

Result<void> TlsClientState::load(const TlsClientOptions& options) {
  verify_ = options.verify;
  resumption_ = options.resumption;
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!context_) return refuse_file("SSL_CTX_new");
  SSL_CTX* context = context_.get();
  set_common_options(context, options.minimum_version);
  if (verify_) {
    clear_tls_errors();
    const char* const file = options.ca_file.c_str();
    const bool system = options.ca_file.empty() || options.system_too;
    bool loaded = !system || SSL_CTX_set_default_verify_paths(context) == 1;
    if (!options.ca_file.empty()) loaded = loaded && SSL_CTX_load_verify_locations(context, file, nullptr) == 1;
    if (!loaded) return refuse_file(options.ca_file);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  if (!options.certificate.chain_file.empty()) TRY_VOID(use_certificate(context, options.certificate));
  TRY(alpn, alpn_wire(options.alpn));
  SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned>(alpn.size()));
  if (resumption_) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, &on_new_client_session);
  } else {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  }
  return {};
}

}  // namespace detail

base::Result<TlsServerContext> TlsServerContext::create(const TlsServerOptions& options) {
  auto state = std::make_shared<detail::TlsServerState>();
  TRY_VOID(state->load(options));
  return TlsServerContext(std::move(state));
}

base::Result<TlsClientContext> TlsClientContext::create(const TlsClientOptions& options) {
  auto state = std::make_shared<detail::TlsClientState>();
  TRY_VOID(state->load(options));
  return TlsClientContext(std::move(state));
}

std::optional<TlsFileFault> check_certificate_files(const TlsCertificateFiles& files) {
  const detail::SslContextPtr context(SSL_CTX_new(TLS_method()));
  if (!context) std::abort();  // no memory
  detail::set_common_options(context.get(), TlsVersion::tls_1_2);
  detail::clear_tls_errors();
  const auto kind = detail::find_fault(context.get(), files);
  if (!kind) return std::nullopt;
  return TlsFileFault{.kind = *kind, .reason = detail::take_file_error()};
}

std::optional<CertificateValidity> certificate_validity(const std::string& chain_file) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(chain_file.c_str(), "r"), &BIO_free);
  detail::clear_tls_errors();
  if (!file) return std::nullopt;
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr), &X509_free);
  detail::clear_tls_errors();
  if (!certificate) return std::nullopt;
  tm begin{};
  tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notBefore(certificate.get()), &begin) != 1) return std::nullopt;
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &end) != 1) return std::nullopt;
  return CertificateValidity{.not_before = base::WallTime(std::chrono::seconds(timegm(&begin))),
                             .not_after = base::WallTime(std::chrono::seconds(timegm(&end)))};
}

std::string check_authorities_file(const std::string& file) {
  const detail::SslContextPtr context(SSL_CTX_new(TLS_method()));
  if (!context) std::abort();  // no memory
  detail::clear_tls_errors();
  if (SSL_CTX_load_verify_locations(context.get(), file.c_str(), nullptr) == 1) return {};
  return detail::take_file_error();
}

base::Secret make_tls_ticket_keys() {
  std::array<unsigned char, kTlsTicketKeyBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) std::abort();  // no randomness: no security
  base::Secret keys(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return keys;
}

}  // namespace llmgw::net
