// What the process knows of each instance while it runs: load, health, speed. One cache line an instance, of relaxed
// atomics, shared by all workers: no lock, and a decision over 2,000 instances walks 128 KB.
//
// An instance has a slot for as long as somebody holds its InstanceHandle: snapshots do, and requests hold snapshots.
// Slots are found by identity, so load and health survive a reload. Handles are made by any thread off the request
// path (a mutex); everything else is for any thread at any time.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "routing/load/answer_times.h"

namespace llmgw::routing {

using Slot = uint32_t;

// What is not known is unknown, which is not 0.
inline constexpr uint32_t kUnknown = UINT32_MAX;
inline constexpr uint16_t kUnknownGauge = UINT16_MAX;

struct alignas(64) InstanceState {
  std::atomic<uint64_t> health = 0;               // health/health.h
  std::atomic<uint64_t> latency = 0;              // policy/peak_ewma.h
  std::atomic<int64_t> tokens_in_flight = 0;      // uncached prompt tokens that have no first token yet
  std::atomic<int32_t> requests_in_flight = 0;    // sent there; what waits in the gateway is GateState's
  std::atomic<int32_t> prompts_in_flight = 0;     // of them, those without a first token
  std::atomic<uint32_t> progress_ms = 0;          // since when the oldest prompt is computed; of the loops' clock
  std::atomic<uint32_t> paused_until_ms = 0;      // the same clock; 0: not
  std::atomic<uint32_t> tokens_per_second = 0;    // learnt prefill speed; 0: not yet known
  std::atomic<uint32_t> block_clock = 0;          // blocks that entered its cache, as far as we sent them
  std::atomic<uint32_t> cache_blocks = 0;         // how many it keeps, in our blocks; reported or learnt; 0: not known
  std::atomic<uint32_t> late_us = 0;              // load/late_first_byte.h; 0: not known
  std::atomic<uint16_t> waiting = kUnknownGauge;  // requests in its own queue, by its metrics
  std::atomic<uint16_t> running = kUnknownGauge;  // being worked on, by its metrics
  std::atomic<uint16_t> kv_permille = kUnknownGauge;  // use of its cache, by its metrics
  std::atomic<uint16_t> speeds_seen = 0;              // answers that tokens_per_second is learnt from, up to some
};
static_assert(sizeof(InstanceState) == 64);

// What the gateway holds back from an instance, and what it has learnt that the instance takes at a time. All zero
// until a call is held back, or is answered without a stream.
struct GateState {
  // Prompts that wait, by their uncached tokens: up to 256, up to 512, and so on doubled.
  static constexpr size_t kSizes = 10;
  std::atomic<int64_t> waiting_by_size[kSizes] = {};  // their tokens
  std::atomic<int64_t> waiting_tokens = 0;            // of InstanceState::tokens_in_flight, those that wait here
  std::atomic<int32_t> waiting_requests = 0;          // beside InstanceState::requests_in_flight
  std::atomic<int32_t> waiting_prompts = 0;           // of prompts_in_flight
  std::atomic<float> requests_limit = 0;              // learnt; 0: nothing yet. queue/gate.h
  std::atomic<float> best_stretch = 0;                // the same
  std::atomic<bool> grown = false;                    // the same
  std::atomic<float> call_s = 0;                      // of whole calls there, a moving average; 0: not known
  std::atomic<uint64_t> places = 0;                   // which calls have had taken_place() added
  AnswerTimes answer_times;                           // of answers that are not streamed
  std::atomic<uint32_t> whole_tokens_per_second = 0;  // prefill speed by them; 0: not known
};

inline size_t size_class(int64_t tokens) {
  const auto scaled = static_cast<uint64_t>(tokens > 0 ? tokens - 1 : 0) >> 8;
  return std::min<size_t>(static_cast<size_t>(std::bit_width(scaled)), GateState::kSizes - 1);
}

// A moment in 32 bits: milliseconds modulo 50 days, compared by difference. Never 0.
inline uint32_t short_ms(base::Instant at) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
  return static_cast<uint32_t>(ms) | 1;
}
// How long `earlier` was before `at`; negative: after it.
inline base::Duration since_short(uint32_t earlier, base::Instant at) {
  return std::chrono::milliseconds(static_cast<int32_t>(short_ms(at) - earlier));
}

// What a call that takes a place at `now` adds to GateState::places, and takes away again: one of a count, in the upper
// 16 bits, and the moment, so that whoever reads has both of the same calls.
inline constexpr int kPlaceBits = 48;
inline constexpr base::Duration kPlaceTick = std::chrono::milliseconds(64);  // 2^32 of them are 8 years of uptime
inline uint64_t taken_place(base::Instant now) {
  return uint64_t{1} << kPlaceBits | static_cast<uint32_t>(now.time_since_epoch() / kPlaceTick);
}

class InstanceTable;

// Keeps an instance's slot. Movable; the table must outlive it.
class InstanceHandle {
 public:
  InstanceHandle() = default;
  InstanceHandle(InstanceHandle&& other) noexcept;
  InstanceHandle& operator=(InstanceHandle&& other) noexcept;
  InstanceHandle(const InstanceHandle&) = delete;
  InstanceHandle& operator=(const InstanceHandle&) = delete;
  ~InstanceHandle() { reset(); }
  Slot slot() const { return slot_; }
  bool valid() const { return table_ != nullptr; }

 private:
  friend class InstanceTable;
  InstanceHandle(InstanceTable& table, Slot slot) : table_(&table), slot_(slot) {}
  void reset();
  InstanceTable* table_ = nullptr;
  Slot slot_ = 0;
};

class InstanceTable {
 public:
  // A megabyte of states; the largest fleets the field talks about have some thousands.
  static constexpr uint32_t kInstancesMax = 16384;

  // Room for `capacity` instances at a time, at most kInstancesMax.
  explicit InstanceTable(uint32_t capacity = kInstancesMax);
  InstanceTable(const InstanceTable&) = delete;
  InstanceTable& operator=(const InstanceTable&) = delete;

  // The slot of the instance of that identity, new or the one it has. Invalid when the table is full.
  InstanceHandle acquire(std::string_view identity);
  InstanceState& state(Slot slot) const { return states_[slot]; }
  GateState& gate(Slot slot) const { return gates_[slot]; }
  uint32_t capacity() const { return capacity_; }
  // Sums over all instances, what waits included; after every storm both are 0.
  int64_t requests_in_flight() const;
  int64_t tokens_in_flight() const;

 private:
  friend class InstanceHandle;
  void release(Slot slot);
  struct Entry {
    std::string identity;
    uint32_t holders = 0;
  };
  uint32_t capacity_;
  std::unique_ptr<InstanceState[]> states_;
  struct Free {
    void operator()(GateState* gates) const;
  };
  std::unique_ptr<GateState[], Free> gates_;  // of zeroed pages: they take no memory before they are used
  struct Names;
  struct NamesDeleter {
    void operator()(Names* names) const;
  };
  std::unique_ptr<Names, NamesDeleter> names_;
};

}  // namespace llmgw::routing
