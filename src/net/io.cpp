#include "net/io.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace llmgw::net {

using base::fail;
using base::Result;

namespace {

bool must_wait(IoStatus status) {
  return status == IoStatus::would_block_read || status == IoStatus::would_block_write;
}

}  // namespace

std::span<iovec> advance_buffers(std::span<iovec> buffers, size_t bytes) {
  while (!buffers.empty() && bytes >= buffers.front().iov_len) {
    bytes -= buffers.front().iov_len;
    buffers = buffers.subspan(1);
  }
  if (!buffers.empty() && bytes > 0) {
    buffers.front().iov_base = static_cast<char*>(buffers.front().iov_base) + bytes;
    buffers.front().iov_len -= bytes;
  }
  return buffers;
}

bool ReadSome::try_once() {
  result_ = stream_.try_read(buffer_);
  if (!must_wait(result_.status)) return true;
  park_for(stream_, result_.status, *this);
  return false;
}

Result<size_t> ReadSome::await_resume() {
  if (wake_reason() != Wake::ready) return fail(wake_error("read"));
  if (result_.status == IoStatus::error) return fail(result_.error);
  return result_.bytes;
}

bool ReadScratch::try_once() {
  result_ = stream_.try_read(loop().scratch());
  if (!must_wait(result_.status)) return true;
  park_for(stream_, result_.status, *this);
  return false;
}

Result<std::span<char>> ReadScratch::await_resume() {
  if (wake_reason() != Wake::ready) return fail(wake_error("read"));
  if (result_.status == IoStatus::error) return fail(result_.error);
  return loop().scratch().first(result_.bytes);
}

WriteAll::WriteAll(Stream& stream, std::span<const iovec> buffers, const Wait& wait)
    : Operation(stream.loop(), wait), stream_(stream) {
  if (buffers.size() > kBuffersMax) std::abort();  // a programmer's error
  for (const iovec& buffer : buffers) {
    if (buffer.iov_len > 0) buffers_[count_++] = buffer;
  }
}

bool WriteAll::try_once() {
  while (first_ < count_) {
    std::span<iovec> left(buffers_.data() + first_, count_ - first_);
    result_ = stream_.try_write(left);
    if (must_wait(result_.status)) {
      park_for(stream_, result_.status, *this);
      return false;
    }
    if (result_.status != IoStatus::ok) return true;
    first_ = count_ - advance_buffers(left, result_.bytes).size();
  }
  return true;
}

Result<void> WriteAll::await_resume() {
  if (wake_reason() != Wake::ready) return fail(wake_error("write"));
  if (result_.status == IoStatus::error) return fail(result_.error);
  if (result_.status == IoStatus::eof) return fail(base::ErrorCode::closed, "write");
  return {};
}

bool WriteSome::try_once() {
  const iovec buffer = buffer_of(bytes_);
  result_ = stream_.try_write({&buffer, 1});
  if (!must_wait(result_.status)) return true;
  park_for(stream_, result_.status, *this);
  return false;
}

Result<size_t> WriteSome::await_resume() {
  if (wake_reason() != Wake::ready) return fail(wake_error("write"));
  if (result_.status == IoStatus::error) return fail(result_.error);
  if (result_.status == IoStatus::eof) return fail(base::ErrorCode::closed, "write");
  return result_.bytes;
}

bool WaitReady::try_once() {
  Readiness& readiness = stream_.readiness();
  if (for_write_ ? readiness.writable : (readiness.readable || stream_.has_buffered())) return true;
  park(for_write_ ? readiness.writer : readiness.reader);
  return false;
}

Result<void> WaitReady::await_resume() {
  if (wake_reason() != Wake::ready) return fail(wake_error("wait"));
  return {};
}

bool WaitEither::try_once() {
  Readiness& readiness = stream_.readiness();
  if (readiness.writable || readiness.readable || stream_.has_buffered()) return true;
  park(readiness.writer);
  reader_.park(readiness.reader);
  return false;
}

bool WaitEither::Reader::wake_operation(Suspension& suspension) {
  WaitEither& operation = static_cast<Reader&>(suspension).owner;
  operation.loop().make_ready(operation);
  return false;
}

Result<void> WaitEither::await_resume() {
  if (wake_reason() != Wake::ready) return fail(wake_error("wait"));
  return {};
}

bool Accept::try_once() {
  result_ = listener_.try_accept();
  if (!result_ || *result_ != nullptr) return true;
  park(listener_.readiness().reader);
  return false;
}

Result<std::unique_ptr<Stream>> Accept::await_resume() {
  if (wake_reason() != Wake::ready) return fail(wake_error("accept"));
  return std::move(result_);
}

Result<void> Sleep::await_resume() {
  if (wake_reason() == Wake::cancelled) return fail(wake_error("sleep"));
  return {};
}

bool Signal::Waiter::try_once() {
  if (notified_) return true;
  signal_.waiters_.push_back(entry_);
  return false;
}

Result<void> Signal::Waiter::await_resume() {
  entry_.unlink();
  if (wake_reason() != Wake::ready) return fail(wake_error("signal"));
  return {};
}

void Signal::notify() {
  while (!waiters_.empty()) {
    Waiter& waiter = waiters_.pop_front().owner;
    waiter.notified_ = true;
    loop_.make_ready(waiter);
  }
}

}  // namespace llmgw::net
