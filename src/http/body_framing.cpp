#include "http/body_framing.h"

#include <algorithm>

namespace llmgw::http {

using base::ErrorCode;

BodyReader::BodyReader(Framing framing, uint64_t content_length, uint64_t body_bytes_max, const ChunkedLimits& limits)
    : framing_(framing),
      remaining_(framing == Framing::content_length ? content_length : 0),
      body_bytes_max_(body_bytes_max),
      chunked_(limits) {}

base::Result<BodyPiece> BodyReader::feed(std::string_view bytes) {
  BodyPiece piece;
  switch (framing_) {
    case Framing::none: break;
    case Framing::content_length:
      if (remaining_ > body_bytes_max_ - body_bytes_) return base::fail(ErrorCode::too_large, "body too large");
      piece.data = bytes.substr(0, std::min<uint64_t>(bytes.size(), remaining_));
      piece.consumed = piece.data.size();
      remaining_ -= piece.consumed;
      break;
    case Framing::chunked: {
      TRY(decoded, chunked_.feed(bytes));
      piece = decoded;
      // The size that is announced is enough to refuse it: the data might be slow in coming, or never come.
      if (chunked_.announced_bytes() > body_bytes_max_) return base::fail(ErrorCode::too_large, "body too large");
      break;
    }
    case Framing::until_close:
      if (!closed_) piece.data = bytes;
      piece.consumed = piece.data.size();
      break;
  }
  if (piece.data.size() > body_bytes_max_ - body_bytes_) {
    body_bytes_max_ = body_bytes_;  // every later byte is refused as well
    return base::fail(ErrorCode::too_large, "body too large");
  }
  body_bytes_ += piece.data.size();
  piece.done = done();
  return piece;
}

base::Result<void> BodyReader::end_of_stream() {
  closed_ = true;
  if (done()) return {};
  return base::fail(ErrorCode::protocol, "connection closed inside a body");
}

bool BodyReader::done() const {
  switch (framing_) {
    case Framing::none: return true;
    case Framing::content_length: return remaining_ == 0;
    case Framing::chunked: return chunked_.done();
    case Framing::until_close: return closed_;
  }
  return true;
}

}  // namespace llmgw::http
