// Finds where the body of an HTTP/1.1 message ends and hands out its bytes without copying them, for all four
// framings of RFC 9112, section 6.3. Pure. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "http/chunked.h"
#include "http/message.h"

namespace llmgw::http {

class BodyReader {
 public:
  // A reader of no body, done at once.
  BodyReader() = default;
  // More than `body_bytes_max` bytes of body are too_large. `content_length` counts with Framing::content_length only.
  BodyReader(Framing framing, uint64_t content_length, uint64_t body_bytes_max = UINT64_MAX,
             const ChunkedLimits& limits = {});
  template <class Head>
  static BodyReader of(const Head& head, uint64_t body_bytes_max = UINT64_MAX) {
    return BodyReader(head.framing, head.content_length, body_bytes_max);
  }

  // Takes bytes from the front of `bytes`: one piece of data (possibly none) and the framing around it. Call again with
  // what is left while the piece is not done and bytes remain. What is behind `consumed` once done belongs to the next
  // message. Errors: protocol, too_large; they repeat.
  base::Result<BodyPiece> feed(std::string_view bytes);
  // The peer ended the connection. An error (protocol) if that cuts the body short.
  base::Result<void> end_of_stream();

  bool done() const;
  uint64_t body_bytes() const { return body_bytes_; }  // handed out so far
  // Bytes that must still come; only with Framing::content_length, else 0.
  uint64_t remaining() const { return framing_ == Framing::content_length ? remaining_ : 0; }
  // Appends the trailers that may be passed on; once done, and while this object lives. Only chunked bodies have any.
  void trailers(Headers& headers) const { chunked_.trailers(headers); }

 private:
  Framing framing_ = Framing::none;
  bool closed_ = false;
  uint64_t remaining_ = 0;
  uint64_t body_bytes_ = 0;
  uint64_t body_bytes_max_ = UINT64_MAX;
  ChunkedDecoder chunked_;
};

}  // namespace llmgw::http
