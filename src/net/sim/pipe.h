// A simulated connection: two bounded queues of bytes between two streams, with delays, splits and breaks. Behaves to
// its ends as a TCP connection on Linux does. Internal to net/sim.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/rng.h"
#include "net/sim/faults.h"
#include "net/sim/trace.h"
#include "net/stream.h"

namespace llmgw::net::sim {

class World;
class SimStream;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  enum Side : uint8_t { client = 0, server = 1 };

  Connection(World& world, uint64_t number, uint64_t seed, const NetworkFaults& faults);

  // Makes an end. At most one of each side, `live` counts them.
  std::unique_ptr<SimStream> make_end(Side side, const Address& peer, size_t& live);

 private:
  friend class SimStream;

  // Bytes on their way from one side to the other.
  struct Direction {
    DirectionFaults faults;
    std::optional<uint64_t> cut_at;
    std::optional<uint64_t> stall_at;
    uint64_t written = 0;     // bytes accepted from the writer
    uint64_t in_transit = 0;  // accepted and not yet read, lost ones included: what fills the capacity
    std::string received;     // arrived, from received_head on
    size_t received_head = 0;
    base::Instant last_due{};  // pieces do not overtake each other
    bool broken = false;       // cut or stalled: the rest is lost
    bool finish_sent = false;
    bool finish_arrived = false;
    bool writer_blocked = false;  // waits for room
  };
  struct End {
    SimStream* stream = nullptr;
    bool reset = false;
  };

  IoResult read(Side side, std::span<char> buffer);
  IoResult write(Side side, std::span<const iovec> buffers);
  void finish(Side side);
  void close(Side side, bool abort);

  static Side other(Side side) { return side == client ? server : client; }
  uint64_t subject(Side side) const { return number_ * 2 + side; }
  Direction& from(Side side) { return directions_[side]; }
  Direction& to(Side side) { return directions_[other(side)]; }
  base::Instant due(Direction& direction);
  size_t maybe_split(const Direction& direction, size_t bytes);
  void send(Side side, std::string bytes);
  void arrive(Side receiver, const std::string& bytes);
  void arrive_finish(Side receiver);
  void break_direction(Side writer, TraceKind kind, base::Duration until_reset);
  void reset(Side side);
  void reset_later(Side side, base::Instant when);
  void allow_writing(Side writer);

  World& world_;
  uint64_t number_;
  base::Rng rng_;
  Direction directions_[2];  // by the side that writes
  End ends_[2];
};

class SimStream : public Stream {
 public:
  SimStream(std::shared_ptr<Connection> connection, Connection::Side side, World& world, const Address& peer,
            size_t& live);
  ~SimStream() override;

  IoResult try_read(std::span<char> buffer) override { return connection_->read(side_, buffer); }
  IoResult try_write(std::span<const iovec> buffers) override { return connection_->write(side_, buffers); }
  void shutdown_write() override { connection_->finish(side_); }
  void reset_on_close() override { abort_ = true; }

 private:
  friend class Connection;
  std::shared_ptr<Connection> connection_;
  Connection::Side side_;
  size_t& live_;
  bool abort_ = false;
  Readiness state_;
};

}  // namespace llmgw::net::sim
