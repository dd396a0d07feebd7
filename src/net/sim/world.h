// The simulated world: a loop whose time is virtual and whose connections are pipes in memory, so that clients, gateway
// and upstreams run in one deterministic test. Everything that happens follows from the seed: the same seed and the
// same program give the same trace. Time stands still while anything can run, and jumps to the next event otherwise.
//
//   sim::World world(seed);
//   auto listener = world.network().listen(*Address::parse("10.0.0.1:80"), {});
//   tasks.spawn(...);
//   EXPECT_TRUE(world.run_until([&] { return done; })) << world.trace();
//   EXPECT_EQ(world.network().open_streams(), 0u);
//
// One thread. Streams and listeners must die before their world.
#pragma once

#include <memory>
#include <string>

#include "net/sim/network.h"

namespace llmgw::net::sim {

class VirtualPoller;

class World {
 public:
  explicit World(uint64_t seed);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  uint64_t seed() const { return seed_; }
  Loop& loop() { return *loop_; }
  SimNetwork& network() { return *network_; }
  // For the test's own decisions; the network draws from generators of its own.
  base::Rng& rng() { return rng_; }
  // Since the world began.
  base::Duration elapsed() { return loop_->now() - start_; }

  // Runs until done() holds. False when nothing can happen any more, or `limit` of virtual time has passed: a loop with
  // a periodic timer never falls silent by itself.
  bool run_until(const std::function<bool()>& done, base::Duration limit = std::chrono::hours(1));
  // Lets `duration` of virtual time pass.
  void run_for(base::Duration duration);

  // What happened on the network so far as one number: equal for equal runs.
  uint64_t trace_hash() const { return network_->trace().hash(); }
  // The last events, a line each, with the seed: for the message of a failing test.
  std::string trace() const;

 private:
  uint64_t seed_;
  base::Rng rng_;
  VirtualPoller* poller_;  // the loop owns it
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<SimNetwork> network_;
  base::Instant start_;
};

}  // namespace llmgw::net::sim
