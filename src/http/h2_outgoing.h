// What a stream has to send and has not been cut into DATA frames yet. Pure. One thread.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "net/io.h"

namespace llmgw::http {

class H2Outgoing {
 public:
  static constexpr size_t kBuffersMax = net::WriteAll::kBuffersMax;

  // Refers to the caller's memory until own() or until everything is taken. False: too many buffers.
  bool set(std::span<const iovec> data, bool end) {
    count_ = left_ = first_ = 0;
    end_ = end;
    for (const iovec& buffer : data) {
      if (buffer.iov_len == 0) continue;
      if (count_ == kBuffersMax) return false;
      buffers_[count_++] = buffer;
      left_ += buffer.iov_len;
    }
    return true;
  }
  // Copies what is left: the caller's memory may go.
  void own() {
    std::string rest;
    rest.reserve(left_);
    for (size_t i = first_; i < count_; ++i) {
      rest.append(static_cast<const char*>(buffers_[i].iov_base), buffers_[i].iov_len);
    }
    own_ = std::move(rest);
    buffers_[0] = net::buffer_of(own_);
    first_ = 0;
    count_ = own_.empty() ? 0 : 1;
  }
  // Forgets what is left: nothing more will be sent.
  void stop() {
    count_ = left_ = first_ = 0;
    end_ = false;
  }

  size_t left() const { return left_; }
  bool end() const { return end_; }
  // Everything was taken, the end of the stream too if there is one.
  bool done() const { return left_ == 0 && (!end_ || end_taken_); }
  void end_taken() { end_taken_ = true; }

  // Takes `bytes` (at most left()) from the front, in pieces.
  template <class Sink>
  void take(size_t bytes, Sink&& sink) {
    left_ -= bytes;
    while (bytes > 0) {
      iovec& buffer = buffers_[first_];
      const size_t piece = std::min(bytes, buffer.iov_len);
      sink(std::string_view(static_cast<const char*>(buffer.iov_base), piece));
      bytes -= piece;
      buffer.iov_base = static_cast<char*>(buffer.iov_base) + piece;
      buffer.iov_len -= piece;
      if (buffer.iov_len == 0) ++first_;
    }
  }

 private:
  std::array<iovec, kBuffersMax> buffers_;
  size_t first_ = 0;
  size_t count_ = 0;
  size_t left_ = 0;
  bool end_ = false;
  bool end_taken_ = false;
  std::string own_;
};

}  // namespace llmgw::http
