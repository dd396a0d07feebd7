#include "routing/engine/engine_metrics.h"

#include <gtest/gtest.h>

#include "routing/engine/engine_gauges.h"

namespace llmgw::routing {
namespace {

TEST(EngineMetrics, ReadsVllmOldAndNew) {
  const EngineMetrics now = read_engine_metrics(
      "# HELP vllm:num_requests_waiting Number of requests waiting.\n"
      "# TYPE vllm:num_requests_waiting gauge\n"
      "vllm:num_requests_waiting{engine=\"0\",model_name=\"a}b\"} 3.0\n"
      "vllm:num_requests_waiting{engine=\"1\",model_name=\"a\"} 4.0\n"
      "vllm:num_requests_running{engine=\"0\"} 12\n"
      "vllm:kv_cache_usage_perc{engine=\"0\"} 0.25\n"
      "vllm:kv_cache_usage_perc{engine=\"1\"} 0.75\n"
      "vllm:cache_config_info{block_size=\"16\",cpu_offload_gb=\"0\",num_gpu_blocks=\"27000\"} 1.0\n"
      "vllm:request_success_total 5\n");
  EXPECT_EQ(now.waiting, 7);
  EXPECT_EQ(now.running, 12);
  EXPECT_EQ(now.cache_use, 0.75);
  EXPECT_EQ(now.cache_tokens, 432000);
  const EngineMetrics old = read_engine_metrics("vllm:gpu_cache_usage_perc 0.5\nvllm_num_requests_waiting 1");
  EXPECT_EQ(old.cache_use, 0.5);
  EXPECT_EQ(old.waiting, 1);
}

TEST(EngineMetrics, ReadsSglangAndLlamaCpp) {
  const EngineMetrics sglang = read_engine_metrics(
      "sglang:num_running_reqs{model_name=\"m\"} 2.0\nsglang:num_queue_reqs{model_name=\"m\"} 1.0\n"
      "sglang:token_usage{model_name=\"m\"} 0.28\nsglang:max_total_num_tokens{model_name=\"m\"} 100000\n");
  EXPECT_EQ(sglang.running, 2);
  EXPECT_EQ(sglang.waiting, 1);
  EXPECT_EQ(sglang.cache_use, 0.28);
  EXPECT_EQ(sglang.cache_tokens, 100000);
  const EngineMetrics llama = read_engine_metrics(
      "llamacpp:requests_processing 1\nllamacpp:requests_deferred 4\nllamacpp:kv_cache_usage_ratio 0.1\n");
  EXPECT_EQ(llama.running, 1);
  EXPECT_EQ(llama.waiting, 4);
  EXPECT_EQ(llama.cache_use, 0.1);
}

TEST(EngineMetrics, AbsentIsUnknownAndNonsenseIsAbsent) {
  EXPECT_FALSE(read_engine_metrics("").any());
  EXPECT_FALSE(read_engine_metrics("vllm:num_requests_waiting NaN\nvllm:num_requests_running -1\n"
                                   "vllm:kv_cache_usage_perc{a=\"b\" 1\nvllm:num_requests_waiting\n")
                   .any());
  EXPECT_EQ(read_engine_metrics("vllm:num_requests_waiting 0").waiting, 0);
}

TEST(EngineMetrics, WhatWasSaidLastFades) {
  EXPECT_EQ(silent_gauge(kUnknownGauge), kSilentGauge) << "it has never said anything";
  uint16_t gauge = 64;
  for (int i = 0; i < 11; ++i) {
    gauge = silent_gauge(gauge);
    EXPECT_TRUE(is_silent(gauge));
  }
  EXPECT_NEAR(gauge & ~kSilentGauge, 29, 3);
  for (int i = 0; i < 60; ++i) gauge = silent_gauge(gauge);
  EXPECT_EQ(gauge, kSilentGauge);
  EXPECT_TRUE(is_silent(silent_gauge(kGaugeMax)));
  EXPECT_FALSE(is_silent(kUnknownGauge));
}

}  // namespace
}  // namespace llmgw::routing
