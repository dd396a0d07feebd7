// What a worker counts while it serves. On the request path a label set costs one small hash look-up by integer ids and
// every count after it one add; strings, the registry's mutex and allocation are met only the first time a worker sees
// a label set. One thread: the worker's.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "telemetry/metrics.h"

namespace llmgw::telemetry {

inline constexpr uint32_t kNoId = UINT32_MAX;  // an id that does not apply: its label value is kNone

// Ids of a request's labels, valid within one snapshot; `generation` is the snapshot's number, so that requests of an
// old snapshot still count where they belong.
struct RequestIds {
  uint32_t generation = 0;
  uint32_t api_key = kNoId;
  uint32_t connection = kNoId;
  uint32_t model = kNoId;
  uint32_t endpoint = kNoId;
  bool operator==(const RequestIds&) const = default;
};

// The same labels as text, read only when the ids are new to this worker. Empty reads "none".
struct RequestLabels {
  std::string_view api_key;
  std::string_view provider;
  std::string_view model;
  std::string_view endpoint;
};

struct InstanceIds {
  uint32_t generation = 0;
  uint32_t instance = kNoId;
  bool operator==(const InstanceIds&) const = default;
};

enum class InstanceOutcome : uint8_t { success, failure, business_error };
inline constexpr size_t kInstanceOutcomeCount = 3;
std::string_view to_string(InstanceOutcome outcome);

// Values of the label "event" of llm_gateway_failover_total.
enum class FailoverEvent : uint8_t { retry, fallback, hedge, hedge_won, continuation, mirror, budget_spent };
inline constexpr size_t kFailoverEventCount = 7;
std::string_view to_string(FailoverEvent event);

inline constexpr size_t kErrorTypesMax = 64;  // error classes the gateway may number

// Counters of one label set in one worker. Each is resolved on first use, so what never happened has no series.
class RequestSeries {
 public:
  void count_request() { requests_.add(); }
  void count_tokens(TokenType type, uint64_t count) {
    Counter& counter = tokens_[static_cast<size_t>(type)];
    if (!counter) [[unlikely]]
      counter = resolve_tokens(type);
    counter.add(count);
  }
  // `error_id` < kErrorTypesMax numbers the class; `error_type` is its name, the same for the same id.
  void count_error(uint8_t error_id, std::string_view error_type);
  void count_cost(uint64_t nano_dollars) {
    if (!cost_) [[unlikely]]
      cost_ = resolve_counter(FamilyId::cost);
    cost_.add(nano_dollars);
  }
  void count_unpriced() {
    if (!unpriced_) [[unlikely]]
      unpriced_ = resolve_counter(FamilyId::unpriced);
    unpriced_.add();
  }
  void record_duration(base::Duration time) { record(duration_, FamilyId::request_duration, time); }
  void record_upstream(base::Duration time) { record(upstream_, FamilyId::upstream_duration, time); }
  void record_added(base::Duration time) { record(added_, FamilyId::added_time, time); }
  void record_first_token(base::Duration time) { record(first_token_, FamilyId::time_to_first_token, time); }
  void record_token_gap(base::Duration time) { record(token_gap_, FamilyId::time_between_tokens, time); }

 private:
  friend class WorkerMetrics;
  RequestSeries(Registry& registry, Shard& shard, const Series& labels);
  void record(Histogram& histogram, FamilyId family, base::Duration time) {
    if (!histogram) [[unlikely]]
      histogram = resolve_histogram(family);
    histogram.record(time);
  }
  Counter resolve_counter(FamilyId family);
  Counter resolve_tokens(TokenType type);
  Histogram resolve_histogram(FamilyId family);

  Registry* registry_;
  Shard* shard_;
  const Series* labels_;  // of llm_requests_total
  Counter requests_;
  Counter cost_;
  Counter unpriced_;
  std::array<Counter, kTokenTypeCount> tokens_;
  Histogram duration_;
  Histogram upstream_;
  Histogram added_;
  Histogram first_token_;
  Histogram token_gap_;
  std::unique_ptr<std::array<Counter, kErrorTypesMax>> errors_;
};

class InstanceSeries {
 public:
  void count(InstanceOutcome outcome) {
    Counter& counter = outcomes_[static_cast<size_t>(outcome)];
    if (!counter) [[unlikely]]
      counter = resolve(outcome);
    counter.add();
  }
  void set_health(bool healthy);
  // A call has to wait behind so many.
  void count_queued(uint32_t position);
  void record_queue_wait(base::Duration time);

 private:
  friend class WorkerMetrics;
  InstanceSeries(Registry& registry, Shard& shard, const Series& labels);
  Counter resolve(InstanceOutcome outcome);

  Registry* registry_;
  Shard* shard_;
  const Series* labels_;  // of llm_gateway_instance_health_status
  Gauge health_;
  Counter queued_;
  Counter positions_;
  Histogram wait_;
  std::array<Counter, kInstanceOutcomeCount> outcomes_;
};

// Maps small ids to a worker's series. Open addressing; grows to kSlotsMax and then starts anew, which costs each label
// set one look-up by text again.
template <class Ids, class Value>
class IdCache {
 public:
  static constexpr size_t kSlotsMax = 16384;  // 0.5 MB; twice the series a family may have

  Value* find(const Ids& ids) const {
    const size_t mask = slots_.size() - 1;
    for (size_t i = hash(ids) & mask;; i = (i + 1) & mask) {
      const Slot& slot = slots_[i];
      if (!slot.value) return nullptr;
      if (slot.ids == ids) return slot.value;
    }
  }
  void insert(const Ids& ids, Value* value) {
    if (++used_ * 2 > slots_.size()) grow();
    place(ids, value);
  }
  size_t size() const { return used_; }

 private:
  struct Slot {
    Ids ids;
    Value* value = nullptr;
  };
  static constexpr size_t kFirstSlots = 64;

  // Multilinear: the products do not wait for each other.
  static size_t hash(const Ids& ids) {
    constexpr std::array<uint64_t, 6> kOdd{0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
                                           0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB};
    const auto words = std::bit_cast<std::array<uint32_t, sizeof(Ids) / sizeof(uint32_t)>>(ids);
    uint64_t mixed = kOdd.back();
    for (size_t i = 0; i < words.size(); ++i) mixed += words[i] * kOdd[i];
    return mixed >> 32;
  }
  void place(const Ids& ids, Value* value) {
    const size_t mask = slots_.size() - 1;
    size_t i = hash(ids) & mask;
    while (slots_[i].value) i = (i + 1) & mask;
    slots_[i] = {ids, value};
  }
  void grow() {
    if (slots_.size() >= kSlotsMax) {
      std::fill(slots_.begin(), slots_.end(), Slot{});
      used_ = 1;
      return;
    }
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.value) place(slot.ids, slot.value);
  }

  std::vector<Slot> slots_ = std::vector<Slot>(kFirstSlots);
  size_t used_ = 0;
};

class WorkerMetrics {
 public:
  // Takes a new shard of the registry, which must outlive this.
  explicit WorkerMetrics(Registry& registry);
  WorkerMetrics(const WorkerMetrics&) = delete;
  WorkerMetrics& operator=(const WorkerMetrics&) = delete;

  // The reference stays valid while this lives, reloads included.
  RequestSeries& request(const RequestIds& ids, const RequestLabels& labels) {
    if (RequestSeries* found = requests_.find(ids)) [[likely]]
      return *found;
    return add_request(ids, labels);
  }
  InstanceSeries& instance(const InstanceIds& ids, std::string_view provider, std::string_view name) {
    if (InstanceSeries* found = instances_.find(ids)) [[likely]]
      return *found;
    return add_instance(ids, provider, name);
  }
  // At a new snapshot, before its health is set: instances that are gone have no health any more.
  void forget_instance_health();

  // Off the hot path: look the handle up once and keep it.
  Gauge model_health(std::string_view provider, std::string_view instance, std::string_view model);
  Gauge sessions(std::string_view provider);
  Counter warning(std::string_view code);
  Counter queue_refusal(std::string_view reason);
  Counter retry_budget_spent(std::string_view model);
  Counter connection_fault(std::string_view fault);
  Counter limit_refusal(std::string_view scope, std::string_view limit);
  void count(FailoverEvent event) {
    Counter& counter = failover_[static_cast<size_t>(event)];
    if (!counter) [[unlikely]]
      counter = resolve(event);
    counter.add();
  }

  Gauge client_connections;
  Gauge client_connections_max;
  Counter idle_connections_ended;
  Counter accept_failures;
  Gauge upstream_connections;
  Gauge requests_in_flight;

  Shard& shard() { return *shard_; }

 private:
  RequestSeries& add_request(const RequestIds& ids, const RequestLabels& labels);
  Counter resolve(FailoverEvent event);
  InstanceSeries& add_instance(const InstanceIds& ids, std::string_view provider, std::string_view name);

  Registry* registry_;
  Shard* shard_;
  IdCache<RequestIds, RequestSeries> requests_;
  IdCache<InstanceIds, InstanceSeries> instances_;
  std::array<Counter, kFailoverEventCount> failover_;
  // By the registry's series: as many as label sets, whatever the number of ids.
  std::unordered_map<const Series*, std::unique_ptr<RequestSeries>> request_series_;
  std::unordered_map<const Series*, std::unique_ptr<InstanceSeries>> instance_series_;
};

}  // namespace llmgw::telemetry
