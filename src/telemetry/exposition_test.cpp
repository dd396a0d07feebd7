#include "telemetry/exposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "telemetry/format_checkers.h"
#include "telemetry/process_metrics.h"
#include "telemetry/worker_metrics.h"

namespace llmgw::telemetry {
namespace {

using std::chrono::milliseconds;

std::string complaint_about(std::string_view text) {
  ExpositionText parsed;
  return check_exposition(text, parsed).value_or("");
}

TEST(Exposition, Golden) {
  Registry registry;
  Shard& shard = registry.add_shard();
  registry.counter(shard, FamilyId::requests, "front\"end\\", "openai", "a\nb", "chat").add(12);
  registry.gauge(shard, FamilyId::sessions, "openai").set(-3);
  registry.gauge(shard, FamilyId::sessions, "absent");
  registry.add_collector(
      [](std::vector<CollectedSample>& samples) { samples.push_back({FamilyId::process_cpu, {}, 1.25}); });
  EXPECT_EQ(
      render_metrics(registry, ExpositionFormat::prometheus),
      "# HELP llm_requests_total Requests answered, whatever the answer.\n"
      "# TYPE llm_requests_total counter\n"
      "llm_requests_total{api_key=\"front\\\"end\\\\\",provider=\"openai\",model=\"a\\nb\",endpoint=\"chat\"} 12\n"
      "# HELP llm_gateway_session_count Sessions pinned to an instance.\n"
      "# TYPE llm_gateway_session_count gauge\n"
      "llm_gateway_session_count{provider=\"openai\"} -3\n"
      "# HELP process_cpu_seconds_total User and system CPU time spent by the process.\n"
      "# TYPE process_cpu_seconds_total counter\n"
      "process_cpu_seconds_total 1.25\n");
  const std::string open_metrics = render_metrics(registry, ExpositionFormat::open_metrics);
  EXPECT_THAT(open_metrics, testing::StartsWith("# HELP llm_requests Requests"));
  EXPECT_THAT(open_metrics,
              testing::HasSubstr("\n# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total 1.25\n"));
  EXPECT_THAT(open_metrics, testing::EndsWith("\n# EOF\n"));
}

TEST(Exposition, HistogramGolden) {
  Registry registry;
  const Histogram gaps = registry.histogram(registry.add_shard(), FamilyId::time_between_tokens, "openai", "m");
  gaps.record(std::chrono::microseconds(128));
  gaps.record(std::chrono::microseconds(129));
  gaps.record(milliseconds(50));
  gaps.record(std::chrono::seconds(60));
  const std::string text = render_metrics(registry, ExpositionFormat::prometheus);
  const std::string name = "llm_time_between_tokens_seconds";
  const std::string labels = "{provider=\"openai\",model=\"m\"";
  const auto bucket = [&](const char* le, int count) {
    return name + "_bucket" + labels + ",le=\"" + le + "\"} " + std::to_string(count) + "\n";
  };
  EXPECT_EQ(text.substr(text.find(name + "_bucket")),
            bucket("0.000128", 1) + bucket("0.000256", 2) + bucket("0.000512", 2) + bucket("0.001024", 2) +
                bucket("0.002048", 2) + bucket("0.004096", 2) + bucket("0.008192", 2) + bucket("0.016384", 2) +
                bucket("0.032768", 2) + bucket("0.065536", 3) + bucket("0.131072", 3) + bucket("0.262144", 3) +
                bucket("0.524288", 3) + bucket("1.048576", 3) + bucket("2.097152", 3) + bucket("4.194304", 3) +
                bucket("8.388608", 3) + bucket("16.777216", 3) + bucket("+Inf", 4) + name + "_sum" + labels +
                "} 60.050257\n" + name + "_count" + labels + "} 4\n");
}

TEST(Exposition, EverythingPassesTheStrictReader) {
  Registry registry({.counter_series = 50, .histogram_series = 20});
  ReloadMetrics reloads(registry);
  reloads.reload_failed();
  add_process_metrics(registry, "0.1", base::WallTime(std::chrono::seconds(1'700'000'000)));
  WorkerMetrics worker(registry);
  for (uint32_t i = 0; i < 200; ++i) {
    const std::string model = "m\"\\\n\xFF" + std::to_string(i);
    RequestSeries& series = worker.request({1, i, i, i, i % 3}, {"key", "openai", model, std::to_string(i % 3)});
    series.count_request();
    for (const TokenType type : {TokenType::input, TokenType::reasoning}) series.count_tokens(type, i);
    series.count_error(3, "timeout");
    series.record_duration(milliseconds(i));
    series.record_upstream(milliseconds(i));
    series.record_added(std::chrono::nanoseconds(i * 100));
    series.record_first_token(milliseconds(i));
    series.record_token_gap(milliseconds(i));
    worker.instance({1, i}, "openai", model).set_health(i % 2 == 0);
    worker.instance({1, i}, "openai", model).count(InstanceOutcome::business_error);
  }
  ExpositionText parsed;
  const auto complaint = check_exposition(render_metrics(registry, ExpositionFormat::prometheus), parsed);
  ASSERT_FALSE(complaint) << *complaint;
  double requests = 0;
  std::set<std::string> models;
  for (const ExpositionSample& sample : parsed.samples) {
    if (sample.name != "llm_requests_total") continue;
    requests += sample.value;
    models.insert(sample.labels.at("model"));
  }
  EXPECT_EQ(requests, 200);
  EXPECT_TRUE(models.contains("m\"\\\n?7"));
  EXPECT_TRUE(models.contains("other"));
  EXPECT_EQ(parsed.types.at("llm_gateway_added_seconds"), "histogram");
}

TEST(Exposition, StrictReaderRefuses) {
  const std::string head = "# HELP a_total x.\n# TYPE a_total counter\n";
  EXPECT_EQ(complaint_about(head + "a_total{k=\"v\"} 1\n"), "");
  for (const char* bad :
       {"a_total 1", "a_total{k=\"v} 1\n", "a_total{k=v} 1\n", "a_total 1 \n", "a_total -1\n", "b_total 1\n",
        "a_total 1\na_total 1\n", "a_total{k=\"\\x\"} 1\n", "a_total{k=\"\xFF\"} 1\n", ""})
    EXPECT_NE(complaint_about(head + bad), "") << bad;
  const std::string histogram = "# HELP h x.\n# TYPE h histogram\n";
  EXPECT_EQ(complaint_about(histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"), "");
  for (const char* bad :
       {"h_bucket{le=\"1\"} 1\nh_sum 3\nh_count 1\n", "h_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 1\n",
        "h_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n", "h_bucket{le=\"+Inf\"} 2\nh_sum 3\n"})
    EXPECT_NE(complaint_about(histogram + bad), "") << bad;
}

TEST(Exposition, FormatFollowsAccept) {
  EXPECT_EQ(choose_format("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
            ExpositionFormat::open_metrics);
  EXPECT_EQ(choose_format("*/*"), ExpositionFormat::prometheus);
  EXPECT_EQ(choose_format(""), ExpositionFormat::prometheus);
  EXPECT_THAT(std::string(content_type(ExpositionFormat::prometheus)), testing::HasSubstr("version=0.0.4"));
}

}  // namespace
}  // namespace llmgw::telemetry
