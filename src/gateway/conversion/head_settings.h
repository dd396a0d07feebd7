// What the head of a request asks for that another provider's API has in its body, or has not at all: Anthropic's
// betas, and what Bedrock's InvokeModel takes as headers (InvokeModelRequest of its service model). Pure; any thread.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "dialects/anthropic/betas.h"
#include "gateway/entrance/endpoints.h"
#include "http/message.h"

namespace llmgw::gateway {

// Claude's features in test, as the header names them.
inline constexpr std::string_view kBetasHeader = "anthropic-beta";
// As AWS spells them; names of headers are compared without regard to case.
inline constexpr std::string_view kBedrockTierHeader = "X-Amzn-Bedrock-Service-Tier";
inline constexpr std::string_view kBedrockLatencyHeader = "X-Amzn-Bedrock-PerformanceConfig-Latency";

// Views of the head, or in the arena; empty: not asked for.
struct HeadSettings {
  dialects::anthropic::Betas betas;
  std::string_view guardrail;  // the name of the header that asks for one
  std::string_view trace;      // the name of the header that asks what a guardrail did
  std::string_view service_tier;
  std::string_view latency;
};

// Converse has all of them in its body: of its clients' heads nothing is read.
HeadSettings read_head_settings(const http::Headers& headers, Operation operation, base::Arena& arena);

}  // namespace llmgw::gateway
