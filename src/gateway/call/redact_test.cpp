#include "gateway/call/redact.h"

#include <gtest/gtest.h>

namespace llmgw::gateway {
namespace {

TEST(Redact, TakesCredentialsOutOfWhatAProviderSays) {
  base::Arena arena;
  auto upstream = providers::prepare_upstream({.provider = "openai", .api_key = base::Secret("sk-of-the-operator")});
  ASSERT_TRUE(upstream);
  const auto secrets = secrets_of(*upstream, arena);
  EXPECT_EQ(
      redact("Incorrect API key provided: sk-of-the-operator. (sk-of-the-operator) at api.openai.com", secrets, arena),
      "Incorrect API key provided: [redacted]. ([redacted]) at [redacted]");
  const std::string_view clean = "nothing to see";
  EXPECT_EQ(redact(clean, secrets, arena).data(), clean.data());
}

}  // namespace
}  // namespace llmgw::gateway
