#include "gateway/call/pump.h"

#include <string>

#include "net/io.h"

namespace llmgw::gateway {
namespace {

using base::Duration;
using net::Cancellation;
using net::Stream;
using net::Task;

// Bytes are in the loop's scratch memory: what the socket does not take at once is copied before waiting.
Task<bool> write_out(Stream& to, std::string_view bytes, net::Wait wait) {
  const iovec buffer = net::buffer_of(bytes);
  const net::IoResult result = to.try_write({&buffer, 1});
  if (result.status == net::IoStatus::error || result.status == net::IoStatus::eof) co_return false;
  if (result.bytes == bytes.size()) co_return true;
  const std::string rest(bytes.substr(result.bytes));
  co_return (co_await net::write_all(to, rest, wait)).has_value();
}

// What both directions share.
struct Joint {
  Joint(Duration timeout, Cancellation& parent) : idle_timeout(timeout), finished(parent) {}
  Duration idle_timeout;
  net::LinkedCancellation finished;  // one direction has ended, or the caller wants the end
  base::Instant last_moved{};
};

// Silence in one direction is no idleness while the other one talks.
bool only_silent(const base::Error& error, const Joint& joint, base::Instant now) {
  return error.code == base::ErrorCode::deadline_exceeded && now < joint.last_moved + joint.idle_timeout;
}

Task<void> pump(PumpEnd from, Stream& to, Joint& joint) {
  net::Loop& loop = to.loop();
  const auto wait = [&] { return net::Wait{loop.now() + joint.idle_timeout, &joint.finished}; };
  joint.last_moved = loop.now();
  bool open = from.early_bytes.empty() || co_await write_out(to, from.early_bytes, wait());
  while (open) {
    auto bytes = co_await net::read_scratch(from.stream, {joint.last_moved + joint.idle_timeout, &joint.finished});
    if (!bytes && only_silent(bytes.error(), joint, loop.now())) continue;
    if (!bytes || bytes->empty()) break;
    joint.last_moved = loop.now();
    open = co_await write_out(to, {bytes->data(), bytes->size()}, wait());
  }
  joint.finished.cancel();
}

}  // namespace

Task<void> pump_both_ways(PumpEnd a, PumpEnd b, Duration idle_timeout, Cancellation& cancellation) {
  Joint joint(idle_timeout, cancellation);
  net::TaskGroup other_way;
  other_way.spawn(pump(b, a.stream, joint));
  co_await pump(a, b.stream, joint);
  a.stream.shutdown_write();
  b.stream.shutdown_write();
}

}  // namespace llmgw::gateway
