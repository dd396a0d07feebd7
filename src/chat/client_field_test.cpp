#include "chat/client_field.h"

#include <gtest/gtest.h>

#include "base/arena.h"
#include "chat/warning.h"

namespace llmgw::chat {
namespace {

TEST(ClientField, EveryDialectsOwnNames) {
  struct Case {
    Dialect client;
    std::string_view field;
    std::string_view name;
  };
  constexpr Case kCases[] = {
      {Dialect::openai_chat, "max_tokens", "max_tokens"},
      {Dialect::openai_chat, "reasoning", "reasoning_effort"},
      {Dialect::azure, "stop", "stop"},
      {Dialect::openai_responses, "max_tokens", "max_output_tokens"},
      {Dialect::openai_responses, "reasoning_effort", "reasoning.effort"},
      {Dialect::openai_responses, "seed", "seed"},
      {Dialect::anthropic, "stop", "stop_sequences"},
      {Dialect::anthropic, "user", "metadata.user_id"},
      {Dialect::gemini, "top_k", "generationConfig.topK"},
      {Dialect::vertex, "metadata", "labels"},
      {Dialect::bedrock, "temperature", "inferenceConfig.temperature"},
      {Dialect::cohere, "top_p", "p"},
      {Dialect::gemini, "contents[2].parts[1]", "contents[2].parts[1]"},
  };
  for (const Case& c : kCases) EXPECT_EQ(client_field(c.client, c.field), c.name);
}

TEST(ClientField, WarningsTellThem) {
  base::Arena arena;
  Warnings warnings(arena, Dialect::bedrock);
  warnings.dropped("metadata", "no place");
  EXPECT_EQ(warnings.header(), R"(dropped;field="requestMetadata";reason="no place")");
}

}  // namespace
}  // namespace llmgw::chat
