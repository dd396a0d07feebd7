#include "net/sim/world.h"

#include <algorithm>

#include "net/io.h"

namespace llmgw::net::sim {
namespace {

// The wall clock of every world begins here: 2026-01-01 00:00 UTC.
constexpr std::chrono::seconds kWallStart{1'767'225'600};
// Not zero, so that nothing mistakes "now" for "never set".
constexpr std::chrono::seconds kStart{1000};

}  // namespace

base::WallTime SimPoller::wall_now() {
  return base::WallTime(kWallStart + now_.time_since_epoch());
}

void SimPoller::at(base::Instant due, Action action) {
  events_.push({std::max(due, now_), next_number_++, std::move(action)});
}

void SimPoller::run_due() {
  while (!events_.empty() && events_.top().due <= now_) {
    Action action = std::move(events_.top().action);
    events_.pop();
    action();
  }
}

void SimPoller::poll(Loop&, base::Instant until) {
  woke_ = false;
  run_due();
  // With nothing else to wait for, time goes on until somebody is woken.
  while (!woke_ && until > now_) {
    const base::Instant next = events_.empty() ? base::kNever : events_.top().due;
    if (std::min(next, until) == base::kNever) return;
    now_ = std::min(next, until);
    run_due();
    if (until != base::kNever) return;
  }
}

World::World(uint64_t seed, const NetworkFaults& faults)
    : seed_(seed),
      poller_(new SimPoller),
      loop_(std::unique_ptr<Poller>(poller_), seed),
      rng_(seed ^ 0x5eed5eed5eed5eed),
      network_(std::make_unique<SimNetwork>(*this, seed, faults)),
      resolver_(std::make_unique<SimResolver>(*this)) {
  run_for(kStart);
}

World::~World() = default;

bool World::run_until(const std::function<bool()>& done) {
  const uint64_t iterations_limit = loop_.iterations() + kIterationsMax;
  const base::Instant time_limit = loop_.now() + kRunTimeMax;
  bool finished = false;
  bool limited = false;
  // The loop gives up when it sees neither a timer nor a waiter; but what is on its way may still be noticed.
  do {
    loop_.run_until([&] {
      finished = done();
      limited = loop_.iterations() >= iterations_limit || loop_.now() >= time_limit;
      return finished || limited;
    });
  } while (!finished && !limited && poller_->pending() > 0);
  return finished;
}

bool World::run(Task<void> task) {
  bool done = false;
  tasks_.spawn([](Task<void> body, bool& finished) -> Task<void> {
    co_await body;
    finished = true;
  }(std::move(task), done));
  return run_until([&] { return done; });
}

void World::run_for(base::Duration duration) {
  run([](Loop& loop, base::Duration span) -> Task<void> { co_await sleep_for(loop, span); }(loop_, duration));
}

void World::note(std::string_view text) {
  record(TraceKind::note, 0, 0, text);
}

std::string World::report() const {
  return "seed " + std::to_string(seed_) + "\n" + trace_.text();
}

std::string World::leaks() const {
  std::string text;
  const auto add = [&](size_t count, const char* what) {
    if (count == 0) return;
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + what + (count == 1 ? "" : "s");
  };
  add(network_->open_streams(), "stream");
  add(network_->open_listeners(), "listener");
  add(tasks_.active(), "task");
  return text;
}

void World::record(TraceKind kind, uint64_t subject, uint64_t value, std::string_view text) {
  trace_.add(poller_->now(), kind, subject, value, text);
}

void World::signal(Readiness& readiness, bool readable, bool writable, bool hangup) {
  if (readiness.reader != nullptr || readiness.writer != nullptr || readiness.on_hangup != nullptr) poller_->woke();
  readiness.signal(loop_, readable, writable, hangup);
}

}  // namespace llmgw::net::sim
