// The end of a call: what happened goes into counters and the access log, exactly once.
#include <algorithm>
#include <array>

#include "dialects/provider_error.h"
#include "gateway/call/call.h"
#include "gateway/entrance/client_address.h"

namespace llmgw::gateway {

using chat::ErrorKind;
using telemetry::InstanceOutcome;
using telemetry::TokenType;

telemetry::RequestSeries& Call::series() {
  if (series_ != nullptr) return *series_;
  const control::Snapshot& snapshot = generation_.snapshot();
  telemetry::RequestIds ids{.generation = static_cast<uint32_t>(snapshot.version)};
  telemetry::RequestLabels labels;
  labels.endpoint = matched_ ? to_string(match_.operation) : std::string_view("unknown");
  ids.endpoint = matched_ ? static_cast<uint32_t>(match_.operation) : telemetry::kNoId;
  if (principal_ != nullptr && kind_ != Kind::mirror) {
    ids.api_key = snapshot.index_of(*principal_);
    labels.api_key = principal_->name;
  }
  if (attempt_) {
    ids.connection = attempt_->connection_index;
    labels.provider = attempt_->connection->upstream.provider->name;
    if (attempt_->model != nullptr) {
      // The configured name, not the client's: a pattern must not let clients invent label values.
      ids.model = static_cast<uint32_t>(attempt_->model - snapshot.models.data());
      labels.model = attempt_->model->name;
    }
  }
  series_ = &worker_.metrics().request(ids, labels);
  return *series_;
}

namespace {

std::array<int64_t, telemetry::kTokenTypeCount> token_counts(const chat::Usage& usage) {
  const auto count = [](const std::optional<uint64_t>& tokens) { return tokens ? static_cast<int64_t>(*tokens) : -1; };
  std::array<int64_t, telemetry::kTokenTypeCount> counts{};
  counts[static_cast<size_t>(TokenType::input)] = count(usage.input);
  counts[static_cast<size_t>(TokenType::output)] = count(usage.output);
  counts[static_cast<size_t>(TokenType::cache_read)] = count(usage.cache_read);
  counts[static_cast<size_t>(TokenType::cache_write)] = count(usage.cache_write);
  counts[static_cast<size_t>(TokenType::reasoning)] = count(usage.reasoning);
  return counts;
}

// Numbers the classes of error_type for the counters' cache: those that are no ErrorKind after these.
uint8_t error_id(std::string_view error_type) {
  constexpr uint8_t kFirst = 40;
  constexpr std::array<std::string_view, 9> kOwn{kClientClosed,     kWriteTimeout,  kDrainTimeout,
                                                 "provider_4xx",    "provider_5xx", kConnectTimeout,
                                                 kFirstByteTimeout, kIdleTimeout,   kTotalTimeout};
  static_assert(kFirst + kOwn.size() <= telemetry::kErrorTypesMax);
  const auto* const own = std::ranges::find(kOwn, error_type);
  if (own != kOwn.end()) return static_cast<uint8_t>(kFirst + (own - kOwn.begin()));
  uint8_t kind = 0;
  while (kind < static_cast<uint8_t>(ErrorKind::internal) && chat::to_string(ErrorKind{kind}) != error_type) ++kind;
  return kind;
}

bool is_probe(Operation operation) {
  return operation == Operation::health || operation == Operation::ready || operation == Operation::metrics;
}

}  // namespace

std::string_view Call::cut_off() const {
  net::Cancellation& cancellation = exchange_.cancellation();
  if (drained_) return kDrainTimeout;
  if (exchange_.ended() || !cancellation.cancelled()) return {};
  switch (cancellation.reason()) {
    case base::ErrorCode::deadline_exceeded: return kWriteTimeout;
    case base::ErrorCode::cancelled: return kDrainTimeout;
    // Of answers that nobody waits for.
    case base::ErrorCode::too_large: return chat::to_string(ErrorKind::too_large);
    case base::ErrorCode::internal: return chat::to_string(ErrorKind::internal);
    default: return kClientClosed;
  }
}

void Call::settle() {
  account();
  if (worker_.log().enabled(telemetry::Level::debug)) log_decision();
  const base::Instant now = worker_.loop().precise_now();
  const base::Duration duration = now - exchange_.started_at();
  const std::string_view cut = cut_off();
  std::string_view error_type = cut;
  if (error_type.empty() && error_ && !timed_out_.empty()) error_type = timed_out_;
  if (error_type.empty() && error_) error_type = chat::to_string(*error_);
  if (error_type.empty() && upstream_status_ >= 400)
    error_type = upstream_status_ >= 500 ? "provider_5xx" : "provider_4xx";

  telemetry::AccessRecord record;
  const http::RequestHead& head = exchange_.head();
  record.request_id = id_.view();
  record.method = head.method_text;
  record.target = head.target;
  record.endpoint = matched_ ? to_string(match_.operation) : std::string_view{};
  record.status = status_;
  record.upstream_status = upstream_status_;
  record.retries = retries_;
  record.bytes_in = bytes_in_;
  record.bytes_out = exchange_.bytes_written() + relayed_out_;
  record.duration = duration;
  record.error_type = error_type;
  if (principal_ != nullptr) record.key = principal_->name;
  record.model = model_;
  const std::string client = client_address(exchange_.peer(), head.headers.value(http::HeaderId::x_forwarded_for),
                                            generation_.snapshot().trusted_proxies);
  record.client = client;

  const bool probe = matched_ && is_probe(match_.operation);
  if (!probe && !handed_over_) {
    auto& counters = series();
    counters.count_request();
    counters.record_duration(duration);
    if (!error_type.empty()) {
      counters.count_error(error_id(error_type), error_type);
    }
    if (attempt_) settle_upstream(record, counters);
  }
  if (!probe || status_ >= 400) worker_.log().access(record);
}

void Call::settle_upstream(telemetry::AccessRecord& record, telemetry::RequestSeries& counters) {
  record.connection = attempt_->connection->name;
  if (cost_) {
    if (*cost_ > 0) counters.count_cost(static_cast<uint64_t>(*cost_));
  } else if (admitted_) {
    counters.count_unpriced();
  }
  if (auto usage = reading_.said()) {
    accounting::cap(*usage);
    record.tokens = token_counts(*usage);
    for (size_t i = 0; i < record.tokens.size(); ++i) {
      if (record.tokens[i] > 0) {
        counters.count_tokens(static_cast<TokenType>(i), static_cast<uint64_t>(record.tokens[i]));
      }
    }
  }
  // Counters have only what was said.
  if (estimated_usage_) record.tokens = token_counts(*estimated_usage_);
  record.estimated = estimated_usage_.has_value();
  if (times_.after.count() >= 0) {
    record.added = times_.before + times_.after;
    record.upstream = record.duration - record.added;
    counters.record_added(record.added);
    counters.record_upstream(record.upstream);
  }
  if (times_.first_token.count() >= 0) {
    record.first_token = times_.first_token;
    counters.record_first_token(times_.first_token);
  }
  auto outcome = InstanceOutcome::success;
  // A 200 may tell what a 400 would have.
  const bool refused = error_ && upstream_status_ != 0 && dialects::is_callers_fault(*error_);
  if ((error_ && !refused) || upstream_status_ >= 500) {
    outcome = InstanceOutcome::failure;
  } else if (refused || upstream_status_ >= 400) {
    outcome = InstanceOutcome::business_error;
  }
  if (cut_off().empty() && !blameless_) {
    worker_.metrics()
        .instance({.generation = static_cast<uint32_t>(generation_.snapshot().version),
                   .instance = attempt_->connection_index},
                  attempt_->connection->upstream.provider->name, attempt_->connection->name)
        .count(outcome);
  }
}

}  // namespace llmgw::gateway
