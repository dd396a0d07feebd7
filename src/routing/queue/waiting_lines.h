// The calls of one worker that are held back: a line before each instance, and who may go. A call is bound to its
// instance when it comes, where its prompt is probably cached; it goes when the instance has a place and nobody stands
// before it, in any worker. What a prompt costs is judged by what is cached when it could go, so prompts that begin
// alike go one after the other. An idle instance takes over from another's line what it can answer sooner, even with
// nothing cached.
//
// Pure but for the shared states: time is an argument. One thread; the leases and candidates of those that wait must
// stay where they are until they go or leave.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "routing/load/lease.h"
#include "routing/policy/policy.h"
#include "routing/queue/admission_queue.h"
#include "routing/queue/line_heads.h"

namespace llmgw::routing {

// A call that is held back.
struct HeldCall {
  Waiter waiter;
  Lease* lease = nullptr;                      // that waits
  std::span<const Candidate> candidates = {};  // where it may go
  uint32_t chosen = 0;                         // of them
  uint32_t prompt_tokens = 0;
  uint32_t block_tokens = 256;
  std::span<const uint64_t> blocks = {};  // of the prompt, as in Ask
  std::span<uint32_t> ages = {};          // filled when it goes, for PrefixIndex::learn(); as many as blocks, or none
};

// What has become of one.
struct Turn {
  WaiterId id = 0;
  uint32_t candidate = 0;  // that it goes to; its lease and the index say so already
  uint32_t cached_tokens = 0;
  uint32_t ages = 0;       // how many were filled
  bool displaced = false;  // it must be refused: others go before it, and the line is full
};

class WaitingLines {
 public:
  WaitingLines(const InstanceTable& instances, PrefixIndex& index, LineHeads& heads, FairShares& shares)
      : instances_(instances), index_(index), heads_(heads), shares_(shares), worker_(heads.join()) {}

  // Whether a call for it has to wait.
  bool must_wait(const Candidate& candidate) const;
  // `options` are those of the line, if it is the first there.
  std::expected<AdmissionQueue::Entered, AdmissionQueue::Refused> enter(const HeldCall& call,
                                                                        const QueueOptions& options, base::Instant now);
  // It does not wait any more, by its own will.
  void leave(WaiterId id, base::Instant now);
  // Who may go now. To be asked when a place may be free, and every few milliseconds while somebody waits; the turns
  // are good until the next call.
  std::span<const Turn> step(base::Instant now);

  bool empty() const { return calls_.empty(); }
  size_t waiting() const { return calls_.size(); }
  WaiterId new_id() { return ++last_id_; }

 private:
  struct Line {
    AdmissionQueue queue;
    base::Instant last_turn;
    double interval_s = 0;  // between turns, on average
  };
  void serve(Slot slot, Line& line, base::Instant now);
  void take_over(Slot slot, Line& line, base::Instant now);
  bool move_away(Slot slot, Line& line, const Waiter& waiter, double before_s, base::Instant now);
  const Candidate* better_place(Slot slot, const Line& line, const HeldCall& call, double before_s,
                                base::Instant now) const;
  uint32_t cached_now(Slot slot, const HeldCall& call) const;
  double work_now(Slot slot, const HeldCall& call) const;
  const Waiter* true_head(Slot slot, Line& line, base::Instant now);
  bool grant(Slot slot, Line& line, const HeldCall& call, uint32_t candidate, base::Instant now);
  PlaceTimes places_before(const Candidate& candidate, const Line& line, base::Instant now) const;
  void publish(Slot slot, const Line& line, base::Instant now);

  const InstanceTable& instances_;
  PrefixIndex& index_;
  LineHeads& heads_;
  FairShares& shares_;
  uint32_t worker_;
  std::unordered_map<Slot, Line> lines_;
  std::unordered_map<WaiterId, HeldCall> calls_;
  std::vector<Turn> turns_;
  std::vector<WaiterId> displaced_;  // since the last step
  WaiterId last_id_ = 0;
};

}  // namespace llmgw::routing
