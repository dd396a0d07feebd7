// One simulated connection: two directions of bytes on their way, and what each end has been told. Internal to net/sim.
// End 0 is the client, end 1 the server; direction d carries what end d writes to end 1 - d.
#pragma once

#include <deque>
#include <string>

#include "net/sim/network.h"

namespace llmgw::net::sim {

class Pipe : public std::enable_shared_from_this<Pipe> {
 public:
  Pipe(SimNetwork& network, const Faults& faults, uint64_t id, base::Rng rng);

  void attach(int end, SimStream& stream) { ends_[end].stream = &stream; }
  // Tells the server's end that it can write.
  void open() { push(0, Kind::open, 0); }
  IoResult read(int end, std::span<char> buffer);
  IoResult write(int end, std::span<const iovec> buffers);
  void shutdown_write(int end);
  void close(int end, bool with_reset);
  bool broken() const { return broken_; }

  // What was scheduled for a direction is due.
  void arrive(int direction, base::Instant now);

 private:
  enum class Kind : uint8_t { open, data, end, reset };
  enum class Break : uint8_t { none, reset, cut, loss };

  struct Segment {
    base::Instant at;
    Kind kind;
    size_t bytes;
  };
  struct Direction {
    DirectionFaults faults;
    size_t capacity;
    std::string bytes;   // unread: what has arrived, then what is on its way
    size_t begin = 0;    // in bytes: the first unread one
    size_t arrived = 0;  // in bytes: the end of what has arrived
    size_t lost = 0;     // swallowed by a loss: holds capacity for ever
    uint64_t sent = 0;   // bytes taken from the writer so far
    uint64_t break_at = UINT64_MAX;
    std::deque<Segment> in_flight;
    base::Instant last_arrival{};
    bool ended = false;    // the writer has shut down
    bool muted = false;    // what is written goes nowhere
    bool blocked = false;  // the writer waits for room

    size_t occupied() const { return bytes.size() - begin + lost; }
  };
  struct End {
    SimStream* stream = nullptr;
    bool end_seen = false;    // the peer's end has arrived
    bool reset_seen = false;  // a reset has arrived; behind an end, only writes hear of it
  };

  void push(int direction, Kind kind, size_t bytes);
  void push_at(int direction, Kind kind, size_t bytes, base::Instant at);
  void drop_in_flight(Direction& direction);
  void send_reset(int from);
  void take_data(int direction, size_t bytes);
  void take_end(int direction);
  void take_reset(int direction);
  void fire_break(int direction);
  void signal(int end, bool readable, bool writable, bool hangup);
  void make_room(int direction);
  size_t part_of(size_t bytes, double split);
  base::Duration draw(base::Duration low, base::Duration high);
  void note(int direction, TraceKind kind, uint64_t value);

  SimNetwork& network_;
  uint64_t id_;
  base::Rng rng_;
  base::Duration stall_;
  bool discard_unread_;
  Break break_ = Break::none;
  bool broken_ = false;
  Direction directions_[2];
  End ends_[2];
};

// What a stream has before its base class: the readiness that the base refers to.
struct ReadinessHolder {
  Readiness held_readiness;
};

class SimStream final : private ReadinessHolder, public Stream {
 public:
  SimStream(SimNetwork& network, std::shared_ptr<Pipe> pipe, int end, const Address& peer);
  ~SimStream() override;

  IoResult try_read(std::span<char> buffer) override { return pipe_->read(end_, buffer); }
  IoResult try_write(std::span<const iovec> buffers) override { return pipe_->write(end_, buffers); }
  void shutdown_write() override { pipe_->shutdown_write(end_); }
  void reset_on_close() override { reset_on_close_ = true; }
  const Pipe& pipe() const { return *pipe_; }

 private:
  SimNetwork& network_;
  std::shared_ptr<Pipe> pipe_;
  int end_;
  bool reset_on_close_ = false;
};

}  // namespace llmgw::net::sim
