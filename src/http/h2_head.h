// HTTP/2 heads: decoded header fields in, RequestHead or ResponseHead out (RFC 9113, section 8). Pure. One thread.
// What HTTP/2 itself forbids (order and choice of pseudo headers, upper case, connection-specific fields) nghttp2 has
// refused before; here is what the HTTP/1.1 parser refuses too, with the same errors, so that a request means the same
// whichever version carried it.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/arena.h"
#include "http/h1_parser.h"
#include "http/message.h"

namespace llmgw::http {

// Collects the fields of one head. The views of the finished head live as long as this object.
class H2HeadBuilder {
 public:
  // How far a head may go above its limits and still be read to its end, so that it can be answered with 431.
  static constexpr size_t kToleratedTimes = 4;

  explicit H2HeadBuilder(const HeadLimits& limits) : limits_(limits) {}

  // A field in the order they came; the views need not outlive the call. False when the sender goes so far beyond the
  // limits that reading on would only be work for us.
  bool add(std::string_view name, std::string_view value, Headers& headers);
  // A field was no valid header.
  void refuse(ParseError error) {
    if (error_ == ParseError::none) error_ = error;
  }

  // The head is complete. `end_stream`: no body follows. `headers` of the head are those add() was given.
  ParseError finish_request(bool end_stream, RequestHead& head);
  ParseError finish_response(bool end_stream, Method request_method, ResponseHead& head);

  // Forgets an interim head.
  void clear(Headers& headers);

 private:
  void add_pseudo(std::string_view name, std::string_view value);
  ParseError check_authority(RequestHead& head) const;
  void join_cookies(Headers& headers);

  HeadLimits limits_;
  base::Arena arena_;
  size_t bytes_ = 0;
  size_t fields_ = 0;
  ParseError error_ = ParseError::none;
  std::string_view method_;
  std::string_view scheme_;
  std::string_view authority_;
  std::string_view path_;
  std::string_view status_;
};

}  // namespace llmgw::http
