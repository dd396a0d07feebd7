#include "net/sim/world.h"

#include <algorithm>

namespace llmgw::net::sim {
namespace {

// Neither zero nor near it: a time that was never set must not look like the present.
constexpr base::Duration kEpoch = std::chrono::hours(1000);
constexpr base::WallTime kWallEpoch{std::chrono::seconds(1'767'225'600)};  // 2026-01-01 00:00:00 UTC

}  // namespace

class VirtualPoller final : public Poller {
 public:
  void attach(SimNetwork& network) { network_ = &network; }

  base::Instant now() override { return now_; }
  base::WallTime wall_now() override { return kWallEpoch + (now_.time_since_epoch() - kEpoch); }
  void wake() override { woken_ = true; }

  // Events that nobody waits for do not end the wait: the loop takes an idle round for the end of the world.
  void poll(Loop&, base::Instant until) override {
    for (;;) {
      const bool somebody_waited = network_->run_events(now_);
      if (somebody_waited || woken_ || until <= now_) break;
      const base::Instant next = std::min(until, network_->next_event());
      if (next == base::kNever) break;
      now_ = std::max(now_, next);
      // Events and timers of the same instant: the network goes first.
    }
    woken_ = false;
  }

 private:
  SimNetwork* network_ = nullptr;
  base::Instant now_{kEpoch};
  bool woken_ = false;
};

World::World(uint64_t seed) : seed_(seed), rng_(seed * 0x2545f4914f6cdd1d + 1) {
  auto poller = std::make_unique<VirtualPoller>();
  poller_ = poller.get();
  loop_ = std::make_unique<Loop>(std::move(poller), seed);
  network_ = std::make_unique<SimNetwork>(*loop_, seed);
  poller_->attach(*network_);
  start_ = loop_->now();
}

World::~World() = default;

bool World::run_until(const std::function<bool()>& done, base::Duration limit) {
  struct Limit : Timer {
    Limit() : Timer([](Timer& timer) { static_cast<Limit&>(timer).passed = true; }) {}
    bool passed = false;
  } over;
  loop_->timers().arm(over, loop_->now() + limit);
  loop_->run_until([&] { return over.passed || done(); });
  return done();
}

void World::run_for(base::Duration duration) {
  run_until([] { return false; }, duration);
}

std::string World::trace() const {
  return "seed " + std::to_string(seed_) + ", " + std::to_string(network_->trace().events()) + " events, the last:\n" +
         network_->trace().text();
}

}  // namespace llmgw::net::sim
