#include "telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "base/rng.h"
#include "telemetry/process_metrics.h"
#include "telemetry/worker_metrics.h"

namespace llmgw::telemetry {
namespace {

using base::Duration;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr std::array kLayouts{&kAddedTimeLayout, &kRequestTimeLayout, &kTokenGapLayout};

TEST(HistogramLayout, EveryBoundIsInclusiveAndExact) {
  for (const HistogramLayout* layout : kLayouts) {
    EXPECT_EQ(layout->index(0), 0u);
    EXPECT_EQ(layout->bound_ns(0), 1000ull << layout->first_exponent);
    EXPECT_EQ(layout->bound_ns(layout->bound_count() - 1), 1000ull << layout->last_exponent);
    for (uint32_t i = 0; i < layout->bound_count(); ++i) {
      EXPECT_EQ(layout->index(layout->bound_ns(i)), i);
      EXPECT_EQ(layout->index(layout->bound_ns(i) + 1), i + 1);
    }
    EXPECT_EQ(layout->index(UINT64_MAX), layout->bucket_count() - 1);
  }
}

TEST(HistogramLayout, AgreesWithASearch) {
  base::Rng rng(1);
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t ns = rng.next() >> rng.below(64);
    for (const HistogramLayout* layout : kLayouts) {
      uint32_t expected = 0;
      while (expected < layout->bound_count() && ns > layout->bound_ns(expected)) ++expected;
      ASSERT_EQ(layout->index(ns), expected) << ns;
    }
  }
}

TEST(HistogramData, QuantilesAreWithinABucket) {
  HistogramData data;
  data.layout = &kRequestTimeLayout;
  EXPECT_FALSE(data.quantile(0.5));
  for (int i = 1; i <= 10'000; ++i) data.record(milliseconds(i));
  EXPECT_EQ(data.count(), 10'000u);
  EXPECT_DOUBLE_EQ(data.sum_seconds(), 50'005.0);
  for (const double quantile : {0.01, 0.5, 0.9, 0.99}) {
    const auto estimate = data.quantile(quantile);
    ASSERT_TRUE(estimate);
    const double exact_ms = quantile * 10'000;
    EXPECT_NEAR(static_cast<double>(estimate->count()) / 1e6, exact_ms, exact_ms * 0.06);
  }
  data.record(std::chrono::hours(10));
  EXPECT_EQ(data.quantile(1.0), Duration((1000ll << 30)));
}

TEST(Gauge, IsAbsentUntilSetAndAfterClear) {
  Registry registry;
  Shard& shard = registry.add_shard();
  const Gauge gauge = registry.gauge(shard, FamilyId::sessions, "openai");
  EXPECT_FALSE(gauge.value());
  for (const int64_t value : {int64_t{0}, int64_t{-5}, INT64_MAX}) {
    gauge.set(value);
    EXPECT_EQ(gauge.value(), value);
  }
  gauge.set(2);
  gauge.add(-3);
  EXPECT_EQ(gauge.value(), -1);
  gauge.clear();
  EXPECT_FALSE(gauge.value());
}

TEST(Registry, SameLabelsAreTheSameSeries) {
  Registry registry;
  const std::array<std::string_view, 2> one{"a", "bc"};
  const std::array<std::string_view, 2> other{"ab", "c"};
  const Series& series = registry.series(FamilyId::instance_health, one);
  EXPECT_EQ(&series, &registry.series(FamilyId::instance_health, one));
  EXPECT_NE(&series, &registry.series(FamilyId::instance_health, other));
  EXPECT_THAT(series.values, testing::ElementsAre("a", "bc"));
}

TEST(Registry, SumsShards) {
  Registry registry;
  std::vector<Shard*> shards;
  for (int i = 0; i < 3; ++i) shards.push_back(&registry.add_shard());
  const std::array<std::string_view, 1> labels{"chat"};
  const Series& series = registry.series(FamilyId::added_time, labels);
  for (Shard* shard : shards) {
    registry.counter(*shard, FamilyId::warnings, "x").add(7);
    registry.histogram(*shard, series).record(microseconds(3));
  }
  const Reader reader(registry);
  EXPECT_EQ(reader.counter_total(FamilyId::warnings), 21u);
  const HistogramData data = reader.histogram(series);
  EXPECT_EQ(data.count(), 3u);
  EXPECT_EQ(data.sum_ns, 9000u);
}

TEST(Registry, SumCarriesBeyond64Bits) {
  Registry registry;
  const Histogram histogram = registry.histogram(registry.add_shard(), FamilyId::added_time, "chat");
  for (int i = 0; i < 3; ++i) histogram.record(Duration(INT64_MAX));
  histogram.record(Duration(-1));
  const HistogramData data = Reader(registry).histogram_total(FamilyId::added_time);
  EXPECT_EQ(data.count(), 4u);
  EXPECT_TRUE(data.sum_ns == static_cast<unsigned __int128>(INT64_MAX) * 3);
}

TEST(Registry, HealthIsTheWorstOpinion) {
  Registry registry;
  WorkerMetrics one(registry);
  WorkerMetrics two(registry);
  InstanceSeries& seen_by_one = one.instance({1, 0}, "openai", "main");
  InstanceSeries& seen_by_two = two.instance({1, 0}, "openai", "main");
  const Reader reader(registry);
  EXPECT_FALSE(reader.gauge_total(FamilyId::instance_health));
  seen_by_one.set_health(true);
  EXPECT_EQ(reader.gauge_total(FamilyId::instance_health), 1);
  seen_by_two.set_health(false);
  EXPECT_EQ(reader.gauge_total(FamilyId::instance_health), 0);
  one.forget_instance_health();
  two.forget_instance_health();
  EXPECT_FALSE(reader.gauge_total(FamilyId::instance_health));
}

TEST(Registry, FullFamilyCountsUnderOther) {
  Registry registry({.counter_series = 4, .histogram_series = 2});
  WorkerMetrics worker(registry);
  for (uint32_t i = 0; i < 100; ++i) {
    const std::string model = "model-" + std::to_string(i);
    RequestSeries& series = worker.request({1, 0, 0, i, i % 2}, {"key", "openai", model, i % 2 ? "chat" : "embed"});
    series.count_request();
    series.count_tokens(TokenType::input, 10);
    series.count_error(static_cast<uint8_t>(i % 3), i % 3 == 0 ? "timeout" : i % 3 == 1 ? "reset" : "refused");
    series.record_duration(milliseconds(5));
  }
  const Reader reader(registry);
  EXPECT_EQ(reader.counter_total(FamilyId::requests), 100u);
  EXPECT_EQ(reader.counter_total(FamilyId::tokens), 1000u);
  EXPECT_EQ(reader.counter_total(FamilyId::errors), 100u);
  EXPECT_EQ(reader.histogram_total(FamilyId::request_duration).count(), 100u);
  const auto requests = reader.list(FamilyId::requests);
  EXPECT_EQ(requests.size(), 6u);  // four models and "other" for each of two endpoints
  for (const Series* series : requests) {
    EXPECT_EQ(series->is_overflow, series->values[2] == "other");
    if (series->is_overflow) EXPECT_EQ(reader.counter(*series), 48u);
  }
  EXPECT_EQ(reader.list(FamilyId::errors).size(), 4u + 6u);
  bool counted = false;
  for (const CollectedSample& sample : registry.collect())
    if (sample.family == FamilyId::series_overflow && sample.values[0] == "llm_requests_total") {
      counted = true;
      EXPECT_EQ(sample.value, 96.0);
    }
  EXPECT_TRUE(counted);
}

TEST(Registry, EvenClosedLabelsAreBounded) {
  Registry registry({.counter_series = 2, .histogram_series = 2});
  Shard& shard = registry.add_shard();
  for (int i = 0; i < 3000; ++i) registry.counter(shard, FamilyId::warnings, std::to_string(i)).add();
  const Reader reader(registry);
  EXPECT_EQ(reader.list(FamilyId::warnings).size(), 2 + kOtherSeriesMax + 1);
  EXPECT_EQ(reader.counter_total(FamilyId::warnings), 3000u);
}

TEST(Registry, HoldsEveryFamilyAtItsLimit) {
  Registry registry({.counter_series = 300, .histogram_series = 300});
  Shard& shard = registry.add_shard();
  for (const Family& entry : families()) {
    for (int i = 0; i < 2500; ++i) {
      std::vector<std::string> text(entry.label_count(), std::to_string(i));
      const std::vector<std::string_view> values(text.begin(), text.end());
      const Series& series = registry.series(entry.id, values);
      if (entry.kind == Kind::histogram) registry.histogram(shard, series).record(microseconds(1));
      if (entry.kind == Kind::counter) registry.counter(shard, series).add();
    }
  }
  const Reader reader(registry);
  for (const Family& entry : families()) {
    if (entry.kind == Kind::histogram) EXPECT_EQ(reader.histogram_total(entry.id).count(), 2500u) << entry.name;
    if (entry.kind == Kind::counter) EXPECT_EQ(reader.counter_total(entry.id), 2500u) << entry.name;
  }
}

TEST(Registry, LabelValuesAreCutAndMadeValid) {
  EXPECT_EQ(clean_label_value("a\xFFz\xC3"), "a?z?");
  EXPECT_EQ(clean_label_value("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(clean_label_value(std::string(500, 'x')).size(), kLabelBytesMax);
  const std::string umlauts = "x" + std::string(63, 'y') + std::string("\xC3\xBC") + std::string(60, 'z') + "\xC3\xBC";
  EXPECT_EQ(clean_label_value(umlauts), umlauts);
  EXPECT_EQ(clean_label_value("z" + umlauts), "z" + umlauts.substr(0, 126));  // the last ü would be cut in two
}

TEST(WorkerMetrics, ReloadKeepsCountersAndOldRequestsCountRight) {
  Registry registry;
  WorkerMetrics worker(registry);
  RequestSeries& old_a = worker.request({1, 0, 0, 0, 0}, {"key", "openai", "a", "chat"});
  old_a.count_request();
  // The new snapshot numbers its models the other way round.
  RequestSeries& new_b = worker.request({2, 0, 0, 0, 0}, {"key", "openai", "b", "chat"});
  RequestSeries& new_a = worker.request({2, 0, 0, 1, 0}, {"key", "openai", "a", "chat"});
  EXPECT_EQ(&new_a, &old_a);
  EXPECT_NE(&new_b, &old_a);
  new_a.count_request();
  new_b.count_request();
  // A request of the old snapshot that ends now.
  worker.request({1, 0, 0, 0, 0}, {"key", "openai", "a", "chat"}).count_request();
  const Reader reader(registry);
  const auto list = reader.list(FamilyId::requests);
  ASSERT_EQ(list.size(), 2u);
  for (const Series* series : list) EXPECT_EQ(reader.counter(*series), series->values[2] == "a" ? 3u : 1u);
}

TEST(WorkerMetrics, ConnectionsOfOneProviderShareASeries) {
  Registry registry;
  WorkerMetrics worker(registry);
  RequestSeries& one = worker.request({1, 0, 0, 0, 0}, {"key", "openai", "a", "chat"});
  RequestSeries& two = worker.request({1, 0, 1, 0, 0}, {"key", "openai", "a", "chat"});
  EXPECT_EQ(&one, &two);
  worker.request({1}, {}).count_request();
  EXPECT_THAT(Reader(registry).list(FamilyId::requests).back()->values, testing::Each("none"));
}

TEST(WorkerMetrics, WhatNeverHappenedHasNoSeries) {
  Registry registry;
  WorkerMetrics worker(registry);
  worker.request({1, 0, 0, 0, 0}, {"key", "openai", "a", "chat"}).count_tokens(TokenType::input, 0);
  const Reader reader(registry);
  EXPECT_EQ(reader.list(FamilyId::tokens).size(), 1u);
  EXPECT_TRUE(reader.list(FamilyId::errors).empty());
  EXPECT_TRUE(reader.list(FamilyId::time_to_first_token).empty());
}

TEST(WorkerMetrics, IdCacheOutlivesMoreIdsThanItHolds) {
  Registry registry;
  WorkerMetrics worker(registry);
  const std::array<std::string_view, 3> models{"a", "b", "c"};
  for (uint32_t i = 0; i < 60'000; ++i)
    worker.request({i / 1000, i, i % 7, i % 3, 0}, {"key", "openai", models[i % 3], "chat"}).count_request();
  const Reader reader(registry);
  for (const Series* series : reader.list(FamilyId::requests)) EXPECT_EQ(reader.counter(*series), 20'000u);
}

// Run it under ThreadSanitizer as well: writers, late registrations and scrapes at once, and nothing is lost or goes
// back.
TEST(WorkerMetrics, ScrapeBesideWriters) {
  constexpr uint32_t kWorkers = 4;
  constexpr uint32_t kRequests = 20'000;
  Registry registry({.counter_series = 64, .histogram_series = 16});
  std::vector<std::thread> threads;
  std::atomic<uint32_t> running{kWorkers};
  for (uint32_t worker_index = 0; worker_index < kWorkers; ++worker_index)
    threads.emplace_back([&, worker_index] {
      WorkerMetrics worker(registry);
      base::Rng rng(worker_index);
      for (uint32_t i = 0; i < kRequests; ++i) {
        const auto model = static_cast<uint32_t>(rng.below(100));
        RequestSeries& series = worker.request({i / 1000, 0, 0, model, 0}, {"k", "p", std::to_string(model), "chat"});
        series.count_request();
        series.count_tokens(TokenType::output, 3);
        series.record_duration(microseconds(rng.below(1'000'000)));
        worker.requests_in_flight.add(i % 2 ? -1 : 1);
        worker.instance({i / 1000, model}, "p", std::to_string(model % 5)).count(InstanceOutcome::success);
      }
      --running;
    });
  uint64_t last = 0;
  uint64_t last_count = 0;
  while (running > 0) {
    const Reader reader(registry);
    const uint64_t requests = reader.counter_total(FamilyId::requests);
    const uint64_t count = reader.histogram_total(FamilyId::request_duration).count();
    EXPECT_GE(requests, last);
    EXPECT_GE(count, last_count);
    last = requests;
    last_count = count;
    registry.collect();
  }
  for (std::thread& thread : threads) thread.join();
  const Reader reader(registry);
  EXPECT_EQ(reader.counter_total(FamilyId::requests), kWorkers * kRequests);
  EXPECT_EQ(reader.counter_total(FamilyId::tokens), 3 * kWorkers * kRequests);
  EXPECT_EQ(reader.counter_total(FamilyId::instance_requests), kWorkers * kRequests);
  EXPECT_EQ(reader.histogram_total(FamilyId::request_duration).count(), kWorkers * kRequests);
  EXPECT_EQ(reader.gauge_total(FamilyId::requests_in_flight), 0);
}

TEST(ProcessMetrics, AreMeasured) {
  Registry registry;
  add_process_metrics(registry, "1.2.3", base::real_wall_now());
  std::map<FamilyId, double> values;
  for (const CollectedSample& sample : registry.collect()) values[sample.family] = sample.value;
  EXPECT_GT(values.at(FamilyId::process_resident_memory), 1e5);
  EXPECT_GE(values.at(FamilyId::process_cpu), 0);
  EXPECT_GT(values.at(FamilyId::process_start_time), 1.7e9);
  const double before = values.at(FamilyId::process_open_fds);
  EXPECT_GE(before, 3);
  const std::ifstream file("/dev/null");
  for (const CollectedSample& sample : registry.collect()) values[sample.family] = sample.value;
  EXPECT_EQ(values.at(FamilyId::process_open_fds), before + 1);
}

TEST(ReloadMetrics, FailureLeavesTheTime) {
  Registry registry;
  ReloadMetrics reloads(registry);
  const Reader reader(registry);
  EXPECT_FALSE(reader.gauge_total(FamilyId::config_last_reload));
  reloads.loaded(base::WallTime(std::chrono::seconds(1000)));
  reloads.reload_succeeded(base::WallTime(std::chrono::seconds(2000)));
  reloads.reload_failed();
  reloads.reload_failed();
  EXPECT_EQ(reader.gauge_total(FamilyId::config_last_reload), 2000);
  for (const Series* series : reader.list(FamilyId::config_reloads))
    EXPECT_EQ(reader.counter(*series), series->values[0] == "success" ? 1u : 2u);
}

TEST(Families, ManualIsWhatTheTableSays) {
  constexpr const char* kPath = "docs/metrics.md";
  if (std::getenv("LLMGW_WRITE_DOCS")) std::ofstream(kPath) << metrics_manual();
  std::ostringstream text;
  text << std::ifstream(kPath).rdbuf();
  EXPECT_EQ(text.str(), metrics_manual()) << "run LLMGW_WRITE_DOCS=1 telemetry_test --gtest_filter='Families.*'";
}

TEST(Families, NamesAreLegalAndDifferent) {
  std::set<std::string_view> names;
  for (const Family& entry : families()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_EQ(entry.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos) << entry.name;
    EXPECT_EQ(entry.name.ends_with("_total"), entry.kind == Kind::counter) << entry.name;
    EXPECT_EQ(entry.layout != nullptr, entry.kind == Kind::histogram) << entry.name;
    EXPECT_TRUE(entry.help.ends_with('.')) << entry.name;
  }
}

}  // namespace
}  // namespace llmgw::telemetry
