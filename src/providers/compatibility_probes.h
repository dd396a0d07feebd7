// The probes of compatibility.cpp: requests with one feature each, answers with one each. Internal.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "chat/answer.h"
#include "chat/request.h"

namespace llmgw::providers {

// Which clients can say it: a bit for each dialect.
using Clients = uint8_t;
inline constexpr Clients kChatClient = 1;
inline constexpr Clients kResponsesClient = 2;
inline constexpr Clients kAnthropicClient = 4;
inline constexpr Clients kGeminiClient = 8;
inline constexpr Clients kBedrockClient = 16;
inline constexpr Clients kCohereClient = 32;
inline constexpr Clients kAllClients = 63;

struct RequestProbe {
  std::string_view feature;
  Clients clients;
  // Adds the feature to a request that has one user message "Hi." and max_tokens.
  void (*add)(chat::Request& request, base::Arena& arena);
};
std::span<const RequestProbe> request_probes();

struct AnswerProbe {
  std::string_view feature;
  void (*add)(chat::Answer& answer, base::Arena& arena);
};
std::span<const AnswerProbe> answer_probes();

}  // namespace llmgw::providers
