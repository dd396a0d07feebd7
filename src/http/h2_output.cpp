// What an HTTP/2 session writes: all that nghttp2 has is gathered into one write; what the socket does not take is
// kept.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>

#include "http/h2_session.h"
#include "http/server.h"
#include "net/patience.h"

namespace llmgw::http {

using base::Error;
using base::ErrorCode;
using base::Instant;
using net::IoStatus;
using net::Task;

namespace {

// Smaller pieces of data are copied beside their frame header: that is cheaper than one more buffer for the kernel.
constexpr size_t kCopiedBytesMax = 1024;
// Buffers given to one write; within the kernel's 1024.
constexpr size_t kBuffersPerWrite = 64;

}  // namespace

void H2Session::uncork() {
  corked_ = false;
  flush();
}

void H2Session::flush() {
  if (blocked_ || broken_ || write_broken_) return;
  gather();
  if (corked_ && batch_bytes_ < kBatchBytes) return;
  while (batch_bytes_ > 0) {
    write_gathered();
    if (blocked_ || write_broken_) return;
    gather();
  }
}

void H2Session::gather() {
  while (batch_bytes_ < kBatchBytes) {
    const uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
    if (count < 0) return fail({ErrorCode::internal, "HTTP/2 output", 0});
    if (count == 0) return;
    gather_inline({reinterpret_cast<const char*>(bytes), static_cast<size_t>(count)});
  }
}

void H2Session::gather_inline(std::string_view bytes) {
  gathered_.append(bytes);
  gathered_bytes_ += bytes.size();
  batch_bytes_ += bytes.size();
  if (segments_.empty() || segments_.back().external != nullptr) segments_.push_back({nullptr, 0});
  segments_.back().bytes += bytes.size();
}

// The piece stays where it is if it can be written before the caller goes on.
void H2Session::gather_view(std::string_view bytes) {
  if (corked_ || bytes.size() <= kCopiedBytesMax) return gather_inline(bytes);
  gathered_bytes_ += bytes.size();
  batch_bytes_ += bytes.size();
  segments_.push_back({bytes.data(), bytes.size()});
}

void H2Session::write_gathered() {
  size_t inline_begin = 0;
  size_t written = 0;
  for (size_t first = 0; first < segments_.size();) {
    std::array<iovec, kBuffersPerWrite> buffers;
    size_t count = 0;
    size_t bytes = 0;
    for (; first < segments_.size() && count < buffers.size(); ++first) {
      const Segment& segment = segments_[first];
      const char* data = segment.external;
      if (data == nullptr) {
        data = gathered_.data() + inline_begin;
        inline_begin += segment.bytes;
      }
      bytes += segment.bytes;
      buffers[count++] = net::buffer_of({data, segment.bytes});
    }
    const net::IoResult result = stream_->try_write({buffers.data(), count});
    if (result.status == IoStatus::error) return write_failed(result.error);
    if (result.status == IoStatus::eof) return write_failed({ErrorCode::closed, "write", 0});
    written += result.bytes;
    taken_bytes_ += result.bytes;
    if (result.bytes < bytes) return keep_rest(written);
  }
  gathered_.clear();
  segments_.clear();
  batch_bytes_ = 0;
}

void H2Session::keep_rest(size_t written) {
  out_.clear();
  out_.reserve(batch_bytes_ - written);
  size_t inline_begin = 0;
  for (const Segment& segment : segments_) {
    const char* data = segment.external;
    if (data == nullptr) {
      data = gathered_.data() + inline_begin;
      inline_begin += segment.bytes;
    }
    const size_t skipped = std::min(written, segment.bytes);
    out_.append(data + skipped, segment.bytes - skipped);
    written -= skipped;
  }
  gathered_.clear();
  segments_.clear();
  batch_bytes_ = 0;
  blocked_ = true;
  if (writer_.done()) {
    writer_ = drain_output();
    writer_.start();
  }
}

Task<void> H2Session::drain_output() {
  while (blocked_) {
    net::Patience patience(timeouts().write, loop().now());
    for (std::string_view unsent = out_; !unsent.empty();) {
      auto count = co_await net::write_some(*stream_, unsent, {.deadline = patience.deadline()});
      if (!count) {
        write_failed(count.error());
        co_return;
      }
      unsent.remove_prefix(*count);
      taken_bytes_ += *count;
      patience.took(*count, loop().now());
    }
    out_.clear();
    blocked_ = false;
    flush();
  }
  unblocked_.notify();
  if (finished()) stop_reading();
}

// The peer may have said why before it closed: the reader finds out.
void H2Session::write_failed(const Error& error) {
  write_broken_ = true;
  write_broken_at_ = loop().now();
  blocked_ = false;
  gathered_.clear();
  segments_.clear();
  batch_bytes_ = 0;
  out_.clear();
  if (error.code == ErrorCode::deadline_exceeded) {
    fail(error);
  } else if (!broken_) {
    error_ = error;
  }
  unblocked_.notify();
}

void H2Session::release_memory() {
  if (blocked_) return;
  std::string().swap(out_);
  if (batch_bytes_ > 0) return;
  std::string().swap(gathered_);
  std::vector<Segment>().swap(segments_);
}

Task<bool> H2Session::end_writing() {
  if (broken_ || write_broken_) co_return false;
  flush();
  if (blocked_) (void)co_await unblocked_.wait({.deadline = loop().now() + timeouts().write});
  if (blocked_ || broken_ || write_broken_) co_return false;
  stream_->shutdown_write();
  co_return true;
}

Task<void> H2Session::linger(net::Wait wait) {
  for (;;) {
    auto bytes = co_await net::read_scratch(*stream_, wait);
    if (!bytes || bytes->empty()) co_return;
  }
}

}  // namespace llmgw::http
