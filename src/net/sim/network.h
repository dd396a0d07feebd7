// Connections of the simulated world: a pair of bounded pipes each, with seeded faults. They behave like the sockets of
// net/socket.cpp on Linux: readiness by edges; the peer's end of stream or reset sets `hangup` and fires on_hangup;
// closing with unread bytes, or after reset_on_close(), resets the peer; bytes that reach a closed end are answered by
// a reset; a reset is reported once, by the first read or write that meets it, after which reads end and writes fail.
// One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "net/network.h"
#include "net/sim/trace.h"

namespace llmgw::net::sim {

// One direction of a connection.
struct DirectionFaults {
  // Each piece that is written arrives after a time drawn from here, never before what was written earlier.
  base::Duration delay_min{0};
  base::Duration delay_max{0};
  double write_split = 0;  // how often a write takes only a part, down to one byte
  double read_split = 0;   // how often a read gives only a part, down to one byte
  // Bytes on their way and unread, drawn from here once a connection: what makes a writer wait.
  size_t capacity_min = 64 * 1024;
  size_t capacity_max = 64 * 1024;
};

// What may go wrong with a connection. Chances are drawn once, when it is made, from the world's seed and the
// connection's number: they do not depend on what else happens.
struct Faults {
  DirectionFaults to_server;
  DirectionFaults to_client;
  base::Duration connect_delay_min{0};
  base::Duration connect_delay_max{0};
  double refuse = 0;      // the connect is refused although somebody listens
  double black_hole = 0;  // the connect is never answered
  // At most one of these happens to a connection, in one direction, once a number of its bytes below
  // break_after_bytes_max has passed:
  double reset = 0;  // both ends see a reset
  double cut = 0;    // the receiver sees an orderly end and a reset after the stall, the sender a reset
  double loss = 0;   // nothing arrives any more; both ends see a reset after the stall
  uint64_t break_after_bytes_max = 64 * 1024;
  base::Duration stall_min = std::chrono::milliseconds(100);
  base::Duration stall_max = std::chrono::seconds(20);
  // How often a reset destroys what had arrived and was not read. (What was on its way always dies.)
  double reset_discards_unread = 0.5;
};

class Pipe;
class SimListener;
class SimStream;

class SimNetwork final : public Network {
 public:
  SimNetwork(Loop& loop, uint64_t seed);
  ~SimNetwork() override;

  Task<base::Result<std::unique_ptr<Stream>>> connect(Address address, Wait wait) override;
  // Several listeners on one address share its connections. Port 0 takes a free one.
  base::Result<std::unique_ptr<Listener>> listen(const Address& address, const ListenOptions& options) override;
  // A connection without a listener: the client's end and the server's.
  std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> pair(const Faults& faults = {});

  // For connections made from now on: all of them, or those to one address.
  void set_faults(const Faults& faults) { faults_ = faults; }
  void set_faults(const Address& address, const Faults& faults) { faults_by_address_[address.to_string()] = faults; }

  // Whether reset, cut, loss, refusal or black hole has happened to this stream's connection.
  static bool broken_by_fault(const Stream& stream);
  uint64_t faults_fired() const { return faults_fired_; }

  uint64_t connections() const { return connections_; }  // ever made
  size_t open_streams() const { return open_streams_; }  // ends that are still held
  size_t open_listeners() const { return open_listeners_; }

  const Trace& trace() const { return trace_; }
  Loop& loop() { return loop_; }
  // The poller's time: while events are delivered, the loop's own is still that of its last iteration.
  base::Instant now() { return loop_.precise_now(); }

 private:
  friend class Pipe;
  friend class SimListener;
  friend class SimStream;
  friend class VirtualPoller;

  struct Event {
    base::Instant at;
    uint64_t order;
    std::shared_ptr<Pipe> pipe;
    int direction;
    bool operator>(const Event& other) const { return at != other.at ? at > other.at : order > other.order; }
  };

  const Faults& faults_for(const Address& address) const;
  SimListener* listener_at(const Address& address);
  std::pair<std::unique_ptr<SimStream>, std::unique_ptr<SimStream>> make_pair(const Faults& faults,
                                                                              const Address& server, uint64_t id);
  void schedule(base::Instant at, std::shared_ptr<Pipe> pipe, int direction);
  base::Instant next_event() const { return events_.empty() ? base::kNever : events_.front().at; }
  // Runs what is due. True if somebody was waiting for it.
  bool run_events(base::Instant now);

  Loop& loop_;
  uint64_t seed_;
  base::Rng rng_;
  Faults faults_;
  std::map<std::string, Faults> faults_by_address_;
  std::multimap<std::string, SimListener*> listeners_;
  std::vector<Event> events_;  // a heap, the earliest first
  uint64_t event_order_ = 0;
  uint64_t connections_ = 0;
  uint64_t faults_fired_ = 0;
  size_t open_streams_ = 0;
  size_t open_listeners_ = 0;
  uint16_t next_port_ = 49152;  // the first dynamic port
  bool woke_ = false;
  Trace trace_;
};

}  // namespace llmgw::net::sim
