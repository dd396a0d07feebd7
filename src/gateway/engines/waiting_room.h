// The calls of one worker that are held back before engines: routing::WaitingLines, and the coroutines that stand in
// them. One thread.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "net/io.h"
#include "net/task.h"
#include "routing/queue/waiting_lines.h"

namespace llmgw::gateway {

class WaitingRoom {
 public:
  WaitingRoom(net::Loop& loop, const routing::InstanceTable& instances, routing::PrefixIndex& index,
              routing::LineHeads& heads, routing::FairShares& shares)
      : loop_(loop), lines_(instances, index, heads, shares) {}

  // One call's stay: it leaves with this object, whatever happens.
  class Stay {
   public:
    explicit Stay(WaitingRoom& room) : room_(room), id_(room.lines_.new_id()), changed_(room.loop_) {}
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;
    ~Stay() { room_.leave(id_); }

    routing::WaiterId id() const { return id_; }
    // Notified when there is a turn.
    net::Signal& changed() { return changed_; }
    const std::optional<routing::Turn>& turn() const { return turn_; }

   private:
    friend class WaitingRoom;
    WaitingRoom& room_;
    routing::WaiterId id_;
    net::Signal changed_;
    std::optional<routing::Turn> turn_;
  };

  bool must_wait(const routing::Candidate& candidate) {
    end_guesses();
    return lines_.must_wait(candidate);
  }
  std::expected<routing::AdmissionQueue::Entered, routing::AdmissionQueue::Refused> enter(
      const routing::HeldCall& call, const routing::QueueOptions& options, Stay& stay);
  // A place may be free.
  void changed();
  size_t waiting() const { return lines_.waiting(); }

  // An answer that does not show when its prompt was computed: it is taken to be at `at`.
  void guess_first_token(routing::Lease& lease, base::Instant at) { guesses_.push_back({&lease, at}); }
  void forget_guess(const routing::Lease& lease) {
    std::erase_if(guesses_, [&](const Guess& guess) { return guess.lease == &lease; });
  }

 private:
  struct Guess {
    routing::Lease* lease;
    base::Instant at;
  };
  void leave(routing::WaiterId id);
  void end_guesses();
  net::Task<void> look();

  net::Loop& loop_;
  routing::WaitingLines lines_;
  std::unordered_map<routing::WaiterId, Stay*> stays_;
  std::vector<Guess> guesses_;
  bool looking_ = false;
  net::TaskGroup looks_;
};

}  // namespace llmgw::gateway
