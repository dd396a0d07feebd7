#include "gateway/conversion/head_settings.h"

#include <array>

#include "base/text.h"

namespace llmgw::gateway {
namespace {

// Bedrock's copy of OpenAI's API and Claude's messages by InvokeModel take these headers, too.
constexpr std::array<std::string_view, 2> kGuardrailHeaders{"X-Amzn-Bedrock-GuardrailIdentifier",
                                                            "X-Amzn-Bedrock-GuardrailVersion"};
constexpr std::string_view kTraceHeader = "X-Amzn-Bedrock-Trace";

}  // namespace

HeadSettings read_head_settings(const http::Headers& headers, Operation operation, base::Arena& arena) {
  HeadSettings settings;
  if (operation == Operation::converse || operation == Operation::converse_stream) return settings;
  dialects::anthropic::add_betas(arena.copy(headers.value(http::HeaderId::anthropic_beta)), arena, settings.betas);
  for (const std::string_view name : kGuardrailHeaders) {
    if (settings.guardrail.empty() && !headers.value(name).empty()) settings.guardrail = name;
  }
  const std::string_view trace = headers.value(kTraceHeader);
  if (!trace.empty() && !base::equals_ignoring_case(trace, "disabled")) settings.trace = kTraceHeader;
  if (operation != Operation::invoke && operation != Operation::invoke_stream) return settings;
  settings.service_tier = arena.copy(headers.value(kBedrockTierHeader));
  const std::string_view latency = headers.value(kBedrockLatencyHeader);
  if (latency != "standard") settings.latency = arena.copy(latency);
  return settings;
}

}  // namespace llmgw::gateway
