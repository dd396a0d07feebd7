// A request's share of an instance's load, from the decision to the end of the answer. The only code that changes the
// load: whatever way a request ends, its lease ends with it. Lives in the request; one thread. The instance's slot must
// be held meanwhile (by the request's snapshot).
//
//   held back -> send() -> first_token() -> end()
//
// Each step may be left out; a lease made without a gate begins as sent.
#pragma once

#include <cstdint>
#include <utility>

#include "routing/load/instance_table.h"

namespace llmgw::routing {

class Lease {
 public:
  Lease() = default;
  // `uncached_tokens` of the prompt are to be computed there before its first token.
  Lease(InstanceState& state, int64_t uncached_tokens, base::Instant now)
      : state_(&state), tokens_(uncached_tokens), prompt_(true) {
    state.requests_in_flight.fetch_add(1, std::memory_order_relaxed);
    state.tokens_in_flight.fetch_add(tokens_, std::memory_order_relaxed);
    if (state.prompts_in_flight.fetch_add(1, std::memory_order_relaxed) == 0) {
      state.progress_ms.store(short_ms(now), std::memory_order_relaxed);
    }
  }
  // The request waits in the gateway until send().
  Lease(InstanceState& state, GateState& gate, int64_t uncached_tokens, base::Instant now)
      : Lease(state, uncached_tokens, now) {
    gate_ = &gate;
    gate.waiting_requests.fetch_add(1, std::memory_order_release);  // has_place() takes it for later than the above
    gate.waiting_prompts.fetch_add(1, std::memory_order_relaxed);
    gate.waiting_tokens.fetch_add(tokens_, std::memory_order_relaxed);
    gate.waiting_by_size[size_class(tokens_)].fetch_add(tokens_, std::memory_order_relaxed);
  }
  Lease(Lease&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)),
        gate_(std::exchange(other.gate_, nullptr)),
        tokens_(other.tokens_),
        prompt_(other.prompt_) {}
  Lease& operator=(Lease&& other) noexcept {
    if (this == &other) return *this;
    end();
    state_ = std::exchange(other.state_, nullptr);
    gate_ = std::exchange(other.gate_, nullptr);
    tokens_ = other.tokens_;
    prompt_ = other.prompt_;
    return *this;
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { end(); }

  // It waits no longer; `uncached_tokens` are what is to be computed now.
  void send(int64_t uncached_tokens, base::Instant now) {
    if (gate_ == nullptr) return;
    const int32_t waiting = leave_gate();
    state_->tokens_in_flight.fetch_add(uncached_tokens - tokens_, std::memory_order_relaxed);
    tokens_ = uncached_tokens;
    // The only prompt that is there: its computation begins now.
    if (state_->prompts_in_flight.load(std::memory_order_relaxed) - waiting <= 1) {
      state_->progress_ms.store(short_ms(now), std::memory_order_relaxed);
    }
  }
  // The first token has come: the prompt is computed, the answer is not.
  void first_token(base::Instant now) {
    if (state_ == nullptr || !prompt_) return;
    state_->progress_ms.store(short_ms(now), std::memory_order_relaxed);
    end_prompt();
  }
  void end() {
    if (state_ == nullptr) return;
    if (gate_ != nullptr) leave_gate();
    end_prompt();
    state_->requests_in_flight.fetch_sub(1, std::memory_order_release);  // and this for later than the gate's
    state_ = nullptr;
  }
  bool held() const { return state_ != nullptr; }
  bool waits() const { return gate_ != nullptr; }
  int64_t tokens() const { return tokens_; }

 private:
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
  GateState* gate_ = nullptr;  // null: it does not wait
  int64_t tokens_ = 0;
  bool prompt_ = false;  // not yet computed
};

}  // namespace llmgw::routing
