// The operations that wait: read, write, accept, sleep. Each is an awaitable without a coroutine frame of its own.
// They end with deadline_exceeded or the cancellation's reason when the Wait says so. At most one reader and one writer
// a stream at a time. Buffers must stay valid until the operation ends.
#pragma once

#include <array>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "net/loop.h"
#include "net/stream.h"

namespace llmgw::net {

namespace detail {

// What all operations share. Derived: bool try_once() completes or parks.
template <class Derived>
class Operation : public Suspension {
 public:
  bool await_ready() {
    if (expired(wait_)) return true;
    if (!loop().take_turn()) {
      yielded_ = true;
      return false;
    }
    return derived().try_once();
  }
  void await_suspend(std::coroutine_handle<> handle) {
    suspend(handle, wait_);
    if (yielded_) loop().make_ready(*this);
  }

 protected:
  Wait wait_;

 private:
  friend Derived;
  Operation(Loop& loop, const Wait& wait) : Suspension(loop, &attempt), wait_(wait) {}
  Derived& derived() { return static_cast<Derived&>(*this); }
  static bool attempt(Suspension& suspension) { return static_cast<Derived&>(suspension).try_once(); }
  bool yielded_ = false;
};

}  // namespace detail

// Parks `operation` where the status says it has to wait.
inline void park_for(Stream& stream, IoStatus status, Suspension& operation) {
  operation.park(status == IoStatus::would_block_write ? stream.readiness().writer : stream.readiness().reader);
}

// co_await read_some(...) -> Result<size_t>: at least one byte, or 0 at the orderly end.
class ReadSome : public detail::Operation<ReadSome> {
 public:
  ReadSome(Stream& stream, std::span<char> buffer, const Wait& wait)
      : Operation(stream.loop(), wait), stream_(stream), buffer_(buffer) {}
  bool try_once();
  base::Result<size_t> await_resume();

 private:
  Stream& stream_;
  std::span<char> buffer_;
  IoResult result_;
};
inline ReadSome read_some(Stream& stream, std::span<char> buffer, const Wait& wait) {
  return {stream, buffer, wait};
}

// co_await read_scratch(...) -> Result<std::span<char>>: what has arrived, in the loop's scratch buffer, empty at the
// orderly end. Holds no memory while it waits. The bytes are gone at the next suspension.
class ReadScratch : public detail::Operation<ReadScratch> {
 public:
  ReadScratch(Stream& stream, const Wait& wait) : Operation(stream.loop(), wait), stream_(stream) {}
  bool try_once();
  base::Result<std::span<char>> await_resume();

 private:
  Stream& stream_;
  IoResult result_;
};
inline ReadScratch read_scratch(Stream& stream, const Wait& wait) {
  return {stream, wait};
}

// co_await write_all(...) -> Result<void>. What the socket does not take at once is written from the caller's memory.
class WriteAll : public detail::Operation<WriteAll> {
 public:
  static constexpr size_t kBuffersMax = 12;  // head, chunk framing, and the pieces of a spliced body
  WriteAll(Stream& stream, std::span<const iovec> buffers, const Wait& wait);
  bool try_once();
  base::Result<void> await_resume();

 private:
  Stream& stream_;
  std::array<iovec, kBuffersMax> buffers_;
  size_t first_ = 0;
  size_t count_ = 0;
  IoResult result_;
};
inline WriteAll write_all(Stream& stream, std::span<const iovec> buffers, const Wait& wait) {
  return {stream, buffers, wait};
}
inline WriteAll write_all(Stream& stream, std::string_view bytes, const Wait& wait) {
  const iovec buffer{const_cast<char*>(bytes.data()), bytes.size()};
  return {stream, {&buffer, 1}, wait};
}
// co_await write_some(...) -> Result<size_t>: as much as the stream takes at a time, at least one byte. An error:
// nothing was taken.
class WriteSome : public detail::Operation<WriteSome> {
 public:
  WriteSome(Stream& stream, std::string_view bytes, const Wait& wait)
      : Operation(stream.loop(), wait), stream_(stream), bytes_(bytes) {}
  bool try_once();
  base::Result<size_t> await_resume();

 private:
  Stream& stream_;
  std::string_view bytes_;
  IoResult result_;
};
inline WriteSome write_some(Stream& stream, std::string_view bytes, const Wait& wait) {
  return {stream, bytes, wait};
}
inline iovec buffer_of(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

// Drops the first `bytes` of the buffers. Returns the buffers that are left.
std::span<iovec> advance_buffers(std::span<iovec> buffers, size_t bytes);

// co_await wait_writable(...) / wait_readable(...) -> Result<void>: readiness only, nothing is read or written.
class WaitReady : public detail::Operation<WaitReady> {
 public:
  WaitReady(Stream& stream, bool for_write, const Wait& wait)
      : Operation(stream.loop(), wait), stream_(stream), for_write_(for_write) {}
  bool try_once();
  base::Result<void> await_resume();

 private:
  Stream& stream_;
  bool for_write_;
};
inline WaitReady wait_readable(Stream& stream, const Wait& wait) {
  return {stream, false, wait};
}
inline WaitReady wait_writable(Stream& stream, const Wait& wait) {
  return {stream, true, wait};
}

// co_await wait_either(...) -> Result<void>: until the stream can be written or has something to read.
class WaitEither : public detail::Operation<WaitEither> {
 public:
  WaitEither(Stream& stream, const Wait& wait) : Operation(stream.loop(), wait), stream_(stream), reader_(*this) {}
  bool try_once();
  base::Result<void> await_resume();

 private:
  // Stands in the reader's slot and wakes the operation, which stands in the writer's.
  struct Reader : Suspension {
    explicit Reader(WaitEither& operation) : Suspension(operation.loop(), &wake_operation), owner(operation) {}
    static bool wake_operation(Suspension& suspension);
    WaitEither& owner;
  };
  Stream& stream_;
  Reader reader_;
};
inline WaitEither wait_either(Stream& stream, const Wait& wait) {
  return {stream, wait};
}

// co_await accept(...) -> Result<std::unique_ptr<Stream>>
class Accept : public detail::Operation<Accept> {
 public:
  Accept(Listener& listener, const Wait& wait) : Operation(listener.loop(), wait), listener_(listener) {}
  bool try_once();
  base::Result<std::unique_ptr<Stream>> await_resume();

 private:
  Listener& listener_;
  base::Result<std::unique_ptr<Stream>> result_;
};
inline Accept accept(Listener& listener, const Wait& wait) {
  return {listener, wait};
}

// co_await sleep(...) -> Result<void>: ok when the time has come, the cancellation's reason when it was cut short.
class Sleep : public detail::Operation<Sleep> {
 public:
  Sleep(Loop& loop, base::Instant until, Cancellation* cancellation) : Operation(loop, {until, cancellation}) {}
  bool try_once() { return false; }
  base::Result<void> await_resume();
};
inline Sleep sleep_until(Loop& loop, base::Instant until, Cancellation* cancellation = nullptr) {
  return {loop, until, cancellation};
}
inline Sleep sleep_for(Loop& loop, base::Duration duration, Cancellation* cancellation = nullptr) {
  return {loop, loop.now() + duration, cancellation};
}

// Lets everything else that is ready run first.
class Yield : public detail::Operation<Yield> {
 public:
  explicit Yield(Loop& loop) : Operation(loop, {}) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    suspend(handle, {});
    loop().make_ready(*this);
  }
  bool try_once() { return true; }
  void await_resume() const {}
};
inline Yield yield(Loop& loop) {
  return Yield(loop);
}

// A condition of one loop's tasks: wait() until notify(). Waiters are woken in order, all of them, and check again
// what they waited for.
class Signal {
 public:
  explicit Signal(Loop& loop) : loop_(loop) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  class Waiter : public detail::Operation<Waiter> {
   public:
    Waiter(Signal& signal, const Wait& wait) : Operation(signal.loop_, wait), signal_(signal), entry_(*this) {}
    // Without giving a turn away: the notification could come, and be missed, before this waiter is in the list.
    bool await_ready() { return expired(wait_) || try_once(); }
    bool try_once();
    base::Result<void> await_resume();

   private:
    friend class Signal;
    struct Entry : base::ListNode {
      explicit Entry(Waiter& waiter) : owner(waiter) {}
      Waiter& owner;
    };
    Signal& signal_;
    Entry entry_;
    bool notified_ = false;
  };

  Waiter wait(const Wait& wait) { return {*this, wait}; }
  void notify();

 private:
  Loop& loop_;
  base::IntrusiveList<Waiter::Entry> waiters_;
};

}  // namespace llmgw::net
