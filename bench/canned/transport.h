// A non-blocking descriptor with or without TLS on it. One thread. Owns both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;

namespace llmgw::bench {

// Server side of TLS: certificate and key, session tickets as OpenSSL has them by default.
class TlsContext {
 public:
  TlsContext() = default;
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // False, with the reason on stderr, if the files cannot be used.
  bool load(const std::string& certificate_file, const std::string& key_file);
  ssl_ctx_st* get() const { return context_; }

 private:
  ssl_ctx_st* context_ = nullptr;
};

class Transport {
 public:
  // Of an operation: bytes moved, or 0 and why not.
  enum class Status : uint8_t { ok, again, closed };
  struct Outcome {
    Status status = Status::ok;
    size_t bytes = 0;
  };

  // Takes the descriptor over. `context` null: plain TCP.
  Transport(int descriptor, ssl_ctx_st* context);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  int descriptor() const { return descriptor_; }
  // True if decrypted bytes wait inside, which epoll cannot know.
  bool has_buffered() const;
  Outcome read(char* buffer, size_t size);
  Outcome write(std::string_view bytes);

 private:
  Outcome tls_outcome(int result);

  int descriptor_;
  ssl_st* tls_ = nullptr;
};

}  // namespace llmgw::bench
