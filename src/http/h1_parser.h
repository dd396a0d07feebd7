// HTTP/1.1 heads: bytes in, RequestHead or ResponseHead out. Pure and zero-copy: the views of the head point into the
// bytes given. RFC 9112 and RFC 9110, read strictly: what two parsers could understand differently is refused, because
// that is what request smuggling is made of. One thread.
//
// How to read a head that arrives in pieces: parse at once; on `incomplete` keep the bytes, read more, and parse again
// only when a HeadScanner says so, which keeps the whole linear even at one byte a read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace llmgw::http {

inline constexpr size_t kHeadBytesMax = 64 * 1024;   // long tokens and cookies behind SSO proxies reach 30 KB
inline constexpr size_t kTargetBytesMax = 8 * 1024;  // Azure and Gemini paths with key and filters stay below 2 KB
inline constexpr size_t kMethodBytesMax = 32;        // the longest registered one, UPDATEREDIRECTREF, has 17
// A sum of a length and what is in memory still fits in 64 bits, signed or not.
inline constexpr uint64_t kContentLengthMax = INT64_MAX;

struct HeadLimits {
  size_t head_bytes_max = kHeadBytesMax;
  size_t target_bytes_max = kTargetBytesMax;
  size_t headers_max = Headers::kMax;               // at most Headers::kMax
  uint64_t content_length_max = kContentLengthMax;  // more is body_too_large; chunked bodies are counted elsewhere
};

enum class ParseError : uint8_t {
  none,
  bad_request_line,
  bad_method,
  bad_target,
  target_too_long,
  connect_refused,
  bad_version,
  unsupported_version,
  bad_status_line,
  head_too_large,
  too_many_headers,
  bad_header_name,
  bad_header_value,
  space_before_colon,
  folded_header,
  bare_line_feed,
  bare_carriage_return,
  missing_host,
  repeated_host,
  bad_host,
  host_differs_from_target,
  bad_content_length,
  repeated_content_length,
  body_too_large,
  body_not_allowed,
  length_and_encoding,
  bad_transfer_encoding,
  unsupported_transfer_encoding,
  encoding_in_http_1_0,
  unknown_expectation,
};

// What a server answers: 400, 413, 414, 417, 431, 501 or 505. For a response a client received it means nothing.
uint16_t http_status(ParseError error);
// Static text for logs and error bodies; holds nothing of the input.
const char* describe(ParseError error);
// protocol, or too_large for the limits, or unsupported; with describe() as context.
base::Error to_error(ParseError error);

enum class ParseStatus : uint8_t { complete, incomplete, error };

struct ParseResult {
  ParseStatus status = ParseStatus::incomplete;
  ParseError error = ParseError::none;
  size_t consumed = 0;  // on `complete`, the bytes of the head; the body, or the next message, starts there
};

// Reads one head from the start of `bytes`. One empty line before it is skipped (RFC 9112, section 2.2). The answer
// for a prefix is `incomplete` or the error the whole would give. `head` is filled on `complete` only.
ParseResult parse_request_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head);
// `request_method` is that of the request this answers: it decides whether there is a body (RFC 9112, section 6.3).
ParseResult parse_response_head(std::string_view bytes, const HeadLimits& limits, Method request_method,
                                ResponseHead& head);

// Remembers how far the bytes of one head were looked at for its end.
class HeadScanner {
 public:
  // Whether a parse of `bytes` will give something else than `incomplete`. `bytes` starts where the head starts and
  // holds at least what the previous call was given. Linear in the new bytes.
  bool ready(std::string_view bytes, size_t head_bytes_max = kHeadBytesMax);
  void reset() { scanned_ = 0; }

 private:
  size_t scanned_ = 0;
};

enum class PrefaceMatch : uint8_t { no, partial, yes };
inline constexpr std::string_view kH2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // RFC 9113, section 3.4
// Whether a connection's first bytes are HTTP/2's; `partial` while they are a proper prefix of the preface.
PrefaceMatch is_h2_preface(std::string_view bytes);

}  // namespace llmgw::http
