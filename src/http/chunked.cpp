#include "http/chunked.h"

#include <algorithm>

#include "http/h1_grammar.h"

namespace llmgw::http {
namespace {

using base::ErrorCode;
using grammar::is;

constexpr uint8_t kSizeDigitsMax = 16;
constexpr uint64_t kBodyMax = INT64_MAX;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Fields that would change the message's framing or destination had they come in its head.
bool forbidden_trailer(HeaderId id) {
  return id == HeaderId::content_length || id == HeaderId::transfer_encoding || id == HeaderId::host;
}

}  // namespace

bool ChunkedDecoder::fail(ErrorCode code, const char* why) {
  error_ = {code, why, 0};
  state_ = State::failed;
  return false;
}

base::Result<BodyPiece> ChunkedDecoder::feed(std::string_view bytes) {
  BodyPiece piece;
  while (state_ != State::done && state_ != State::failed && piece.consumed < bytes.size()) {
    if (state_ != State::data) {
      if (take_framing(bytes[piece.consumed])) ++piece.consumed;
      continue;
    }
    if (!piece.data.empty()) break;  // the next chunk's data is the next piece
    piece.data = bytes.substr(piece.consumed, std::min<uint64_t>(size_, bytes.size() - piece.consumed));
    piece.consumed += piece.data.size();
    size_ -= piece.data.size();
    if (size_ == 0) state_ = State::data_return;
  }
  if (state_ == State::failed && piece.data.empty()) return base::fail(error_);
  piece.done = done();
  return piece;
}

bool ChunkedDecoder::take_framing(char c) {
  switch (state_) {
    case State::size_start:
    case State::size: return take_size_line(c);
    case State::size_line_feed:
      if (c != '\n') return fail(ErrorCode::protocol, "chunk size line without line feed");
      state_ = size_ == 0 ? State::trailer_line : State::data;
      return true;
    case State::data_return:
      if (c != '\r') return fail(ErrorCode::protocol, "chunk longer than its size");
      state_ = State::data_line_feed;
      return true;
    case State::data_line_feed:
      if (c != '\n') return fail(ErrorCode::protocol, "chunk data without line feed");
      state_ = State::size_start;
      return true;
    case State::trailer_line: return take_trailer(c);
    default: return take_extension(c);
  }
}

bool ChunkedDecoder::take_size_line(char c) {
  const int digit = hex_value(c);
  if (state_ == State::size_start) {
    if (digit < 0) return fail(ErrorCode::protocol, "chunk size missing");
    state_ = State::size;
    size_ = 0;
    digits_ = 0;
  }
  if (digit < 0) return end_size(c);
  if (++digits_ > kSizeDigitsMax) return fail(ErrorCode::protocol, "chunk size has too many digits");
  size_ = size_ << 4 | static_cast<uint64_t>(digit);
  return true;
}

// What follows the size, or an extension: another extension or the end of the line.
bool ChunkedDecoder::end_size(char c) {
  if (c == ';') {
    state_ = State::extension_start;
    return true;
  }
  if (c != '\r') return fail(ErrorCode::protocol, "malformed chunk size");
  if (size_ > kBodyMax - total_) return fail(ErrorCode::too_large, "chunk size too large");
  total_ += size_;
  state_ = State::size_line_feed;
  return true;
}

// ";" token [ "=" ( token / quoted-string ) ], without the optional whitespace no sender may produce.
bool ChunkedDecoder::take_extension(char c) {
  if (++extension_bytes_ > limits_.extension_bytes_max) {
    return fail(ErrorCode::too_large, "chunk extensions too long");
  }
  switch (state_) {
    case State::extension_start:
    case State::extension_value_start:
      if (c == '"' && state_ == State::extension_value_start) {
        state_ = State::extension_quoted;
        return true;
      }
      if (!is(c, grammar::kToken)) return fail(ErrorCode::protocol, "malformed chunk extension");
      state_ = state_ == State::extension_start ? State::extension_name : State::extension_token;
      return true;
    case State::extension_name:
      if (c == '=') {
        state_ = State::extension_value_start;
        return true;
      }
      return is(c, grammar::kToken) || end_size(c);
    case State::extension_token: return is(c, grammar::kToken) || end_size(c);
    case State::extension_quoted:
      if (!is(c, grammar::kFieldValue)) return fail(ErrorCode::protocol, "malformed chunk extension");
      if (c == '"') state_ = State::extension_end;
      if (c == '\\') state_ = State::extension_escaped;
      return true;
    case State::extension_escaped:
      if (!is(c, grammar::kFieldValue)) return fail(ErrorCode::protocol, "malformed chunk extension");
      state_ = State::extension_quoted;
      return true;
    default: return end_size(c);
  }
}

// Collects whole lines; the empty one ends the message and has all of them checked.
bool ChunkedDecoder::take_trailer(char c) {
  if (trailers_.size() >= limits_.trailer_bytes_max) return fail(ErrorCode::too_large, "trailers too long");
  if (c != '\n' && trailers_.ends_with('\r')) return fail(ErrorCode::protocol, "trailer with a bare carriage return");
  trailers_.push_back(c);
  if (c != '\n') return true;
  const std::string_view line = std::string_view(trailers_).substr(line_start_);
  if (!line.ends_with("\r\n")) return fail(ErrorCode::protocol, "trailer without carriage return");
  line_start_ = trailers_.size();
  if (line.size() > 2) return true;
  Headers headers;
  const char* at = trailers_.data();
  ParseError error = ParseError::none;
  const size_t most = std::min(limits_.trailers_max, Headers::kMax);
  if (grammar::parse_fields(at, at + trailers_.size(), most, headers, error) != ParseStatus::complete) {
    const base::Error why = to_error(error);
    return fail(why.code, why.context);
  }
  for (const Header& header : headers) {
    if (forbidden_trailer(header.id)) return fail(ErrorCode::protocol, "trailer that must not be one");
  }
  state_ = State::done;
  return true;
}

void ChunkedDecoder::trailers(Headers& headers) const {
  if (!done()) return;
  Headers all;
  const char* at = trailers_.data();
  ParseError error = ParseError::none;
  grammar::parse_fields(at, at + trailers_.size(), Headers::kMax, all, error);
  for (const Header& header : all) {
    if (header.id == HeaderId::other || header.id == HeaderId::etag)
      headers.append(header.id, header.name, header.value);
  }
}

ChunkHeader::ChunkHeader(uint64_t size) : start_(kTextBytes - 2) {
  text_[kTextBytes - 2] = '\r';
  text_[kTextBytes - 1] = '\n';
  do {
    text_[--start_] = "0123456789abcdef"[size & 15];
    size >>= 4;
  } while (size != 0);
}

}  // namespace llmgw::http
