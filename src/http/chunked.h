// The chunked transfer coding, RFC 9112, section 7.1: a decoder that hands out views of the bytes it is given, and the
// few bytes an encoder puts around a chunk. Pure. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace llmgw::http {

// One step through a body.
struct BodyPiece {
  std::string_view data;  // a view of the bytes given
  size_t consumed = 0;    // of the bytes given: the data and the framing around it
  bool done = false;      // the body ended with the last consumed byte
};

struct ChunkedLimits {
  // Of a whole body. Nobody sends extensions to a gateway; without a limit they are free work (CVE-2023-39326).
  size_t extension_bytes_max = 16 * 1024;
  size_t trailer_bytes_max = 8 * 1024;  // a checksum or a few timings
  size_t trailers_max = 32;
};

class ChunkedDecoder {
 public:
  explicit ChunkedDecoder(const ChunkedLimits& limits = {}) : limits_(limits) {}

  // Takes from the front of `bytes` the data of at most one chunk and the framing before and behind it. Call again with
  // what is left until nothing is, or `done`. An error (protocol, too_large) comes after all data before it; it
  // repeats.
  base::Result<BodyPiece> feed(std::string_view bytes);
  bool done() const { return state_ == State::done; }
  // Of all chunks whose sizes are known.
  uint64_t announced_bytes() const { return total_; }

  // Appends the trailers a recipient may use: those of names the gateway gives a meaning to are left out (RFC 9110,
  // section 6.5.1). Once done; the views point into this object.
  void trailers(Headers& headers) const;

 private:
  enum class State : uint8_t {
    size_start,
    size,
    extension_start,
    extension_name,
    extension_value_start,
    extension_token,
    extension_quoted,
    extension_escaped,
    extension_end,
    size_line_feed,
    data,
    data_return,
    data_line_feed,
    trailer_line,
    done,
    failed,
  };

  bool take_framing(char c);
  bool take_size_line(char c);
  bool take_extension(char c);
  bool take_trailer(char c);
  bool end_size(char c);
  bool fail(base::ErrorCode code, const char* why);

  ChunkedLimits limits_;
  State state_ = State::size_start;
  uint8_t digits_ = 0;
  uint64_t size_ = 0;  // of the chunk; while in `data`, what is still to come
  uint64_t total_ = 0;
  size_t extension_bytes_ = 0;
  size_t line_start_ = 0;  // of the last line in trailers_
  std::string trailers_;   // as they came
  base::Error error_;
};

// What precedes a chunk's data: "1f4\r\n". kChunkEnd follows the data.
class ChunkHeader {
 public:
  // `size` must not be 0: that would end the body.
  explicit ChunkHeader(uint64_t size);
  std::string_view view() const { return {text_.data() + start_, text_.size() - start_}; }

 private:
  static constexpr size_t kTextBytes = 16 + 2;  // the digits of 64 bits and CRLF
  std::array<char, kTextBytes> text_;
  size_t start_;
};
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
// The last chunk's size line when trailers follow; they end with an empty line (http/h1_writer.h, append_trailers).
inline constexpr std::string_view kLastChunkBeforeTrailers = "0\r\n";

}  // namespace llmgw::http
