#include "telemetry/families.h"

#include <cstdio>

namespace llmgw::telemetry {
namespace {

constexpr Label kApiKey{"api_key", "name of the key the client used (never the key itself)", false};
constexpr Label kProvider{"provider", "kind of upstream: `openai`, `anthropic`, `google`, …", false};
constexpr Label kModel{"model", "model name as configured, not as the client spelled it", false};
constexpr Label kInstance{"instance", "name of the connection or deployment", false};
constexpr Label kEndpoint{"endpoint", "the gateway's name of the API operation", true};
constexpr Label kTokenType{"type", "`input`, `output`, `cache_read`, `cache_write`, `reasoning`", true};
constexpr Label kErrorType{"error_type", "class of the failure as the gateway saw it: see docs/operating.md", true};
constexpr Label kInstanceStatus{
    "status",
    "`success`; `failure`: the instance is at fault, also by an error with a 200 or a stream without its end; "
    "`business_error`: it refused the request",
    true};
constexpr Label kWarning{"warning", "code of the warning", true};
constexpr Label kSide{"side", "`client` or `upstream`", true};
constexpr Label kReloadResult{"result", "`success` or `failure`", true};
constexpr Label kFamilyLabel{"family", "metric family that is full", true};
constexpr Label kScope{"scope", "`organization`, `team`, `user`, `key`, `assignment`, `model`", true};
constexpr Label kLimit{"limit", "`tps`, `rpm`, `tpm`, `concurrency`, `budget`", true};
constexpr Label kQueueRefusal{
    "reason",
    "`full`: too many wait; `hopeless`: it would be late; `displaced`: others went before it; "
    "`timeout`: it waited in vain",
    true};
constexpr Label kFailoverEvent{"event",
                               "`retry`: another attempt; `fallback`: another model; `hedge`: a second instance asked "
                               "beside the first; `hedge_won`: and it was quicker; `continuation`: a broken text "
                               "finished by another instance; `mirror`: a call made a second time for nobody; "
                               "`budget_spent`: an attempt not made, for too many are",
                               true};
constexpr Label kConnectionFault{
    "fault",
    "`tls`: the handshake failed; `tls_closed`: the client left in it; `tls_timeout`: it took too long; "
    "`http2_protocol`: forbidden frames; `http2_flood`: frames and resets without use; `http2_timeout`: settings or "
    "a head did not come",
    true};
constexpr Label kVersion{"version", "version of the program", true};

constexpr std::array<Family, kFamilyCount> kFamilies{{
    {FamilyId::requests,
     "llm_requests_total",
     Kind::counter,
     "requests",
     "Requests answered, whatever the answer.",
     {&kApiKey, &kProvider, &kModel, &kEndpoint}},
    {FamilyId::tokens,
     "llm_tokens_total",
     Kind::counter,
     "tokens",
     "Tokens the upstream reported. A type it does not report has no series.",
     {&kApiKey, &kProvider, &kModel, &kEndpoint, &kTokenType}},
    {FamilyId::errors,
     "llm_errors_total",
     Kind::counter,
     "requests",
     "Requests that ended in an error, also after the first byte of the answer.",
     {&kApiKey, &kProvider, &kModel, &kEndpoint, &kErrorType}},
    {FamilyId::cost,
     "llm_cost_nanodollars_total",
     Kind::counter,
     "1e-9 US dollars",
     "What calls cost by the price list. Calls without a price are in `llm_unpriced_requests_total` instead.",
     {&kApiKey, &kProvider, &kModel, &kEndpoint}},
    {FamilyId::unpriced,
     "llm_unpriced_requests_total",
     Kind::counter,
     "requests",
     "Calls that used a provider and of which nobody knows what they cost: no price, or no usage reported.",
     {&kApiKey, &kProvider, &kModel, &kEndpoint}},
    {FamilyId::limit_refusals,
     "llm_gateway_limit_refusals_total",
     Kind::counter,
     "requests",
     "Requests refused by a limit or a budget.",
     {&kScope, &kLimit}},
    {FamilyId::request_duration,
     "llm_request_duration_seconds",
     Kind::histogram,
     "seconds",
     "Time from the first byte of a request to the last byte of its answer.",
     {&kProvider, &kModel, &kEndpoint},
     Aggregation::sum,
     &kRequestTimeLayout},
    {FamilyId::upstream_duration,
     "llm_upstream_seconds",
     Kind::histogram,
     "seconds",
     "The part of a request's time spent waiting for the upstream, all attempts.",
     {&kProvider, &kModel},
     Aggregation::sum,
     &kRequestTimeLayout},
    {FamilyId::added_time,
     "llm_gateway_added_seconds",
     Kind::histogram,
     "seconds",
     "Time the gateway itself added to a request, apart from upstream time.",
     {&kEndpoint},
     Aggregation::sum,
     &kAddedTimeLayout},
    {FamilyId::time_to_first_token,
     "llm_time_to_first_token_seconds",
     Kind::histogram,
     "seconds",
     "Time from the first byte of a request to the first content of a streamed answer.",
     {&kProvider, &kModel},
     Aggregation::sum,
     &kRequestTimeLayout},
    {FamilyId::time_between_tokens,
     "llm_time_between_tokens_seconds",
     Kind::histogram,
     "seconds",
     "Time between two arrivals of content inside a stream.",
     {&kProvider, &kModel},
     Aggregation::sum,
     &kTokenGapLayout},
    {FamilyId::instance_health,
     "llm_gateway_instance_health_status",
     Kind::gauge,
     "0 or 1",
     "1 if every worker takes the instance for healthy, 0 if one does not.",
     {&kProvider, &kInstance},
     Aggregation::min},
    {FamilyId::model_health,
     "llm_gateway_model_health_status",
     Kind::gauge,
     "0 or 1",
     "1 while calls of the model go to the instance, 0 while the model there or the whole instance is left alone.",
     {&kProvider, &kInstance, &kModel},
     Aggregation::min},
    {FamilyId::instance_requests,
     "llm_gateway_instance_requests_total",
     Kind::counter,
     "attempts",
     "Attempts sent to an instance, by outcome.",
     {&kProvider, &kInstance, &kInstanceStatus}},
    {FamilyId::instance_in_flight,
     "llm_gateway_instance_requests_in_flight",
     Kind::gauge,
     "requests",
     "Calls at an instance, and those that wait for it.",
     {&kProvider, &kInstance}},
    {FamilyId::queue_waiting,
     "llm_gateway_queue_waiting",
     Kind::gauge,
     "requests",
     "Calls that wait in the gateway for an instance.",
     {&kProvider, &kInstance}},
    {FamilyId::queued,
     "llm_gateway_queued_requests_total",
     Kind::counter,
     "requests",
     "Calls that had to wait for an instance.",
     {&kProvider, &kInstance}},
    {FamilyId::queue_positions,
     "llm_gateway_queue_positions_total",
     Kind::counter,
     "places",
     "Sum of their positions when they came, 0 being the next: divided by their number, the mean.",
     {&kProvider, &kInstance}},
    {FamilyId::queue_wait,
     "llm_gateway_queue_wait_seconds",
     Kind::histogram,
     "seconds",
     "How long they waited, whether they got a place or not.",
     {&kProvider, &kInstance},
     Aggregation::sum,
     &kRequestTimeLayout},
    {FamilyId::queue_refusals,
     "llm_gateway_queue_refusals_total",
     Kind::counter,
     "requests",
     "Calls that got no place.",
     {&kQueueRefusal}},
    {FamilyId::retry_budget_spent,
     "llm_gateway_retry_budget_spent_total",
     Kind::counter,
     "attempts",
     "Attempts not made, since too many calls of the model are tried again.",
     {&kModel}},
    {FamilyId::instance_tokens,
     "llm_gateway_instance_tokens_in_flight",
     Kind::gauge,
     "tokens",
     "Uncached prompt tokens at an instance that have no first token yet, by the same account.",
     {&kProvider, &kInstance}},
    {FamilyId::failover,
     "llm_gateway_failover_total",
     Kind::counter,
     "events",
     "What was done about instances that failed or were slow.",
     {&kFailoverEvent}},
    {FamilyId::sessions,
     "llm_gateway_session_count",
     Kind::gauge,
     "sessions",
     "Sessions pinned to an instance.",
     {&kProvider}},
    {FamilyId::warnings,
     "llm_gateway_warnings_total",
     Kind::counter,
     "warnings",
     "Warnings added to answers (X-LLM-Gateway-Warnings).",
     {&kWarning}},
    {FamilyId::connections_open,
     "llm_gateway_connections_open",
     Kind::gauge,
     "connections",
     "Open connections, idle ones included.",
     {&kSide}},
    {FamilyId::connection_faults,
     "llm_gateway_connection_faults_total",
     Kind::counter,
     "connections",
     "Client connections that ended by the client's fault, beside its requests.",
     {&kConnectionFault}},
    {FamilyId::connections_max, "llm_gateway_client_connections_max", Kind::gauge, "connections",
     "The most client connections that are open at a time: by the settings, or by the limit of open files."},
    {FamilyId::idle_connections_ended, "llm_gateway_idle_connections_ended_total", Kind::counter, "connections",
     "Idle client connections that were ended, the longest idle first, for new ones to have their places."},
    {FamilyId::accept_failures, "llm_gateway_accept_failures_total", Kind::counter, "connections",
     "Attempts to accept a client's connection that failed, for want of descriptors or memory."},
    {FamilyId::requests_in_flight, "llm_gateway_requests_in_flight", Kind::gauge, "requests",
     "Requests begun and not yet answered, as of the last second."},
    {FamilyId::fetched_media, "llm_gateway_fetched_media_bytes", Kind::gauge, "bytes",
     "Memory that images and documents take which were fetched by URL for requests in progress."},
    {FamilyId::fetched_media_refusals, "llm_gateway_fetched_media_refusals_total", Kind::counter, "fetches",
     "Images and documents not fetched, since there was no memory left for them (`fetch_media_memory`)."},
    {FamilyId::config_reloads,
     "llm_gateway_config_reloads_total",
     Kind::counter,
     "reloads",
     "Configuration reloads. A failed one leaves the old configuration in force.",
     {&kReloadResult}},
    {FamilyId::config_last_reload, "llm_gateway_config_last_reload_timestamp_seconds", Kind::gauge, "Unix seconds",
     "When the configuration in force was loaded."},
    {FamilyId::certificate_expiry, "llm_gateway_tls_certificate_expiry_timestamp_seconds", Kind::gauge, "Unix seconds",
     "Until when the certificate for clients is valid."},
    {FamilyId::store_trouble, "llm_gateway_store_trouble", Kind::gauge, "0 or 1",
     "1 while the store's database is away, read-only or not readable, or was emptied or replaced and is not taken "
     "over: "
     "what was loaded last serves on."},
    {FamilyId::ledger_records, "llm_gateway_ledger_records_total", Kind::counter, "records",
     "Records written to the ledger."},
    {FamilyId::ledger_lost, "llm_gateway_ledger_records_lost_total", Kind::counter, "records",
     "Records lost: the disk was full, and then the memory kept for that time."},
    {FamilyId::ledger_waiting, "llm_gateway_ledger_bytes_waiting", Kind::gauge, "bytes",
     "Records written but not yet summed up in the database."},
    {FamilyId::log_lines_dropped, "llm_gateway_log_lines_dropped_total", Kind::counter, "lines",
     "Log lines lost because their destination was too slow or failed."},
    {FamilyId::log_write_errors, "llm_gateway_log_write_errors_total", Kind::counter, "writes",
     "Failed writes to a log destination, and log files that could not be opened anew."},
    {FamilyId::series_overflow,
     "llm_gateway_series_overflow_total",
     Kind::counter,
     "look-ups",
     "Look-ups of a new label set that a full family answered with the series \"other\".",
     {&kFamilyLabel}},
    {FamilyId::gateway_info, "llm_gateway_info", Kind::gauge, "always 1", "The program that runs.", {&kVersion}},
    {FamilyId::process_cpu, "process_cpu_seconds_total", Kind::counter, "seconds",
     "User and system CPU time spent by the process."},
    {FamilyId::process_resident_memory, "process_resident_memory_bytes", Kind::gauge, "bytes",
     "Resident memory of the process."},
    {FamilyId::process_open_fds, "process_open_fds", Kind::gauge, "descriptors", "Open file descriptors."},
    {FamilyId::process_max_fds, "process_max_fds", Kind::gauge, "descriptors",
     "The most file descriptors the process may open."},
    {FamilyId::process_start_time, "process_start_time_seconds", Kind::gauge, "Unix seconds",
     "When the process started."},
}};

constexpr bool table_is_in_order() {
  for (size_t i = 0; i < kFamilies.size(); ++i)
    if (static_cast<size_t>(kFamilies[i].id) != i) return false;
  return true;
}
static_assert(table_is_in_order());

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.9g", value);
  return text.data();
}

std::string layout_text(const HistogramLayout& layout) {
  return number(static_cast<double>(layout.bound_ns(0)) / 1e9) + " to " +
         number(static_cast<double>(layout.bound_ns(layout.bound_count() - 1)) / 1e9) + ", " +
         std::to_string((layout.bound_count() - 1) / layout.exposed_step + 1) + " bounds exposed";
}

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::counter: return "counter";
    case Kind::gauge: return "gauge";
    case Kind::histogram: return "histogram";
  }
  return "untyped";
}

std::string_view to_string(TokenType type) {
  switch (type) {
    case TokenType::input: return "input";
    case TokenType::output: return "output";
    case TokenType::cache_read: return "cache_read";
    case TokenType::cache_write: return "cache_write";
    case TokenType::reasoning: return "reasoning";
  }
  return "other";
}

std::span<const Family, kFamilyCount> families() {
  return kFamilies;
}
const Family& family(FamilyId id) {
  return kFamilies[static_cast<size_t>(id)];
}

std::string metrics_manual() {
  std::string text =
      "# Metrics\n\n"
      "`GET /metrics` answers in the Prometheus text format 0.0.4, or in OpenMetrics 1.0 if the scraper asks for it.\n"
      "Counters and histograms never go backwards while the process lives, reloads included. What is unknown is\n"
      "absent: a provider that reports no cached tokens has no `cache_read` series, and a value is not 0 because "
      "nobody\n"
      "measured it. A label that has no value (a request refused before its model was known) reads `none`.\n\n"
      "The number of series is bounded per family. When a family is full, new label sets are counted in one series "
      "whose\n"
      "open labels read `other`, and `llm_gateway_series_overflow_total` counts the look-ups.\n\n"
      "Histogram bounds are powers of two of a microsecond, in seconds. Four buckets to an octave are kept, and some "
      "of\n"
      "their bounds exposed; `status` reads quantiles from all of them.\n\n"
      "This file is generated from the table in `src/telemetry/families.cpp`; after a change there run\n"
      "`LLMGW_WRITE_DOCS=1 telemetry_test --gtest_filter='Families.*'` from the project's root.\n\n"
      "| family | type | unit | labels | meaning |\n|---|---|---|---|---|\n";
  for (const Family& entry : kFamilies) {
    text.append("| `").append(entry.name).append("` | ").append(to_string(entry.kind)).append(" | ").append(entry.unit);
    text.append(" | ");
    for (size_t i = 0; i < entry.label_count(); ++i)
      text.append(i ? ", `" : "`").append(entry.label_slots[i]->name).append("`");
    text.append(" | ").append(entry.help);
    if (entry.layout) text.append(" Bounds: ").append(layout_text(*entry.layout)).append(".");
    text.append(" |\n");
  }
  text.append("\n| label | values |\n|---|---|\n");
  constexpr std::array<const Label*, 17> kLabels{
      &kApiKey,       &kProvider,    &kModel,        &kInstance,        &kEndpoint, &kTokenType,
      &kErrorType,    &kScope,       &kLimit,        &kInstanceStatus,  &kWarning,  &kSide,
      &kReloadResult, &kFamilyLabel, &kQueueRefusal, &kConnectionFault, &kVersion};
  for (const Label* label : kLabels)
    text.append("| `").append(label->name).append("` | ").append(label->meaning).append(" |\n");
  return text;
}

}  // namespace llmgw::telemetry
