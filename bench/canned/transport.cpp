#include "bench/canned/transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <string>
#include <string_view>

namespace llmgw::bench {

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

bool TlsContext::load(const std::string& certificate_file, const std::string& key_file) {
  context_ = SSL_CTX_new(TLS_server_method());
  if (context_ == nullptr || SSL_CTX_use_certificate_chain_file(context_, certificate_file.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context_, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    ERR_print_errors_fp(stderr);
    return false;
  }
  SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context_, 1);
  return true;
}

Transport::Transport(int descriptor, ssl_ctx_st* context) : descriptor_(descriptor) {
  if (context == nullptr) return;
  tls_ = SSL_new(context);
  if (tls_ == nullptr) return;
  SSL_set_fd(tls_, descriptor_);
  SSL_set_accept_state(tls_);
}

Transport::~Transport() {
  SSL_free(tls_);
  close(descriptor_);
}

bool Transport::has_buffered() const {
  return tls_ != nullptr && SSL_has_pending(tls_) == 1;
}

Transport::Outcome Transport::tls_outcome(int result) {
  if (result > 0) return {Status::ok, static_cast<size_t>(result)};
  const int error = SSL_get_error(tls_, result);
  ERR_clear_error();
  const bool again = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  return {again ? Status::again : Status::closed, 0};
}

Transport::Outcome Transport::read(char* buffer, size_t size) {
  if (tls_ != nullptr) {
    return tls_outcome(
        SSL_read(tls_, buffer, static_cast<int>(std::min<size_t>(size, std::numeric_limits<int>::max()))));
  }
  const ssize_t result = recv(descriptor_, buffer, size, 0);
  if (result > 0) return {Status::ok, static_cast<size_t>(result)};
  const bool again = result < 0 && (errno == EAGAIN || errno == EINTR);
  return {again ? Status::again : Status::closed, 0};
}

Transport::Outcome Transport::write(std::string_view bytes) {
  if (tls_ != nullptr) {
    return tls_outcome(SSL_write(tls_, bytes.data(),
                                 static_cast<int>(std::min<size_t>(bytes.size(), std::numeric_limits<int>::max()))));
  }
  const ssize_t result = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (result >= 0) return {Status::ok, static_cast<size_t>(result)};
  const bool again = errno == EAGAIN || errno == EINTR;
  return {again ? Status::again : Status::closed, 0};
}

}  // namespace llmgw::bench
