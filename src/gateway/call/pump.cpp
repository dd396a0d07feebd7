#include "gateway/call/pump.h"

#include <string>

#include "net/io.h"

namespace llmgw::gateway {
namespace {

using base::Duration;
using base::Error;
using base::ErrorCode;
using base::Result;
using net::Cancellation;
using net::Stream;
using net::Task;

// Bytes are in the loop's scratch memory: what the socket does not take at once is copied before waiting.
Task<Result<void>> write_out(Stream& to, std::string_view bytes, net::Wait wait) {
  const iovec buffer = net::buffer_of(bytes);
  const net::IoResult result = to.try_write({&buffer, 1});
  if (result.status == net::IoStatus::error) co_return base::fail(result.error);
  if (result.status == net::IoStatus::eof) co_return base::fail(ErrorCode::closed, "write");
  if (result.bytes == bytes.size()) co_return Result<void>{};
  const std::string rest(bytes.substr(result.bytes));
  co_return co_await net::write_all(to, rest, wait);
}

// What both directions share.
struct Joint {
  Joint(Duration timeout, Cancellation& parent) : idle_timeout(timeout), finished(parent) {}
  Duration idle_timeout;
  net::LinkedCancellation finished;  // one direction has ended, or the caller wants the end
  base::Instant last_moved{};
};

// Of one direction: what broke at which end.
struct Direction {
  uint64_t bytes = 0;
  std::optional<Error> reading;
  std::optional<Error> writing;
};

// Silence in one direction is no idleness while the other one talks.
bool only_silent(const Error& error, const Joint& joint, base::Instant now) {
  return error.code == ErrorCode::deadline_exceeded && now < joint.last_moved + joint.idle_timeout;
}

// Neither was broken by the other side: the end came from here.
bool broken_there(const Error& error, const Joint& joint) {
  return !joint.finished.cancelled() && error.code != ErrorCode::deadline_exceeded;
}

Task<void> pump(PumpEnd from, Stream& to, Joint& joint, Direction& direction) {
  net::Loop& loop = to.loop();
  joint.last_moved = loop.now();
  std::string_view data = from.early_bytes;
  for (;;) {
    if (!data.empty()) {
      auto written = co_await write_out(to, data, {loop.now() + joint.idle_timeout, &joint.finished});
      if (!written && broken_there(written.error(), joint)) direction.writing = written.error();
      if (!written) break;
      direction.bytes += data.size();
    }
    auto bytes = co_await net::read_scratch(from.stream, {joint.last_moved + joint.idle_timeout, &joint.finished});
    data = {};
    if (!bytes && only_silent(bytes.error(), joint, loop.now())) continue;
    if (!bytes && broken_there(bytes.error(), joint)) direction.reading = bytes.error();
    if (!bytes || bytes->empty()) break;
    joint.last_moved = loop.now();
    data = {bytes->data(), bytes->size()};
  }
  joint.finished.cancel();
}

}  // namespace

Task<PumpResult> pump_both_ways(PumpEnd a, PumpEnd b, Duration idle_timeout, Cancellation& cancellation) {
  Joint joint(idle_timeout, cancellation);
  Direction there;
  Direction back;
  {
    net::TaskGroup other_way;
    other_way.spawn(pump(b, a.stream, joint, back));
    co_await pump(a, b.stream, joint, there);
  }
  a.stream.shutdown_write();
  b.stream.shutdown_write();
  PumpResult result{.bytes_from_a = there.bytes, .bytes_from_b = back.bytes, .b_broke = there.writing};
  if (back.reading) result.b_broke = back.reading;
  co_return result;
}

}  // namespace llmgw::gateway
