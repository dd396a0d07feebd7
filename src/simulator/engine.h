// A simulated inference engine: a bounded waiting queue, continuous batching up to a number of running sequences, a
// paged key-value cache with prefix reuse, and two speeds. It computes no language, only when each token would come.
//
// Model of time: prefill is one serial resource (sequences take it first come, first served, at
// `prefill_tokens_per_second` over the tokens not found in the cache); each prefilled sequence then decodes on its own
// at `decode_tokens_per_second`. The first token comes when the prefill ends. When a growing sequence finds no free
// block, the youngest running one is preempted: its blocks go, it returns to the head of the queue and is prefilled
// anew with what it had produced, as vLLM does by recomputation.
//
// Pure and deterministic: time is an argument, nothing is random. One thread. `now` never goes backwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "simulator/histogram.h"
#include "simulator/kv_cache.h"

namespace llmgw::simulator {

struct EngineOptions {
  double prefill_tokens_per_second = 20'000;  // 0: no time at all
  double decode_tokens_per_second = 100;      // of one sequence; 0: no time at all
  size_t running_max = 128;                   // sequences prefilling or decoding at once
  size_t waiting_max = 1024;                  // beyond it `submit` refuses
  size_t kv_blocks = 16'384;
  size_t block_tokens = 16;
  bool prefix_cache = true;
};

using SequenceId = uint64_t;

struct EngineRequest {
  uint32_t prompt_tokens = 0;
  uint32_t output_steps = 0;  // decode steps until it ends; 0 (an embedding): it ends with the prefill
  uint32_t width = 1;         // tokens a step: the parallel answers of one request
  bool ends_by_length = false;
  // Chained hashes of the full blocks of prompt and answer, in order; may be shorter than both (then the rest is
  // never found again).
  std::vector<uint64_t> block_hashes{};
};

enum class EngineEventKind : uint8_t {
  token,     // step `step` was decoded; step 0 is the first token
  finished,  // the last step was the one before; the sequence is forgotten
  evicted,   // it outgrew the whole cache: the answer ends here; the sequence is forgotten
};

struct EngineEvent {
  SequenceId id = 0;
  EngineEventKind kind = EngineEventKind::token;
  base::Instant at;
  uint32_t step = 0;
  uint32_t cached_tokens = 0;  // of the prompt, found in the cache when it was admitted first
};

// Counters since the start and gauges of now; the fields feed metrics.h.
struct EngineStats {
  size_t running = 0;
  size_t waiting = 0;
  double kv_usage = 0;          // 0..1
  uint64_t prefix_queries = 0;  // tokens looked up
  uint64_t prefix_hits = 0;     // tokens found
  uint64_t prompt_tokens = 0;
  uint64_t generation_tokens = 0;
  uint64_t preemptions = 0;
  uint64_t rejected = 0;
  uint64_t finished_stop = 0;
  uint64_t finished_length = 0;
  uint64_t finished_abort = 0;
  Histogram time_to_first_token{kFirstTokenBounds};
  Histogram time_per_output_token{kTokenBounds};
  Histogram end_to_end{kRequestBounds};
  Histogram queue_time{kRequestBounds};
  Histogram request_prompt_tokens{kCountBounds};
  Histogram request_generation_tokens{kCountBounds};
};

class Engine {
 public:
  explicit Engine(const EngineOptions& options);

  // Errors: exhausted (the queue is full), too_large (the prompt alone does not fit the cache).
  base::Result<SequenceId> submit(EngineRequest request, base::Instant now);
  // When `advance` has something to do next; kNever if nothing is running.
  base::Instant next_event_at() const;
  // Appends to `events`, in the order of time, all that happens up to and including `now`.
  void advance(base::Instant now, std::vector<EngineEvent>& events);
  // The client went away. No event follows for this sequence; an unknown id is ignored.
  void cancel(SequenceId id, base::Instant now);
  // Forgets all cached prefixes that no running sequence holds.
  void forget_prefixes() { cache_.forget(); }

  EngineStats stats() const;
  const EngineOptions& options() const { return options_; }

 private:
  enum class Phase : uint8_t { waiting, prefill, decode };
  struct Sequence {
    EngineRequest request;
    Phase phase = Phase::waiting;
    std::vector<KvCache::BlockId> held;
    size_t published = 0;  // leading blocks of `held` that other sequences can find
    uint32_t done = 0;     // steps decoded
    uint32_t cached_tokens = 0;
    uint32_t to_compute = 0;  // tokens of the prefill that is due or under way
    bool admitted_before = false;
    base::Instant submitted_at;
    base::Instant last_token_at;
    base::Instant decode_began_at;  // and with which step, so that rounding does not add up
    uint32_t decode_began_step = 0;
  };

  size_t blocks_for(size_t tokens) const { return (tokens + options_.block_tokens - 1) / options_.block_tokens; }
  size_t tokens_in_cache(const Sequence& sequence) const;
  void admit(base::Instant now);
  bool try_admit(SequenceId id, base::Instant now);
  void start_prefill(base::Instant now);
  void end_prefill(base::Instant now, std::vector<EngineEvent>& events);
  void decode_step(SequenceId id, base::Instant now, std::vector<EngineEvent>& events);
  void schedule_decode(SequenceId id, const Sequence& sequence);
  bool grow(SequenceId id, base::Instant now);
  void preempt(SequenceId id);
  void publish(Sequence& sequence, size_t tokens);
  void remove(SequenceId id, base::Instant now);
  void leave_batch(SequenceId id, Sequence& sequence);
  base::Duration time_for(double tokens, double per_second) const;

  EngineOptions options_;
  KvCache cache_;
  std::unordered_map<SequenceId, Sequence> sequences_;
  std::deque<SequenceId> waiting_;
  std::deque<SequenceId> prefill_queue_;  // the front is being prefilled
  base::Instant prefill_ends_at_ = base::kNever;
  std::vector<SequenceId> batch_;  // prefilling and decoding, in the order of admission
  std::set<std::pair<base::Instant, SequenceId>> decode_due_;
  SequenceId next_id_ = 1;
  EngineStats stats_;
};

}  // namespace llmgw::simulator
