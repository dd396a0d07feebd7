#include <benchmark/benchmark.h>

#include <thread>

#include "telemetry/exposition.h"
#include "telemetry/log_writer.h"
#include "telemetry/request_id.h"
#include "telemetry/worker_metrics.h"

namespace llmgw::telemetry {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

// Everything a streamed request counts, over `range` label sets in turn.
void count_request(benchmark::State& state) {
  Registry registry;
  WorkerMetrics worker(registry);
  const auto label_sets = static_cast<uint32_t>(state.range(0));
  std::vector<std::string> models;
  for (uint32_t i = 0; i < label_sets; ++i) models.push_back("model-" + std::to_string(i));
  uint32_t i = 0;
  for (auto _ : state) {
    const uint32_t model = i++ % label_sets;
    worker.requests_in_flight.add(1);
    RequestSeries& series =
        worker.request({1, model % 10, model % 3, model, 0}, {"key", "openai", models[model], "chat"});
    series.count_request();
    series.count_tokens(TokenType::input, 100);
    series.count_tokens(TokenType::output, 20);
    series.record_duration(microseconds(1500 + i % 1024));
    series.record_upstream(microseconds(1490 + i % 1024));
    series.record_added(nanoseconds(9000 + i % 1024));
    worker.instance({1, model % 3}, "openai", "main").count(InstanceOutcome::success);
    worker.requests_in_flight.add(-1);
  }
}
BENCHMARK(count_request)->Arg(1)->Arg(50)->Arg(1000);

void increment(benchmark::State& state) {
  Registry registry;
  const Counter counter = registry.counter(registry.add_shard(), FamilyId::warnings, "x");
  for (auto _ : state) {
    counter.add();
    benchmark::ClobberMemory();
  }
}
BENCHMARK(increment);

void record_histogram(benchmark::State& state) {
  Registry registry;
  const Histogram histogram = registry.histogram(registry.add_shard(), FamilyId::added_time, "chat");
  int64_t ns = 1;
  for (auto _ : state) {
    histogram.record(nanoseconds(ns));
    ns = (ns * 5 + 1) & 0xFFFFFFF;
  }
}
BENCHMARK(record_histogram);

AccessRecord typical_record() {
  AccessRecord record;
  record.request_id = "01HZX3J9V6R4K8W2B7N5M0QDTC";
  record.method = "POST";
  record.target = "/v1/chat/completions";
  record.endpoint = "chat_completions";
  record.key = "frontend";
  record.model = "gpt-4-turbo";
  record.connection = "openai-main";
  record.client = "10.11.12.13";
  record.status = record.upstream_status = 200;
  record.bytes_in = 1234;
  record.bytes_out = 2345;
  record.tokens = {120, 456, 0, -1, -1};
  record.duration = microseconds(1'234'567);
  record.upstream = microseconds(1'234'550);
  record.added = nanoseconds(12'345);
  record.first_token = microseconds(345'678);
  return record;
}

// With a consumer on the same thread, so that the ring is never full: the producer's cost alone.
void access_line(benchmark::State& state) {
  LogControl control;
  if (!control.open()) return state.SkipWithError("eventfd");
  ByteRing operational(kOperationalRingBytes);
  ByteRing access(kAccessRingBytes);
  Log log(control, operational, access);
  const AccessRecord record = typical_record();
  for (auto _ : state) {
    log.access(record);
    if (access.filled_at_most() > kAccessRingBytes / 4) {
      const auto parts = access.peek();
      access.consume(parts[0].size() + parts[1].size());
      access.refresh();
    }
  }
}
BENCHMARK(access_line);

// With the writer's thread beside it, at the pace of a busy worker: nothing may be dropped.
void access_line_with_writer(benchmark::State& state) {
  auto writer = LogWriter::start({.access = {LogDestination::Kind::file, "/dev/null"}});
  if (!writer) return state.SkipWithError("log writer");
  Log& log = (*writer)->add_producer();
  const AccessRecord record = typical_record();
  for (auto _ : state) {
    log.access(record);
    const base::Instant next = base::real_now() + microseconds(10);
    while (base::real_now() < next) {
    }
  }
  state.counters["dropped"] = static_cast<double>((*writer)->dropped_lines());
}
BENCHMARK(access_line_with_writer)->UseRealTime();

void operational_line(benchmark::State& state) {
  LogControl control;
  if (!control.open()) return state.SkipWithError("eventfd");
  ByteRing operational(kOperationalRingBytes);
  ByteRing access(kAccessRingBytes);
  Log log(control, operational, access);
  for (auto _ : state) {
    log.warn("upstream failed", {{"connection", "main"}, {"attempt", 2}, {"waited_ms", microseconds(1500)}});
    const auto parts = operational.peek();
    operational.consume(parts[0].size() + parts[1].size());
    operational.refresh();
  }
}
BENCHMARK(operational_line);

void mint_request_id(benchmark::State& state) {
  base::Rng rng(1);
  const base::WallTime now = base::real_wall_now();
  for (auto _ : state) benchmark::DoNotOptimize(RequestId::accept_or_mint("", rng, now));
}
BENCHMARK(mint_request_id);

void accept_request_id(benchmark::State& state) {
  base::Rng rng(1);
  const base::WallTime now = base::real_wall_now();
  std::string_view id = "8c2f7f0e-3f53-4a51-9d6b-0f3bb7c9e1a2";
  for (auto _ : state) {
    benchmark::DoNotOptimize(id);
    benchmark::DoNotOptimize(RequestId::accept_or_mint(id, rng, now));
  }
}
BENCHMARK(accept_request_id);

void scrape(benchmark::State& state) {
  Registry registry;
  WorkerMetrics worker(registry);
  for (uint32_t i = 0; i < 1000; ++i) {
    RequestSeries& series = worker.request({1, 0, 0, i, 0}, {"key", "openai", std::to_string(i), "chat"});
    series.count_request();
    series.record_duration(microseconds(i));
  }
  size_t bytes = 0;
  for (auto _ : state) bytes = render_metrics(registry, ExpositionFormat::prometheus).size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(scrape)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace llmgw::telemetry
