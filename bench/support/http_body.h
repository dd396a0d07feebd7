// Reading of HTTP/1.1 heads and message bodies, as little of it as a trusted peer on loopback needs. Incremental; no
// allocation but of a head that arrives in pieces. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace llmgw::bench {

// What the head of a message says about its body. `ok` is false if the head is malformed.
struct Framing {
  bool ok = false;
  bool chunked = false;
  bool has_length = false;
  bool close = false;  // "Connection: close"
  uint64_t length = 0;
  bool event_stream = false;     // Content-Type: text/event-stream
  bool expect_continue = false;  // "Expect: 100-continue"
  std::string_view options;      // value of X-Canned, or empty
  std::string_view first_line;   // views into the head that was read
};

// `head` runs up to and including the empty line.
Framing read_head(std::string_view head);

// Takes a body off a byte stream and hands its content out piece by piece.
class BodyReader {
 public:
  enum class State : uint8_t { reading, done, malformed };

  // A message without length that is not chunked: `until_close` for an answer, an empty body for a request.
  void start(const Framing& framing, bool until_close);

  // Consumes from the front of `input` and returns the next piece of content (empty if there is none yet).
  // Call until it returns an empty piece; then look at state(). Bytes after the body stay in `input`.
  std::string_view next(std::string_view& input);
  // The peer closed. True if the body is complete thereby.
  bool finish_at_close();

  State state() const { return state_; }
  uint64_t content_bytes() const { return content_bytes_; }

 private:
  enum class Part : uint8_t { size, extension, size_lf, data, data_cr, data_lf, trailer, trailer_line, end_lf };

  std::string_view take(std::string_view& input, uint64_t limit);
  void step_chunk_framing(std::string_view& input);

  State state_ = State::done;
  Part part_ = Part::size;
  bool chunked_ = false;
  bool until_close_ = false;
  bool any_digit_ = false;
  uint64_t remaining_ = 0;  // of the body, or of the chunk
  uint64_t content_bytes_ = 0;
};

}  // namespace llmgw::bench
