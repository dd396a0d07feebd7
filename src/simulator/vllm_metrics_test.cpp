#include "simulator/vllm_metrics.h"

#include <gtest/gtest.h>

namespace llmgw::simulator {
namespace {

TEST(VllmMetrics, SaysTheEnginesStateInVllmsNames) {
  EngineOptions options;
  options.kv_blocks = 100;
  options.prefill_tokens_per_second = 1000;
  options.decode_tokens_per_second = 100;
  Engine engine(options);
  const base::Instant start{};
  ASSERT_TRUE(engine.submit({.prompt_tokens = 160, .output_steps = 2}, start));
  std::vector<EngineEvent> events;
  std::string running;
  write_vllm_metrics(engine.stats(), options, "my \"model\"", running);
  EXPECT_NE(running.find("vllm:num_requests_running{engine=\"0\",model_name=\"my \\\"model\\\"\"} 1.0\n"),
            std::string::npos);
  EXPECT_NE(running.find("\nvllm:kv_cache_usage_perc{engine=\"0\",model_name=\"my \\\"model\\\"\"} 0.1\n"),
            std::string::npos);
  engine.advance(start + std::chrono::seconds(1), events);
  std::string done;
  write_vllm_metrics(engine.stats(), options, "m", done);
  for (const char* line : {
           "vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 0.0\n",
           "vllm:gpu_cache_usage_perc{engine=\"0\",model_name=\"m\"} 0.0\n",
           "vllm:prompt_tokens_total{engine=\"0\",model_name=\"m\"} 160.0\n",
           "vllm:generation_tokens_total{engine=\"0\",model_name=\"m\"} 2.0\n",
           "vllm:prefix_cache_queries_total{engine=\"0\",model_name=\"m\"} 160.0\n",
           "vllm:request_success_total{engine=\"0\",model_name=\"m\",finished_reason=\"stop\"} 1.0\n",
           "vllm:time_to_first_token_seconds_bucket{engine=\"0\",model_name=\"m\",le=\"0.1\"} 0.0\n",
           "vllm:time_to_first_token_seconds_bucket{engine=\"0\",model_name=\"m\",le=\"0.25\"} 1.0\n",
           "vllm:time_to_first_token_seconds_bucket{engine=\"0\",model_name=\"m\",le=\"+Inf\"} 1.0\n",
           "vllm:time_to_first_token_seconds_sum{engine=\"0\",model_name=\"m\"} 0.16\n",
           "# TYPE vllm:e2e_request_latency_seconds histogram\n",
           "num_gpu_blocks=\"100\"} 1.0\n",
       }) {
    EXPECT_NE(done.find(line), std::string::npos) << line << done;
  }
}

}  // namespace
}  // namespace llmgw::simulator
