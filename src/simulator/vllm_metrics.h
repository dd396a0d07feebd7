// The simulated engine's state as vLLM says it: the names of vLLM v1's /metrics (as of 0.10) and, beside them, the two
// gauges and two counters older versions had. Prometheus text format 0.0.4. Pure.
#pragma once

#include <string>
#include <string_view>

#include "simulator/engine.h"

namespace llmgw::simulator {

void write_vllm_metrics(const EngineStats& stats, const EngineOptions& options, std::string_view model_name,
                        std::string& out);

}  // namespace llmgw::simulator
