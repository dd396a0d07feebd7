// Every metric family the gateway exposes, declared once: registration, exposition, docs/metrics.md and the tests
// follow from this table. Constants; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "telemetry/histogram.h"

namespace llmgw::telemetry {

enum class Kind : uint8_t { counter, gauge, histogram };
std::string_view to_string(Kind kind);

// How a gauge's workers become one value.
enum class Aggregation : uint8_t { sum, min };

// The order is the order of exposition and of the manual.
enum class FamilyId : uint8_t {
  requests,
  tokens,
  errors,
  cost,
  unpriced,
  limit_refusals,
  request_duration,
  upstream_duration,
  added_time,
  time_to_first_token,
  time_between_tokens,
  instance_health,
  model_health,
  instance_requests,
  instance_in_flight,
  queue_waiting,
  queued,
  queue_positions,
  queue_wait,
  queue_refusals,
  retry_budget_spent,
  instance_tokens,
  failover,
  sessions,
  warnings,
  connections_open,
  connection_faults,
  connections_max,
  idle_connections_ended,
  accept_failures,
  requests_in_flight,
  fetched_media,
  fetched_media_refusals,
  config_reloads,
  config_last_reload,
  certificate_expiry,
  store_trouble,
  ledger_records,
  ledger_lost,
  ledger_waiting,
  log_lines_dropped,
  log_write_errors,
  series_overflow,
  gateway_info,
  process_cpu,
  process_resident_memory,
  process_open_fds,
  process_max_fds,
  process_start_time,
};
inline constexpr size_t kFamilyCount = static_cast<size_t>(FamilyId::process_start_time) + 1;

// Values of the label "type" of llm_tokens_total, and the tokens of an access log line.
enum class TokenType : uint8_t { input, output, cache_read, cache_write, reasoning };
inline constexpr size_t kTokenTypeCount = 5;
std::string_view to_string(TokenType type);

struct Label {
  std::string_view name;
  std::string_view meaning;
  bool closed;  // its values come from a list in the program, so it never has to become "other"
};

inline constexpr size_t kLabelsMax = 5;

struct Family {
  FamilyId id;
  std::string_view name;
  Kind kind;
  std::string_view unit;  // as the manual says it
  std::string_view help;
  std::array<const Label*, kLabelsMax> label_slots{};
  Aggregation aggregation = Aggregation::sum;
  const HistogramLayout* layout = nullptr;  // of histograms

  constexpr size_t label_count() const {
    size_t count = 0;
    while (count < kLabelsMax && label_slots[count]) ++count;
    return count;
  }
  constexpr std::span<const Label* const> labels() const { return {label_slots.data(), label_count()}; }
  constexpr uint32_t cell_count() const { return layout ? layout->cell_count() : 1; }
};

std::span<const Family, kFamilyCount> families();
const Family& family(FamilyId id);

// The text of docs/metrics.md.
std::string metrics_manual();

}  // namespace llmgw::telemetry
