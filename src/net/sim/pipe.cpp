#include "net/sim/pipe.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace llmgw::net::sim {
namespace {

using base::Duration;
using base::ErrorCode;
using base::Instant;

// A waiting writer is told once this part of the capacity is free, as Linux does (sk_stream_write_space).
constexpr size_t kRoomDivisor = 3;
// Read bytes are dropped from the front of a buffer once they are this many.
constexpr size_t kCompactBytes = 32 * 1024;

IoResult would_block(IoStatus status) {
  return {status, 0, {}};
}
IoResult peer_gone(int error_number, const char* context) {
  return {IoStatus::error, 0, {ErrorCode::reset, context, error_number}};
}

size_t draw_size(base::Rng& rng, size_t low, size_t high) {
  return high > low ? low + rng.below(high - low + 1) : low;
}

}  // namespace

Pipe::Pipe(SimNetwork& network, const Faults& faults, uint64_t id, base::Rng rng)
    : network_(network), id_(id), rng_(rng), stall_(0), discard_unread_(false) {
  directions_[0].faults = faults.to_server;
  directions_[1].faults = faults.to_client;
  for (Direction& direction : directions_) {
    direction.capacity =
        std::max<size_t>(1, draw_size(rng_, direction.faults.capacity_min, direction.faults.capacity_max));
  }
  const double fate = rng_.uniform();
  if (fate < faults.reset) {
    break_ = Break::reset;
  } else if (fate < faults.reset + faults.cut) {
    break_ = Break::cut;
  } else if (fate < faults.reset + faults.cut + faults.loss) {
    break_ = Break::loss;
  }
  Direction& weak = directions_[rng_.below(2)];
  const uint64_t break_at = rng_.below(std::max<uint64_t>(1, faults.break_after_bytes_max));
  if (break_ != Break::none) weak.break_at = break_at;
  stall_ = draw(faults.stall_min, faults.stall_max);
  discard_unread_ = rng_.chance(faults.reset_discards_unread);
}

IoResult Pipe::read(int end, std::span<char> buffer) {
  Direction& in = directions_[1 - end];
  End& self = ends_[end];
  Readiness& state = self.stream->readiness();
  if (!state.readable) return would_block(IoStatus::would_block_read);
  const size_t available = in.arrived - in.begin;
  if (available > 0) {
    const size_t count = part_of(std::min(buffer.size(), available), in.faults.read_split);
    std::memcpy(buffer.data(), in.bytes.data() + in.begin, count);
    in.begin += count;
    note(1 - end, TraceKind::read, count);
    // As with a socket: a read that was not filled has emptied it, and after a hang-up there is no later edge.
    if (count == available && count < buffer.size() && !state.hangup) state.readable = false;
    make_room(1 - end);
    return {IoStatus::ok, count, {}};
  }
  if (self.end_seen) return {IoStatus::eof, 0, {}};
  if (self.reset_seen) return peer_gone(ECONNRESET, "recv");
  state.readable = false;
  return would_block(IoStatus::would_block_read);
}

IoResult Pipe::write(int end, std::span<const iovec> buffers) {
  Direction& out = directions_[end];
  End& self = ends_[end];
  Readiness& state = self.stream->readiness();
  if (!state.writable) return would_block(IoStatus::would_block_write);
  if (self.reset_seen || out.ended) return peer_gone(self.end_seen ? EPIPE : ECONNRESET, "send");
  size_t total = 0;
  for (const iovec& buffer : buffers) total += buffer.iov_len;
  if (total == 0) return {IoStatus::ok, 0, {}};
  const size_t room = out.capacity - std::min(out.capacity, out.occupied());
  if (room == 0) {
    state.writable = false;
    out.blocked = true;
    return would_block(IoStatus::would_block_write);
  }
  const size_t count = part_of(std::min(total, room), out.faults.write_split);
  note(end, TraceKind::write, count);
  const size_t passing = out.muted ? 0 : static_cast<size_t>(std::min<uint64_t>(count, out.break_at - out.sent));
  size_t left = passing;
  for (const iovec& buffer : buffers) {
    const size_t part = std::min(left, buffer.iov_len);
    out.bytes.append(static_cast<const char*>(buffer.iov_base), part);
    left -= part;
  }
  out.sent += passing;
  if (passing > 0) push(end, Kind::data, passing);
  if (passing < count && !out.muted) fire_break(end);
  if (broken_ && break_ == Break::loss) out.lost += count - passing;
  return {IoStatus::ok, count, {}};
}

void Pipe::shutdown_write(int end) {
  Direction& out = directions_[end];
  if (out.ended || ends_[end].reset_seen) return;
  out.ended = true;
  if (!out.muted) push(end, Kind::end, 0);
}

void Pipe::close(int end, bool with_reset) {
  End& self = ends_[end];
  Direction& in = directions_[1 - end];
  note(end, TraceKind::close, with_reset ? 1 : 0);
  const bool unread = in.arrived > in.begin;
  if (!self.reset_seen) {
    if (with_reset || unread) {
      send_reset(end);
    } else {
      shutdown_write(end);
    }
  }
  self.stream = nullptr;
  directions_[end].blocked = false;
  in.begin = in.arrived;
}

void Pipe::arrive(int direction, Instant now) {
  Direction& way = directions_[direction];
  while (!way.in_flight.empty() && way.in_flight.front().at <= now) {
    const Segment segment = way.in_flight.front();
    way.in_flight.pop_front();
    switch (segment.kind) {
      case Kind::open: signal(1 - direction, false, true, false); break;
      case Kind::data: take_data(direction, segment.bytes); break;
      case Kind::end: take_end(direction); break;
      case Kind::reset: take_reset(direction); break;
    }
  }
}

void Pipe::take_data(int direction, size_t bytes) {
  Direction& way = directions_[direction];
  End& receiver = ends_[1 - direction];
  way.arrived += bytes;
  note(direction, TraceKind::deliver, bytes);
  if (receiver.stream == nullptr || receiver.reset_seen) {
    way.begin = way.arrived;
    if (ends_[direction].stream != nullptr) send_reset(1 - direction);
    return;
  }
  signal(1 - direction, true, false, false);
}

void Pipe::take_end(int direction) {
  End& receiver = ends_[1 - direction];
  note(direction, TraceKind::end, 0);
  if (receiver.stream == nullptr || receiver.reset_seen) return;
  receiver.end_seen = true;
  signal(1 - direction, true, false, true);
}

void Pipe::take_reset(int direction) {
  Direction& way = directions_[direction];
  End& receiver = ends_[1 - direction];
  note(direction, TraceKind::reset, 0);
  if (receiver.stream == nullptr || receiver.reset_seen) return;
  receiver.reset_seen = true;
  if (discard_unread_) way.begin = way.arrived;
  // Who sent a reset is gone. Where a fault made it up, the other end is still to be told something.
  if (!broken_) drop_in_flight(directions_[1 - direction]);
  signal(1 - direction, true, true, true);
}

// The reset overtakes nothing, but what was still waiting to be sent dies with it.
void Pipe::send_reset(int from) {
  Direction& out = directions_[from];
  if (out.muted) return;
  if (rng_.chance(0.5)) drop_in_flight(out);
  out.ended = true;
  out.muted = true;
  push(from, Kind::reset, 0);
}

// Resets stay: whoever is to get one must get it.
void Pipe::drop_in_flight(Direction& direction) {
  std::erase_if(direction.in_flight,
                [](const Segment& segment) { return segment.kind == Kind::data || segment.kind == Kind::end; });
  direction.bytes.resize(direction.arrived);
}

void Pipe::fire_break(int direction) {
  Direction& way = directions_[direction];
  Direction& back = directions_[1 - direction];
  note(direction, TraceKind::fault, static_cast<uint64_t>(break_));
  broken_ = true;
  ++network_.faults_fired_;
  const Instant now = network_.now();
  switch (break_) {
    case Break::none: break;
    case Break::reset: {
      push(direction, Kind::reset, 0);
      drop_in_flight(back);
      push(1 - direction, Kind::reset, 0);
      back.muted = true;
      break;
    }
    case Break::cut:
      push(direction, Kind::end, 0);
      push_at(direction, Kind::reset, 0, now + stall_);
      push(1 - direction, Kind::reset, 0);
      back.muted = true;
      break;
    case Break::loss:
      drop_in_flight(way);
      drop_in_flight(back);
      push_at(direction, Kind::reset, 0, now + stall_);
      push_at(1 - direction, Kind::reset, 0, now + stall_);
      back.muted = true;
      break;
  }
  way.muted = true;
}

void Pipe::push(int direction, Kind kind, size_t bytes) {
  Direction& way = directions_[direction];
  const Duration delay = draw(way.faults.delay_min, way.faults.delay_max);
  push_at(direction, kind, bytes, network_.now() + delay);
}

void Pipe::push_at(int direction, Kind kind, size_t bytes, Instant at) {
  Direction& way = directions_[direction];
  way.last_arrival = std::max(way.last_arrival, at);
  way.in_flight.push_back({way.last_arrival, kind, bytes});
  network_.schedule(way.last_arrival, shared_from_this(), direction);
}

void Pipe::signal(int end, bool readable, bool writable, bool hangup) {
  if (ends_[end].stream == nullptr) return;
  Readiness& state = ends_[end].stream->readiness();
  network_.woke_ |= state.reader != nullptr || state.writer != nullptr || state.on_hangup != nullptr;
  state.signal(network_.loop(), readable, writable, hangup);
}

void Pipe::make_room(int direction) {
  Direction& way = directions_[direction];
  if (way.begin == way.bytes.size() || way.begin >= kCompactBytes) {
    way.bytes.erase(0, way.begin);
    way.arrived -= way.begin;
    way.begin = 0;
    // A test that measures memory must not see ours.
    if (way.bytes.empty()) std::string().swap(way.bytes);
  }
  const size_t room = way.capacity - std::min(way.capacity, way.occupied());
  if (!way.blocked || room < std::max<size_t>(1, way.capacity / kRoomDivisor)) return;
  way.blocked = false;
  signal(direction, false, true, false);
}

size_t Pipe::part_of(size_t bytes, double split) {
  if (bytes < 2 || split <= 0 || !rng_.chance(split)) return bytes;
  // One byte as often as any other part: that is where parsers have their seams.
  return rng_.chance(0.5) ? 1 : 1 + static_cast<size_t>(rng_.below(bytes - 1));
}

Duration Pipe::draw(Duration low, Duration high) {
  if (high <= low) return low;
  return low + Duration(static_cast<int64_t>(rng_.below(static_cast<uint64_t>((high - low).count()) + 1)));
}

void Pipe::note(int direction, TraceKind kind, uint64_t value) {
  network_.trace_.add(network_.now().time_since_epoch(), id_, direction, kind, value);
}

SimStream::SimStream(SimNetwork& network, std::shared_ptr<Pipe> pipe, int end, const Address& peer)
    : Stream(network.loop(), held_readiness, peer), network_(network), pipe_(std::move(pipe)), end_(end) {
  ++network_.open_streams_;
  pipe_->attach(end, *this);
}

SimStream::~SimStream() {
  pipe_->close(end_, reset_on_close_);
  --network_.open_streams_;
}

}  // namespace llmgw::net::sim
