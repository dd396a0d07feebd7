// Looks at the frames of one direction of a WebSocket (RFC 6455, section 5.2), cut anyhow, for the one that closes it:
// a connection that ends without one was cut (section 7.1.5, code 1006). Takes any bytes: a peer that sends no frames
// gets no error here, and is not seen to close. Pure: bytes are passed in, none is kept. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace llmgw::http {

class WebSocketWatch {
 public:
  void feed(std::string_view bytes);
  // A whole Close frame has passed.
  bool closed() const { return closed_; }
  // The next byte begins a frame.
  bool between_frames() const { return have_ == 0 && skip_ == 0; }

 private:
  static constexpr size_t kHeadBytesMax = 14;  // two, eight of a long length, four of a mask

  std::array<uint8_t, kHeadBytesMax> head_{};
  size_t have_ = 0;       // of head_
  uint64_t skip_ = 0;     // what is left of the payload
  bool closing_ = false;  // the frame at hand is the one
  bool closed_ = false;
};

}  // namespace llmgw::http
