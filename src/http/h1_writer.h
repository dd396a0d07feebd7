// HTTP/1.1 heads as bytes, appended to the caller's buffer. A name that is no token or a value with a control character
// is refused, so nothing a client or an upstream sent can add a line (RFC 9110, section 5; RFC 9112). No allocation of
// its own; a std::string grows as it always does. One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace llmgw::http {

// A fixed piece of memory to append to, with the part of std::string's interface the writers need. What does not fit
// is dropped and remembered.
class HeadBuffer {
 public:
  explicit HeadBuffer(std::span<char> memory) : memory_(memory) {}
  void append(const char* bytes, size_t count);
  void push_back(char c) { append(&c, 1); }
  size_t size() const { return size_; }
  void resize(size_t size) { size_ = std::min(size, size_); }  // only ever cuts
  std::string_view view() const { return {memory_.data(), size_}; }
  bool overflowed() const { return overflowed_; }

 private:
  std::span<char> memory_;
  size_t size_ = 0;
  bool overflowed_ = false;
};

// Writes one head: a first line, headers, finish(). After the first refusal it writes nothing more, and finish() cuts
// the buffer back to where the head began. Sink is std::string or HeadBuffer and must outlive the writer.
template <class Sink>
class BasicHeadWriter {
 public:
  explicit BasicHeadWriter(Sink& out) : out_(&out), start_(out.size()) {}

  // "POST /v1/messages HTTP/1.1". The target must be visible ASCII.
  BasicHeadWriter& request_line(std::string_view method, std::string_view target);
  // "HTTP/1.1 200 OK". An empty reason becomes the standard phrase.
  BasicHeadWriter& status_line(uint16_t status, std::string_view reason = {});
  BasicHeadWriter& header(std::string_view name, std::string_view value);
  BasicHeadWriter& header(HeaderId id, std::string_view value) { return header(header_name(id), value); }
  // A field that a parser has read (Header::checked) is not looked at again.
  BasicHeadWriter& header(const Header& field) {
    if (!field.checked) return header(field.name, field.value);
    if (!refused_) put_line(field.name, {}, field.value);
    return *this;
  }
  // Two values written as one, for "Bearer " and a key.
  BasicHeadWriter& header(std::string_view name, std::string_view prefix, std::string_view value);
  BasicHeadWriter& number(HeaderId id, uint64_t value);
  // The framing header of a body: none for Framing::none and until_close.
  BasicHeadWriter& framing(Framing framing, uint64_t content_length);
  // Bytes the caller knows to be whole, valid lines (a precomputed "server: x\r\n"); not checked.
  BasicHeadWriter& trusted_lines(std::string_view lines);
  // Ends the head with the empty line. invalid_argument if something was refused, too_large if it did not fit.
  base::Result<void> finish();

 private:
  void put(std::string_view text) { out_->append(text.data(), text.size()); }
  void put_line(std::string_view name, std::string_view prefix, std::string_view value);

  Sink* out_;
  size_t start_;
  bool refused_ = false;
};

using HeadWriter = BasicHeadWriter<std::string>;
using FixedHeadWriter = BasicHeadWriter<HeadBuffer>;
extern template class BasicHeadWriter<std::string>;
extern template class BasicHeadWriter<HeadBuffer>;

// What follows kLastChunkBeforeTrailers: the trailers' lines and the empty one. False, and nothing appended, when one
// of them would be refused in a head or must not be a trailer (framing, Host).
bool append_trailers(std::string& out, const Headers& trailers);

// Whether a head writer would take it.
bool valid_header_name(std::string_view name);
bool valid_header_value(std::string_view value);
bool valid_target(std::string_view target);

}  // namespace llmgw::http
