#include "gateway/call/pump.h"

#include <algorithm>
#include <string>

#include "net/io.h"
#include "net/patience.h"

namespace llmgw::gateway {
namespace {

using base::Duration;
using base::Error;
using base::ErrorCode;
using base::Result;
using net::Cancellation;
using net::Stream;
using net::Task;

using End = PumpResult::End;

// What both directions share.
struct Joint {
  Joint(Duration timeout, Cancellation& parent) : idle_timeout(timeout), finished(parent) {}
  // The first to end says how both did.
  void finish(End how, const Error& error = {}) {
    if (finished.cancelled()) return;
    result.end = how;
    result.error = error;
    finished.cancel();
  }
  Duration idle_timeout;
  net::LinkedCancellation finished;  // one direction has ended, or the caller wants the end
  base::Instant last_moved{};
  bool torn = false;  // what went to `a` did not go whole
  PumpResult result;
};

// Bytes are in the loop's scratch memory: what the socket does not take at once is copied before waiting.
Task<Result<void>> write_out(Stream& to, std::string_view bytes, Duration limit, Joint& joint) {
  const iovec buffer = net::buffer_of(bytes);
  const net::IoResult result = to.try_write({&buffer, 1});
  if (result.status == net::IoStatus::error) co_return base::fail(result.error);
  if (result.status == net::IoStatus::eof) co_return base::fail(ErrorCode::closed, "write");
  if (result.bytes == bytes.size()) co_return Result<void>{};
  const std::string rest(bytes.substr(result.bytes));
  net::Patience patience(limit, to.loop().now());
  for (std::string_view unsent = rest; !unsent.empty();) {
    CO_TRY(count, co_await net::write_some(to, unsent, {patience.deadline(), &joint.finished}));
    unsent.remove_prefix(count);
    joint.last_moved = to.loop().now();
    patience.took(count, joint.last_moved);
  }
  co_return Result<void>{};
}

struct Side {
  PumpEnd& end;
  End ended, broke, stuck;
};

// A Close frame has passed, either way.
bool said_to_end(const PumpEnd& a, const PumpEnd& b) {
  return (a.watch != nullptr && a.watch->closed()) || (b.watch != nullptr && b.watch->closed());
}

// Silence in one direction is no idleness while the other one talks.
bool only_silent(const Error& error, const Joint& joint, base::Instant now) {
  return error.code == ErrorCode::deadline_exceeded && now < joint.last_moved + joint.idle_timeout;
}

Task<void> pump(Side from, Side to, Joint& joint, uint64_t& moved) {
  net::Loop& loop = to.end.stream.loop();
  joint.last_moved = loop.now();
  std::string_view data = from.end.early_bytes;
  for (;;) {
    if (!data.empty()) {
      if (from.end.watch != nullptr) from.end.watch->feed(data);
      const Duration patience = std::min(to.end.write_timeout, joint.idle_timeout);
      auto written = co_await write_out(to.end.stream, data, patience, joint);
      if (!written) {
        const bool late = written.error().code == ErrorCode::deadline_exceeded;
        if (to.broke == End::a_broke) joint.torn = true;
        co_return joint.finish(late ? to.stuck : to.broke, written.error());
      }
      moved += data.size();
      joint.last_moved = loop.now();
    }
    const net::Wait wait{joint.last_moved + joint.idle_timeout, &joint.finished};
    auto bytes = co_await net::read_scratch(from.end.stream, wait);
    data = {};
    if (!bytes) {
      if (only_silent(bytes.error(), joint, loop.now())) continue;
      const bool late = bytes.error().code == ErrorCode::deadline_exceeded;
      co_return joint.finish(late ? End::idle : from.broke, bytes.error());
    }
    if (bytes->empty()) co_return joint.finish(from.ended);
    joint.last_moved = loop.now();
    data = {bytes->data(), bytes->size()};
  }
}

}  // namespace

Task<PumpResult> pump_both_ways(PumpEnd a, PumpEnd b, Duration idle_timeout, Cancellation& cancellation) {
  Joint joint(idle_timeout, cancellation);
  const Side near{.end = a, .ended = End::a_ended, .broke = End::a_broke, .stuck = End::a_stuck};
  const Side far{.end = b, .ended = End::b_ended, .broke = End::b_broke, .stuck = End::b_stuck};
  {
    net::TaskGroup other_way;
    other_way.spawn(pump(far, near, joint, joint.result.bytes_from_b));
    co_await pump(near, far, joint, joint.result.bytes_from_a);
  }
  // What it does not take would stay with the kernel after an orderly close.
  if (joint.result.end == End::a_stuck) a.stream.reset_on_close();
  if (joint.result.end == End::b_stuck) b.stream.reset_on_close();
  const bool in_order = said_to_end(a, b);
  const bool drained = joint.result.end == End::cancelled && cancellation.reason() == ErrorCode::cancelled;
  bool told = false;
  if (drained && !joint.torn && b.watch != nullptr && b.watch->between_frames() && !b.watch->closed()) {
    // As much as the socket takes: nobody waits for it any more.
    const iovec buffer = net::buffer_of(a.good_bye);
    const net::IoResult result = a.stream.try_write({&buffer, 1});
    told = result.status == net::IoStatus::ok && result.bytes == a.good_bye.size();
  }
  // TLS says of an end whether it was meant, and nobody has said that this one is.
  if (in_order || told) a.stream.shutdown_write();
  if (in_order) b.stream.shutdown_write();
  co_return joint.result;
}

}  // namespace llmgw::gateway
