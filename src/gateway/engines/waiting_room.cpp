#include "gateway/engines/waiting_room.h"

namespace llmgw::gateway {
namespace {

// Other workers' places become free without a signal here.
constexpr base::Duration kLookInterval = std::chrono::milliseconds(2);

}  // namespace

std::expected<routing::AdmissionQueue::Entered, routing::AdmissionQueue::Refused> WaitingRoom::enter(
    const routing::HeldCall& call, const routing::QueueOptions& options, Stay& stay) {
  auto entered = lines_.enter(call, options, loop_.now());
  if (!entered) return entered;
  stays_.emplace(stay.id(), &stay);
  changed();
  if (!looking_ && !lines_.empty()) {
    looking_ = true;
    looks_.spawn(look());
  }
  return entered;
}

void WaitingRoom::leave(routing::WaiterId id) {
  if (stays_.erase(id) != 0) lines_.leave(id, loop_.now());
}

void WaitingRoom::end_guesses() {
  const base::Instant now = loop_.now();
  std::erase_if(guesses_, [now](const Guess& guess) {
    if (guess.at > now) return false;
    guess.lease->first_token(now);
    return true;
  });
}

void WaitingRoom::changed() {
  end_guesses();
  if (lines_.empty()) return;
  for (const routing::Turn& turn : lines_.step(loop_.now())) {
    const auto found = stays_.find(turn.id);
    if (found == stays_.end()) continue;
    found->second->turn_ = turn;
    found->second->changed_.notify();
    stays_.erase(found);
  }
}

net::Task<void> WaitingRoom::look() {
  while (!lines_.empty()) {
    co_await net::sleep_for(loop_, kLookInterval);
    changed();
  }
  looking_ = false;
}

}  // namespace llmgw::gateway
