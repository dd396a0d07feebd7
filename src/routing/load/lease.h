// A request's share of an instance's load, from the decision to the end of the answer. The only code that changes the
// load: whatever way a request ends, its lease ends with it. Lives in the request; one thread. The instance's slot must
// be held meanwhile (by the request's snapshot).
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
  Lease(Lease&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)), tokens_(other.tokens_), prompt_(other.prompt_) {}
  Lease& operator=(Lease&& other) noexcept {
    if (this == &other) return *this;
    end();
    state_ = std::exchange(other.state_, nullptr);
    tokens_ = other.tokens_;
    prompt_ = other.prompt_;
    return *this;
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { end(); }

  // The first token has come: the prompt is computed, the answer is not.
  void first_token(base::Instant now) {
    if (state_ == nullptr || !prompt_) return;
    state_->progress_ms.store(short_ms(now), std::memory_order_relaxed);
    end_prompt();
  }
  void end() {
    if (state_ == nullptr) return;
    end_prompt();
    state_->requests_in_flight.fetch_sub(1, std::memory_order_relaxed);
    state_ = nullptr;
  }
  bool held() const { return state_ != nullptr; }
  int64_t tokens() const { return tokens_; }

 private:
  void end_prompt() {
    if (!std::exchange(prompt_, false)) return;
    state_->tokens_in_flight.fetch_sub(tokens_, std::memory_order_relaxed);
    state_->prompts_in_flight.fetch_sub(1, std::memory_order_relaxed);
  }
  InstanceState* state_ = nullptr;
  int64_t tokens_ = 0;
  bool prompt_ = false;  // not yet computed
};

}  // namespace llmgw::routing
