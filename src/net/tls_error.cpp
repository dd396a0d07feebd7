#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "net/tls_state.h"

namespace llmgw::net {
namespace {

struct LastError {
  char text[255];
  size_t size = 0;

  void append(std::string_view part) {
    const size_t count = std::min(part.size(), sizeof text - size);
    std::memcpy(text + size, part.data(), count);
    size += count;
  }
};
thread_local LastError last_error;

}  // namespace

std::string_view last_tls_error() {
  return {last_error.text, last_error.size};
}

void ignore_sigpipe() {
  std::signal(SIGPIPE, SIG_IGN);
}

namespace detail {

void clear_tls_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

void set_last_tls_error(std::string_view what, std::string_view reason) {
  last_error.size = 0;
  last_error.append(what);
  if (!reason.empty()) {
    last_error.append(": ");
    last_error.append(reason);
  }
}

base::Error take_tls_error(const ssl_st* ssl, base::ErrorCode code, std::string_view what) {
  const unsigned long first = ERR_peek_error();
  const char* reason = nullptr;
  if (ssl != nullptr && ERR_GET_LIB(first) == ERR_LIB_SSL && ERR_GET_REASON(first) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    const long verification = SSL_get_verify_result(ssl);
    if (verification != X509_V_OK) reason = X509_verify_cert_error_string(verification);
  }
  int os_error = 0;
  if (reason == nullptr && ERR_SYSTEM_ERROR(first)) {
    os_error = ERR_GET_REASON(first);
    reason = "the file cannot be read";
  }
  // OpenSSL's reason texts are static, so they may stand in an Error.
  if (reason == nullptr && first != 0) reason = ERR_reason_error_string(first);
  if (reason == nullptr) reason = "unknown reason";
  set_last_tls_error(what, reason);
  if (os_error != 0) {
    last_error.append(": ");
    last_error.append(std::strerror(os_error));
  }
  ERR_clear_error();
  return {code, reason, os_error};
}

}  // namespace detail
}  // namespace llmgw::net
