// A request's share of an instance's load, from the decision to the end of the answer. The only code that changes the
// load: whatever way a request ends, its lease ends with it. Lives in the request; one thread. The instance's slot must
// be held meanwhile (by the request's snapshot).
//
//   held back -> send() -> first_token() -> end()
//
// Each step may be left out; a lease made without a gate begins as sent. Where the instance takes only so many calls, a
// place is taken by one compare-and-exchange or not at all, so that workers together never pass the limit.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "routing/load/instance_table.h"

namespace llmgw::routing {

class Lease {
 public:
  Lease() = default;
  // `uncached_tokens` of the prompt are to be computed there before its first token.
  Lease(InstanceState& state, int64_t uncached_tokens, base::Instant now) : Lease(uncached_tokens, state, now) {
    state.requests_in_flight.fetch_add(1, std::memory_order_relaxed);
  }
  // The same if fewer than `requests_max` calls are there; 0: no limit.
  static std::optional<Lease> take(InstanceState& state, uint32_t requests_max, int64_t uncached_tokens,
                                   base::Instant now) {
    if (!take_place(state, requests_max)) return std::nullopt;
    return Lease(uncached_tokens, state, now);
  }
  // The request waits in the gateway until send().
  Lease(InstanceState& state, GateState& gate, int64_t uncached_tokens, base::Instant now)
      : Lease(uncached_tokens, state, now) {
    gate_ = &gate;
    gate.waiting_requests.fetch_add(1, std::memory_order_relaxed);
    gate.waiting_prompts.fetch_add(1, std::memory_order_relaxed);
    gate.waiting_tokens.fetch_add(tokens_, std::memory_order_relaxed);
    gate.waiting_by_size[size_class(tokens_)].fetch_add(tokens_, std::memory_order_relaxed);
  }
  Lease(Lease&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)),
        gate_(std::exchange(other.gate_, nullptr)),
        place_(std::exchange(other.place_, nullptr)),
        tokens_(other.tokens_),
        place_taken_(other.place_taken_),
        prompt_(other.prompt_) {}
  Lease& operator=(Lease&& other) noexcept {
    if (this == &other) return *this;
    end();
    state_ = std::exchange(other.state_, nullptr);
    gate_ = std::exchange(other.gate_, nullptr);
    place_ = std::exchange(other.place_, nullptr);
    tokens_ = other.tokens_;
    place_taken_ = other.place_taken_;
    prompt_ = other.prompt_;
    return *this;
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { end(); }

  // It waits no longer; `uncached_tokens` are what is to be computed now. False, and nothing has changed:
  // `requests_max` calls are there already.
  bool send(uint32_t requests_max, int64_t uncached_tokens, base::Instant now) {
    if (gate_ == nullptr) return true;
    if (!take_place(*state_, requests_max)) return false;
    const int32_t waiting = leave_gate();
    state_->tokens_in_flight.fetch_add(uncached_tokens - tokens_, std::memory_order_relaxed);
    tokens_ = uncached_tokens;
    // The only prompt that is there: its computation begins now.
    if (state_->prompts_in_flight.load(std::memory_order_relaxed) - waiting <= 1) {
      state_->progress_ms.store(short_ms(now), std::memory_order_relaxed);
    }
    return true;
  }
  // It has one of so many places there from now on, for place_times(). `gate` is the instance's. Once, when sent.
  void hold_place(GateState& gate, base::Instant now) {
    place_ = &gate;
    place_taken_ = taken_place(now);
    gate.places.fetch_add(place_taken_, std::memory_order_relaxed);
  }
  // The first token has come: the prompt is computed, the answer is not.
  void first_token(base::Instant now) {
    if (state_ == nullptr || !prompt_) return;
    state_->progress_ms.store(short_ms(now), std::memory_order_relaxed);
    end_prompt();
  }
  void end() {
    if (state_ == nullptr) return;
    if (gate_ != nullptr) {
      leave_gate();
    } else {
      state_->requests_in_flight.fetch_sub(1, std::memory_order_relaxed);
    }
    end_prompt();
    if (GateState* const place = std::exchange(place_, nullptr)) {
      place->places.fetch_sub(place_taken_, std::memory_order_relaxed);
    }
    state_ = nullptr;
  }
  bool held() const { return state_ != nullptr; }
  bool waits() const { return gate_ != nullptr; }
  int64_t tokens() const { return tokens_; }

 private:
  // All but the request itself.
  Lease(int64_t uncached_tokens, InstanceState& state, base::Instant now)
      : state_(&state), tokens_(uncached_tokens), prompt_(true) {
    state.tokens_in_flight.fetch_add(tokens_, std::memory_order_relaxed);
    if (state.prompts_in_flight.fetch_add(1, std::memory_order_relaxed) == 0) {
      state.progress_ms.store(short_ms(now), std::memory_order_relaxed);
    }
  }
  static bool take_place(InstanceState& state, uint32_t requests_max) {
    int32_t seen = state.requests_in_flight.load(std::memory_order_relaxed);
    do {
      if (requests_max != 0 && seen >= static_cast<int64_t>(requests_max)) return false;
    } while (!state.requests_in_flight.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed));
    return true;
  }
  // How many prompts wait still.
  int32_t leave_gate() {
    GateState& gate = *std::exchange(gate_, nullptr);
    gate.waiting_requests.fetch_sub(1, std::memory_order_relaxed);
    gate.waiting_tokens.fetch_sub(tokens_, std::memory_order_relaxed);
    gate.waiting_by_size[size_class(tokens_)].fetch_sub(tokens_, std::memory_order_relaxed);
    return gate.waiting_prompts.fetch_sub(1, std::memory_order_relaxed) - 1;
  }
  void end_prompt() {
    if (!std::exchange(prompt_, false)) return;
    state_->tokens_in_flight.fetch_sub(tokens_, std::memory_order_relaxed);
    state_->prompts_in_flight.fetch_sub(1, std::memory_order_relaxed);
  }
  InstanceState* state_ = nullptr;
  GateState* gate_ = nullptr;   // null: it does not wait
  GateState* place_ = nullptr;  // where it holds a place; null: places are not counted there, or it waits
  int64_t tokens_ = 0;
  uint64_t place_taken_ = 0;
  bool prompt_ = false;  // not yet computed
};

}  // namespace llmgw::routing
