#include "simulator/engine.h"

#include <algorithm>
#include <cmath>

namespace llmgw::simulator {

using base::Duration;
using base::Instant;
using base::kNever;

namespace {

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

void erase_value(auto& container, SequenceId id) {
  const auto it = std::find(container.begin(), container.end(), id);
  if (it != container.end()) container.erase(it);
}

}  // namespace

Engine::Engine(const EngineOptions& options) : options_(options), cache_(options.kv_blocks, options.prefix_cache) {
  // Without either it could never run anything.
  options_.running_max = std::max<size_t>(options_.running_max, 1);
  options_.block_tokens = std::max<size_t>(options_.block_tokens, 1);
}

Duration Engine::time_for(double tokens, double per_second) const {
  if (per_second <= 0) return Duration::zero();
  return Duration(std::llround(tokens * 1e9 / per_second));
}

size_t Engine::tokens_in_cache(const Sequence& sequence) const {
  return size_t{sequence.request.prompt_tokens} + size_t{sequence.done} * sequence.request.width;
}

base::Result<SequenceId> Engine::submit(EngineRequest request, Instant now) {
  if (blocks_for(request.prompt_tokens) > cache_.blocks()) {
    ++stats_.rejected;
    return base::fail(base::ErrorCode::too_large, "the prompt does not fit the simulated KV cache");
  }
  const bool queued = !waiting_.empty() || batch_.size() >= options_.running_max;
  if (queued && waiting_.size() >= options_.waiting_max) {
    ++stats_.rejected;
    return base::fail(base::ErrorCode::exhausted, "the simulated queue is full");
  }
  const SequenceId id = next_id_++;
  Sequence& sequence = sequences_[id];
  sequence.request = std::move(request);
  sequence.submitted_at = now;
  waiting_.push_back(id);
  admit(now);
  return id;
}

Instant Engine::next_event_at() const {
  const Instant decode = decode_due_.empty() ? kNever : decode_due_.begin()->first;
  return std::min(decode, prefill_ends_at_);
}

void Engine::advance(Instant now, std::vector<EngineEvent>& events) {
  for (Instant at = next_event_at(); at <= now && at != kNever; at = next_event_at()) {
    if (prefill_ends_at_ == at) {
      end_prefill(at, events);
    } else {
      const SequenceId id = decode_due_.begin()->second;
      decode_due_.erase(decode_due_.begin());
      decode_step(id, at, events);
    }
  }
}

void Engine::cancel(SequenceId id, Instant now) {
  if (!sequences_.contains(id)) return;
  ++stats_.finished_abort;
  remove(id, now);
}

void Engine::admit(Instant now) {
  while (!waiting_.empty() && batch_.size() < options_.running_max) {
    const SequenceId id = waiting_.front();
    if (!try_admit(id, now)) break;
    waiting_.pop_front();
  }
  start_prefill(now);
}

bool Engine::try_admit(SequenceId id, Instant now) {
  Sequence& sequence = sequences_.find(id)->second;
  const size_t tokens = tokens_in_cache(sequence);
  // At least one token is always computed: its output is the next one.
  const size_t findable =
      tokens == 0 ? 0 : std::min((tokens - 1) / options_.block_tokens, sequence.request.block_hashes.size());
  const std::span<const uint64_t> hashes(sequence.request.block_hashes.data(), findable);
  const size_t shared = cache_.match(hashes);
  if (!cache_.acquire(hashes, shared, blocks_for(tokens) - shared, sequence.held)) return false;
  const size_t cached = shared * options_.block_tokens;
  sequence.published = shared;
  sequence.to_compute = static_cast<uint32_t>(tokens - cached);
  if (!sequence.admitted_before) {
    sequence.admitted_before = true;
    sequence.cached_tokens = static_cast<uint32_t>(cached);
    stats_.queue_time.record(seconds(now - sequence.submitted_at));
    if (options_.prefix_cache) stats_.prefix_queries += tokens;
    stats_.prefix_hits += cached;
  }
  sequence.phase = Phase::prefill;
  batch_.push_back(id);
  prefill_queue_.push_back(id);
  return true;
}

void Engine::start_prefill(Instant now) {
  if (prefill_ends_at_ != kNever || prefill_queue_.empty()) return;
  const Sequence& sequence = sequences_.find(prefill_queue_.front())->second;
  prefill_ends_at_ = now + time_for(sequence.to_compute, options_.prefill_tokens_per_second);
}

void Engine::end_prefill(Instant now, std::vector<EngineEvent>& events) {
  const SequenceId id = prefill_queue_.front();
  prefill_queue_.pop_front();
  prefill_ends_at_ = kNever;
  Sequence& sequence = sequences_.find(id)->second;
  sequence.phase = Phase::decode;
  sequence.decode_began_at = now;
  sequence.decode_began_step = sequence.done;
  if (sequence.done == 0) {
    stats_.prompt_tokens += sequence.request.prompt_tokens;
    stats_.request_prompt_tokens.record(sequence.request.prompt_tokens);
  }
  publish(sequence, tokens_in_cache(sequence));
  start_prefill(now);
  if (sequence.request.output_steps == 0) {
    events.push_back({.id = id, .kind = EngineEventKind::finished, .at = now, .cached_tokens = sequence.cached_tokens});
    stats_.end_to_end.record(seconds(now - sequence.submitted_at));
    ++stats_.finished_stop;
    remove(id, now);
    return;
  }
  decode_step(id, now, events);
}

void Engine::decode_step(SequenceId id, Instant now, std::vector<EngineEvent>& events) {
  Sequence& sequence = sequences_.find(id)->second;
  if (sequence.done == 0) {
    stats_.time_to_first_token.record(seconds(now - sequence.submitted_at));
  } else {
    stats_.time_per_output_token.record(seconds(now - sequence.last_token_at));
  }
  sequence.last_token_at = now;
  EngineEvent event{.id = id, .at = now, .step = sequence.done, .cached_tokens = sequence.cached_tokens};
  events.push_back(event);
  ++sequence.done;
  stats_.generation_tokens += sequence.request.width;
  const bool complete = sequence.done >= sequence.request.output_steps;
  const bool grown = complete || grow(id, now);
  if (!complete && grown) {
    if (sequence.phase == Phase::decode) schedule_decode(id, sequence);
    return;
  }
  event.kind = complete ? EngineEventKind::finished : EngineEventKind::evicted;
  events.push_back(event);
  stats_.end_to_end.record(seconds(now - sequence.submitted_at));
  stats_.request_generation_tokens.record(double(sequence.done) * sequence.request.width);
  ++(sequence.request.ends_by_length || !complete ? stats_.finished_length : stats_.finished_stop);
  publish(sequence, std::min(tokens_in_cache(sequence), sequence.held.size() * options_.block_tokens));
  remove(id, now);
}

void Engine::schedule_decode(SequenceId id, const Sequence& sequence) {
  const uint32_t steps = sequence.done - sequence.decode_began_step;
  decode_due_.emplace(sequence.decode_began_at + time_for(steps, options_.decode_tokens_per_second), id);
}

// Makes room for what has been decoded. False: the sequence outgrew the whole cache.
bool Engine::grow(SequenceId id, Instant now) {
  Sequence& sequence = sequences_.find(id)->second;
  const size_t tokens = tokens_in_cache(sequence);
  const size_t needed = blocks_for(tokens);
  if (needed > cache_.blocks()) return false;
  publish(sequence, std::min(tokens, sequence.held.size() * options_.block_tokens));
  while (sequence.held.size() < needed) {
    if (cache_.acquire({}, 0, needed - sequence.held.size(), sequence.held)) break;
    const SequenceId youngest = batch_.back();
    preempt(youngest);
    start_prefill(now);
    if (youngest == id) break;  // it waits for others to end
  }
  return true;
}

void Engine::preempt(SequenceId id) {
  Sequence& sequence = sequences_.find(id)->second;
  ++stats_.preemptions;
  leave_batch(id, sequence);
  sequence.phase = Phase::waiting;
  waiting_.push_front(id);
}

// The first `tokens` tokens of the sequence are computed: others may share their full blocks.
void Engine::publish(Sequence& sequence, size_t tokens) {
  const size_t full = std::min(tokens / options_.block_tokens, sequence.request.block_hashes.size());
  for (; sequence.published < full; ++sequence.published) {
    cache_.publish(sequence.held[sequence.published], sequence.request.block_hashes[sequence.published]);
  }
}

void Engine::leave_batch(SequenceId id, Sequence& sequence) {
  if (sequence.phase == Phase::prefill) {
    if (prefill_queue_.front() == id) prefill_ends_at_ = kNever;
    erase_value(prefill_queue_, id);
  } else if (sequence.phase == Phase::decode) {
    const uint32_t steps = sequence.done - sequence.decode_began_step;
    decode_due_.erase({sequence.decode_began_at + time_for(steps, options_.decode_tokens_per_second), id});
  }
  cache_.release(sequence.held);
  sequence.published = 0;
  erase_value(batch_, id);
}

void Engine::remove(SequenceId id, Instant now) {
  const auto it = sequences_.find(id);
  if (it->second.phase == Phase::waiting) {
    erase_value(waiting_, id);
  } else {
    leave_batch(id, it->second);
  }
  sequences_.erase(it);
  admit(now);
}

EngineStats Engine::stats() const {
  EngineStats stats = stats_;
  stats.running = batch_.size();
  stats.waiting = waiting_.size();
  stats.kv_usage = cache_.blocks() == 0 ? 0 : double(cache_.used()) / double(cache_.blocks());
  return stats;
}

}  // namespace llmgw::simulator
