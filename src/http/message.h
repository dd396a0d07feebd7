// The heads of HTTP messages as the gateway sees them, whichever version carried them: the HTTP/1.1 parser
// (http/h1_parser.h) and the HTTP/2 codec fill the same structs. RFC 9110, RFC 9112, RFC 9113.
// Every view points into the bytes the head was read from; whoever keeps a head keeps those bytes. One thread.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace llmgw::http {

// The header names that some part of the gateway asks for. In lower case; the order means nothing.
#define LLMGW_HTTP_HEADERS(X)                                         \
  X(host, "host")                                                     \
  X(connection, "connection")                                         \
  X(content_length, "content-length")                                 \
  X(transfer_encoding, "transfer-encoding")                           \
  X(keep_alive, "keep-alive")                                         \
  X(proxy_connection, "proxy-connection")                             \
  X(proxy_authenticate, "proxy-authenticate")                         \
  X(proxy_authorization, "proxy-authorization")                       \
  X(te, "te")                                                         \
  X(trailer, "trailer")                                               \
  X(upgrade, "upgrade")                                               \
  X(expect, "expect")                                                 \
  X(http2_settings, "http2-settings")                                 \
  X(authorization, "authorization")                                   \
  X(www_authenticate, "www-authenticate")                             \
  X(x_api_key, "x-api-key")                                           \
  X(api_key, "api-key")                                               \
  X(x_goog_api_key, "x-goog-api-key")                                 \
  X(x_goog_user_project, "x-goog-user-project")                       \
  X(x_goog_api_client, "x-goog-api-client")                           \
  X(cookie, "cookie")                                                 \
  X(set_cookie, "set-cookie")                                         \
  X(content_type, "content-type")                                     \
  X(content_encoding, "content-encoding")                             \
  X(content_disposition, "content-disposition")                       \
  X(content_range, "content-range")                                   \
  X(accept, "accept")                                                 \
  X(accept_encoding, "accept-encoding")                               \
  X(accept_language, "accept-language")                               \
  X(user_agent, "user-agent")                                         \
  X(origin, "origin")                                                 \
  X(referer, "referer")                                               \
  X(range, "range")                                                   \
  X(etag, "etag")                                                     \
  X(vary, "vary")                                                     \
  X(age, "age")                                                       \
  X(date, "date")                                                     \
  X(server, "server")                                                 \
  X(via, "via")                                                       \
  X(location, "location")                                             \
  X(cache_control, "cache-control")                                   \
  X(max_forwards, "max-forwards")                                     \
  X(forwarded, "forwarded")                                           \
  X(x_forwarded_for, "x-forwarded-for")                               \
  X(x_forwarded_proto, "x-forwarded-proto")                           \
  X(x_forwarded_host, "x-forwarded-host")                             \
  X(x_real_ip, "x-real-ip")                                           \
  X(x_accel_buffering, "x-accel-buffering")                           \
  X(alt_svc, "alt-svc")                                               \
  X(strict_transport_security, "strict-transport-security")           \
  X(access_control_request_method, "access-control-request-method")   \
  X(access_control_request_headers, "access-control-request-headers") \
  X(sec_websocket_key, "sec-websocket-key")                           \
  X(sec_websocket_accept, "sec-websocket-accept")                     \
  X(sec_websocket_version, "sec-websocket-version")                   \
  X(sec_websocket_protocol, "sec-websocket-protocol")                 \
  X(sec_websocket_extensions, "sec-websocket-extensions")             \
  X(traceparent, "traceparent")                                       \
  X(tracestate, "tracestate")                                         \
  X(baggage, "baggage")                                               \
  X(idempotency_key, "idempotency-key")                               \
  X(x_request_id, "x-request-id")                                     \
  X(request_id, "request-id")                                         \
  X(apim_request_id, "apim-request-id")                               \
  X(retry_after, "retry-after")                                       \
  X(retry_after_ms, "retry-after-ms")                                 \
  X(x_should_retry, "x-should-retry")                                 \
  X(anthropic_version, "anthropic-version")                           \
  X(anthropic_beta, "anthropic-beta")                                 \
  X(openai_organization, "openai-organization")                       \
  X(openai_project, "openai-project")                                 \
  X(openai_beta, "openai-beta")                                       \
  X(openai_version, "openai-version")                                 \
  X(openai_processing_ms, "openai-processing-ms")

enum class HeaderId : uint8_t {
  other,  // every name the table does not hold
#define LLMGW_HTTP_HEADER_ID(id, text) id,
  LLMGW_HTTP_HEADERS(LLMGW_HTTP_HEADER_ID)
#undef LLMGW_HTTP_HEADER_ID
};
#define LLMGW_HTTP_HEADER_COUNT(id, text) +1
inline constexpr size_t kHeaderIds = 1 LLMGW_HTTP_HEADERS(LLMGW_HTTP_HEADER_COUNT);
#undef LLMGW_HTTP_HEADER_COUNT

// `name` must be a token (RFC 9110, section 5.6.2); letter case does not matter.
HeaderId header_id(std::string_view name);
// In lower case; empty for `other`.
std::string_view header_name(HeaderId id);
// Those that belong to one connection and are never passed on (RFC 9110, section 7.6.1), `te`, `trailer`,
// `upgrade` and the proxy-* family included. Names listed in a Connection header come on top: see named_in_connection.
bool is_hop_by_hop(HeaderId id);

struct Header {
  std::string_view name;   // as it came; in lower case from HTTP/2
  std::string_view value;  // without surrounding spaces and tabs
  HeaderId id = HeaderId::other;
  bool checked = false;  // read by the strict parser (h1_parser.h), and so good to be written as it is
};

// The header fields of one message in the order they came, duplicates kept. Up to kInline of them need no allocation.
class Headers {
 public:
  static constexpr size_t kInline =
      32;                              // what SDKs send behind two proxies and a CDN; every stream keeps a few of these
  static constexpr size_t kMax = 128;  // nobody needs more; bounds the work of every filter that walks them

  Headers() : data_(reinterpret_cast<Header*>(inline_.data())) {}
  Headers(const Headers& other) : Headers() { *this = other; }
  Headers& operator=(const Headers& other);
  ~Headers() = default;

  // False, and nothing added, when kMax are there already.
  bool append(const Header& header);
  bool append(HeaderId id, std::string_view name, std::string_view value) { return append(Header{name, value, id}); }
  bool append(std::string_view name, std::string_view value) { return append(header_id(name), name, value); }
  bool append(HeaderId id, std::string_view value) { return append(id, header_name(id), value); }

  bool has(HeaderId id) const { return present_[static_cast<size_t>(id)]; }
  // Whether the id came more than once. Not kept for `other`.
  bool repeated(HeaderId id) const { return repeated_[static_cast<size_t>(id)]; }
  // The first of that id or name; null when there is none.
  const Header* find(HeaderId id) const;
  const Header* find(std::string_view name) const;
  // The first's value; empty when there is none.
  std::string_view value(HeaderId id) const;
  std::string_view value(std::string_view name) const;
  size_t count(HeaderId id) const;
  size_t count(std::string_view name) const;
  // Removes all of that id and returns how many there were; the others keep their order.
  size_t remove(HeaderId id);

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const Header& operator[](size_t index) const { return data_[index]; }
  const Header* begin() const { return data_; }
  const Header* end() const { return data_ + size_; }
  // Keeps the memory it grew to.
  void clear();

 private:
  void spill();

  // Not initialised: a head costs nothing to make.
  alignas(Header) std::array<std::byte, kInline * sizeof(Header)> inline_;
  Header* data_;
  size_t size_ = 0;
  size_t capacity_ = kInline;
  std::unique_ptr<Header[]> spilled_;
  std::bitset<kHeaderIds> present_;
  std::bitset<kHeaderIds> repeated_;
};

inline bool Headers::append(const Header& header) {
  if (size_ == capacity_) [[unlikely]] {
    if (capacity_ == kMax) return false;
    spill();
  }
  const size_t bit = static_cast<size_t>(header.id);
  if (header.id != HeaderId::other && present_[bit]) repeated_[bit] = true;
  present_[bit] = true;
  std::construct_at(data_ + size_, header);
  ++size_;
  return true;
}

// Whether one of the comma-separated members of the Connection headers is `name`, letter case aside.
bool named_in_connection(const Headers& headers, std::string_view name);
// Whether one of the comma-separated members of `list` is `member`, letter case aside. Quoted strings are not known.
bool list_contains(std::string_view list, std::string_view member);

enum class Method : uint8_t { get, head, post, put, delete_, options, patch, trace, connect, other };
Method method_of(std::string_view text);
std::string_view to_string(Method method);  // "GET"; empty for `other`

enum class Version : uint8_t { http_1_0, http_1_1, http_2 };

// How the end of the body is known.
enum class Framing : uint8_t {
  none,            // no body
  content_length,  // that many bytes
  chunked,         // HTTP/1.1 chunked coding
  until_close,     // HTTP/1: up to the end of the connection, responses only. HTTP/2: up to END_STREAM
};

struct RequestHead {
  Method method = Method::other;
  std::string_view method_text;
  std::string_view target;     // as it came: "/v1/models?limit=1", "*", or a whole URI; HTTP/2: the :path
  std::string_view scheme;     // "http" or "https" where the message said so (absolute form, :scheme), else empty
  std::string_view authority;  // host and port: the Host header or :authority. Empty only in HTTP/1.0
  std::string_view path;       // not decoded; starts with '/', or is "*" (OPTIONS)
  std::string_view query;      // without its '?'
  Version version = Version::http_1_1;
  Headers headers;
  Framing framing = Framing::none;
  uint64_t content_length = 0;   // with Framing::content_length
  bool keep_alive = true;        // the connection may carry another request after this one
  bool expect_continue = false;  // there is a body, and the client waits for "100 Continue" before it sends it
  std::string_view upgrade;      // the Upgrade header, when Connection lists it; a comma-separated list
};

struct ResponseHead {
  uint16_t status = 0;      // 100 to 599
  std::string_view reason;  // may be empty; always is in HTTP/2
  Version version = Version::http_1_1;
  Headers headers;
  Framing framing = Framing::none;
  uint64_t content_length = 0;  // with Framing::content_length
  bool keep_alive = true;       // the connection may be used again once the body has been read
  std::string_view upgrade;     // 101 only: what the connection speaks from now on

  // 100 to 199 but 101: another head of the same response follows.
  bool interim() const { return status < 200 && status != 101; }
};

// The standard phrase for a status, "Unknown" for one that has none.
std::string_view reason_phrase(uint16_t status);

}  // namespace llmgw::http
