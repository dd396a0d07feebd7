#include "routing/load/instance_table.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

namespace llmgw::routing {
namespace {

// A slot's next owner must not inherit the cache of the one before: so far the clock is put on, every stamp is stale.
constexpr uint32_t kClockJump = 1U << 28;

}  // namespace

struct InstanceTable::Names {
  std::mutex mutex;
  std::unordered_map<std::string, Slot> slots;
  std::vector<Entry> entries;
  std::vector<Slot> free;
};

void InstanceTable::NamesDeleter::operator()(Names* names) const {
  delete names;
}

InstanceHandle::InstanceHandle(InstanceHandle&& other) noexcept
    : table_(std::exchange(other.table_, nullptr)), slot_(other.slot_) {}

InstanceHandle& InstanceHandle::operator=(InstanceHandle&& other) noexcept {
  if (this == &other) return *this;
  reset();
  table_ = std::exchange(other.table_, nullptr);
  slot_ = other.slot_;
  return *this;
}

void InstanceHandle::reset() {
  if (InstanceTable* const table = std::exchange(table_, nullptr)) table->release(slot_);
}

InstanceTable::InstanceTable(uint32_t capacity)
    : capacity_(std::min(capacity, kInstancesMax)),
      states_(std::make_unique<InstanceState[]>(capacity_)),
      gates_(static_cast<GateState*>(std::calloc(capacity_, sizeof(GateState)))),
      names_(new Names) {
  if (gates_ == nullptr) throw std::bad_alloc();
}

void InstanceTable::Free::operator()(GateState* gates) const {
  std::free(gates);
}

InstanceHandle InstanceTable::acquire(std::string_view identity) {
  const std::scoped_lock lock(names_->mutex);
  const auto found = names_->slots.find(std::string(identity));
  if (found != names_->slots.end()) {
    ++names_->entries[found->second].holders;
    return {*this, found->second};
  }
  Slot slot = 0;
  if (!names_->free.empty()) {
    slot = names_->free.back();
    names_->free.pop_back();
  } else if (names_->entries.size() < capacity_) {
    slot = static_cast<Slot>(names_->entries.size());
    names_->entries.emplace_back();
  } else {
    return {};
  }
  names_->entries[slot] = {.identity = std::string(identity), .holders = 1};
  names_->slots.emplace(identity, slot);
  return {*this, slot};
}

void InstanceTable::release(Slot slot) {
  const std::scoped_lock lock(names_->mutex);
  Entry& entry = names_->entries[slot];
  if (--entry.holders != 0) return;
  names_->slots.erase(entry.identity);
  entry.identity.clear();
  InstanceState& state = states_[slot];
  const uint32_t clock = state.block_clock.load(std::memory_order_relaxed) + kClockJump;
  state.health = 0;
  state.paused_until_ms = 0;
  state.tokens_per_second = 0;
  state.speeds_seen = 0;
  state.latency = 0;
  state.late_us = 0;
  state.block_clock = clock;
  state.cache_blocks = 0;
  state.waiting = kUnknownGauge;
  state.running = kUnknownGauge;
  state.kv_permille = kUnknownGauge;
  GateState& gate = gates_[slot];
  gate.requests_limit = 0;
  gate.best_stretch = 0;
  gate.grown = false;
  gate.call_s = 0;
  gate.answer_times.forget();
  gate.whole_tokens_per_second = 0;
  names_->free.push_back(slot);
}

int64_t InstanceTable::requests_in_flight() const {
  int64_t sum = 0;
  for (uint32_t i = 0; i < capacity_; ++i) {
    sum += states_[i].requests_in_flight.load(std::memory_order_relaxed) +
           gates_[i].waiting_requests.load(std::memory_order_relaxed);
  }
  return sum;
}

int64_t InstanceTable::tokens_in_flight() const {
  int64_t sum = 0;
  for (uint32_t i = 0; i < capacity_; ++i) sum += states_[i].tokens_in_flight.load(std::memory_order_relaxed);
  return sum;
}

}  // namespace llmgw::routing
