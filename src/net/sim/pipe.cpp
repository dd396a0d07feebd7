#include "net/sim/pipe.h"

#include <algorithm>
#include <cerrno>

#include "net/sim/world.h"

namespace llmgw::net::sim {

using base::Duration;
using base::Instant;

namespace {

constexpr size_t kCompactBytes = 4096;  // read bytes at the front of a queue before they are dropped

IoResult failed(int error_number, const char* context) {
  return {IoStatus::error, 0, base::os_error(error_number, context)};
}

}  // namespace

Connection::Connection(World& world, uint64_t number, uint64_t seed, const NetworkFaults& faults)
    : world_(world), number_(number), rng_(seed) {
  from(client).faults = faults.to_server;
  from(server).faults = faults.to_client;
  for (Direction& direction : directions_) {
    const uint64_t reach = std::max<uint64_t>(direction.faults.break_within_bytes, 1);
    if (rng_.chance(direction.faults.cut)) direction.cut_at = rng_.below(reach);
    if (rng_.chance(direction.faults.stall)) direction.stall_at = rng_.below(reach);
  }
}

std::unique_ptr<SimStream> Connection::make_end(Side side, const Address& peer, size_t& live) {
  auto stream = std::make_unique<SimStream>(shared_from_this(), side, world_, peer, live);
  ends_[side].stream = stream.get();
  stream->state_.writable = true;
  return stream;
}

Instant Connection::due(Direction& direction) {
  const Instant when =
      world_.poller().now() + uniform_duration(rng_, direction.faults.delay_min, direction.faults.delay_max);
  direction.last_due = std::max(direction.last_due, when);
  return direction.last_due;
}

// Sometimes a part only: any size is possible, small ones are likely.
size_t Connection::maybe_split(const Direction& direction, size_t bytes) {
  if (bytes < 2 || !rng_.chance(direction.faults.split)) return bytes;
  const uint64_t reach = uint64_t{1} << rng_.below(17);
  return 1 + rng_.below(std::min<uint64_t>(bytes, reach));
}

IoResult Connection::read(Side side, std::span<char> buffer) {
  Readiness& state = ends_[side].stream->state_;
  Direction& direction = to(side);
  if (!state.readable) return {IoStatus::would_block_read, 0, {}};
  const size_t available = direction.received.size() - direction.received_head;
  if (available == 0) {
    if (ends_[side].reset) return failed(ECONNRESET, "recv");
    if (direction.finish_arrived) return {IoStatus::eof, 0, {}};
    state.readable = false;
    return {IoStatus::would_block_read, 0, {}};
  }
  const size_t count = maybe_split(direction, std::min(available, buffer.size()));
  std::copy_n(direction.received.data() + direction.received_head, count, buffer.data());
  direction.received_head += count;
  direction.in_transit -= count;
  if (direction.received_head == direction.received.size() || direction.received_head > kCompactBytes) {
    direction.received.erase(0, direction.received_head);
    direction.received_head = 0;
  }
  if (direction.received.empty() && !state.hangup) state.readable = false;
  world_.record(TraceKind::read, subject(side), count);
  allow_writing(other(side));
  return {IoStatus::ok, count, {}};
}

// Room is told of when a quarter is free, as a kernel does, after the time a window update takes.
void Connection::allow_writing(Side writer) {
  Direction& direction = from(writer);
  const size_t capacity = direction.faults.capacity_bytes;
  if (!direction.writer_blocked || capacity - direction.in_transit < std::max<size_t>(capacity / 4, 1)) return;
  direction.writer_blocked = false;
  const Instant when =
      world_.poller().now() + uniform_duration(rng_, direction.faults.delay_min, direction.faults.delay_max);
  world_.poller().at(when, [self = shared_from_this(), writer] {
    End& end = self->ends_[writer];
    if (end.stream == nullptr || end.reset) return;
    self->world_.record(TraceKind::writable, self->subject(writer));
    self->world_.signal(end.stream->state_, false, true, false);
  });
}

IoResult Connection::write(Side side, std::span<const iovec> buffers) {
  Readiness& state = ends_[side].stream->state_;
  Direction& direction = from(side);
  if (!state.writable) return {IoStatus::would_block_write, 0, {}};
  if (ends_[side].reset) return failed(ECONNRESET, "send");
  if (direction.finish_sent) return failed(EPIPE, "send");
  size_t size = 0;
  for (const iovec& buffer : buffers) size += buffer.iov_len;
  if (size == 0) return {};
  const size_t room = direction.faults.capacity_bytes - direction.in_transit;
  if (room == 0) {
    state.writable = false;
    direction.writer_blocked = true;
    return {IoStatus::would_block_write, 0, {}};
  }
  const size_t count = maybe_split(direction, std::min(size, room));
  std::string bytes;
  bytes.reserve(count);
  for (const iovec& buffer : buffers) {
    bytes.append(static_cast<const char*>(buffer.iov_base), std::min(buffer.iov_len, count - bytes.size()));
  }
  world_.record(TraceKind::write, subject(side), count, std::string_view(bytes).substr(0, 16));
  send(side, std::move(bytes));
  return {IoStatus::ok, count, {}};
}

void Connection::send(Side side, std::string bytes) {
  Direction& direction = from(side);
  const uint64_t start = direction.written;
  direction.written += bytes.size();
  direction.in_transit += bytes.size();
  if (direction.broken) return;
  const uint64_t cut_at = direction.cut_at.value_or(UINT64_MAX);
  const uint64_t stall_at = direction.stall_at.value_or(UINT64_MAX);
  const uint64_t break_at = std::min(cut_at, stall_at);
  const bool breaks = direction.written > break_at;
  if (breaks) bytes.resize(break_at - start);
  for (size_t sent = 0; sent < bytes.size();) {
    const size_t piece = maybe_split(direction, bytes.size() - sent);
    world_.poller().at(due(direction), [self = shared_from_this(), side, part = bytes.substr(sent, piece)] {
      self->arrive(other(side), part);
    });
    sent += piece;
  }
  if (!breaks) return;
  if (cut_at <= stall_at) {
    break_direction(side, TraceKind::cut, {});
  } else {
    break_direction(side, TraceKind::stall, direction.faults.stall_time);
  }
}

void Connection::break_direction(Side writer, TraceKind kind, Duration until_reset) {
  Direction& direction = from(writer);
  direction.broken = true;
  world_.record(kind, subject(writer), direction.written);
  const Instant when = due(direction) + until_reset;
  reset_later(client, when);
  reset_later(server, when);
}

void Connection::arrive(Side receiver, const std::string& bytes) {
  End& end = ends_[receiver];
  if (end.reset) return;
  if (end.stream == nullptr) {
    // Nobody is there any more: the sender is told so.
    reset_later(other(receiver), due(from(receiver)));
    return;
  }
  to(receiver).received += bytes;
  world_.record(TraceKind::deliver, subject(receiver), bytes.size());
  world_.signal(end.stream->state_, true, false, false);
}

void Connection::finish(Side side) {
  Direction& direction = from(side);
  if (direction.finish_sent || ends_[side].reset) return;
  direction.finish_sent = true;
  world_.record(TraceKind::finish, subject(side), direction.written);
  if (direction.broken) return;
  world_.poller().at(due(direction), [self = shared_from_this(), side] { self->arrive_finish(other(side)); });
}

void Connection::arrive_finish(Side receiver) {
  End& end = ends_[receiver];
  if (end.reset || end.stream == nullptr) return;
  to(receiver).finish_arrived = true;
  world_.record(TraceKind::finished, subject(receiver));
  world_.signal(end.stream->state_, true, false, true);
}

void Connection::close(Side side, bool abort) {
  const bool unread = to(side).received.size() > to(side).received_head;
  world_.record(TraceKind::close, subject(side), unread ? 1 : 0, abort ? "abort" : "");
  ends_[side].stream = nullptr;
  if (ends_[side].reset) return;
  if (abort || unread) {
    // Overtakes what is on its way, as an RST makes the receiver drop what it has not got yet.
    Direction& direction = from(side);
    direction.finish_sent = true;
    reset_later(other(side),
                world_.poller().now() + uniform_duration(rng_, direction.faults.delay_min, direction.faults.delay_max));
  } else {
    finish(side);
  }
}

void Connection::reset_later(Side side, Instant when) {
  world_.poller().at(when, [self = shared_from_this(), side] { self->reset(side); });
}

// Bytes that have arrived can still be read; then comes the error.
void Connection::reset(Side side) {
  End& end = ends_[side];
  if (end.reset) return;
  end.reset = true;
  world_.record(TraceKind::reset, subject(side));
  if (end.stream != nullptr) world_.signal(end.stream->state_, true, true, true);
}

SimStream::SimStream(std::shared_ptr<Connection> connection, Connection::Side side, World& world, const Address& peer,
                     size_t& live)
    : Stream(world.loop(), state_, peer), connection_(std::move(connection)), side_(side), live_(live) {
  ++live_;
}

SimStream::~SimStream() {
  connection_->close(side_, abort_);
  --live_;
}

}  // namespace llmgw::net::sim
