#include "providers/header_policy.h"

#include <gtest/gtest.h>

namespace llmgw::providers {
namespace {

TEST(HeaderPolicy, WhatAClientSends) {
  for (const auto* name : {"Authorization", "x-api-key", "API-KEY", "X-Goog-Api-Key", "cookie", "Proxy-Authorization",
                           "openai-organization", "x-amz-security-token"}) {
    EXPECT_EQ(request_header_rule(name), HeaderRule::credential) << name;
    EXPECT_FALSE(forward_request_header(name)) << name;
  }
  for (const auto* name : {"Connection", "TE", "transfer-encoding", "Upgrade", "keep-alive", "HTTP2-Settings"}) {
    EXPECT_EQ(request_header_rule(name), HeaderRule::hop_by_hop) << name;
  }
  for (const auto* name : {"Host", "content-length", "Expect"}) {
    EXPECT_EQ(request_header_rule(name), HeaderRule::framing) << name;
  }
  for (const auto* name : {"Forwarded", "X-Forwarded-For", "via", "X-Real-IP"}) {
    EXPECT_EQ(request_header_rule(name), HeaderRule::network) << name;
  }
  EXPECT_EQ(request_header_rule("Accept-Encoding"), HeaderRule::negotiation);
  EXPECT_EQ(request_header_rule("X-LLM-Gateway-Timeout"), HeaderRule::gateway);
  for (const auto* name : {"content-type", "accept", "user-agent", "anthropic-version", "anthropic-beta", "openai-beta",
                           "x-stainless-lang", "traceparent", "idempotency-key", "x-request-id", "", "x",
                           "a-header-name-that-is-longer-than-any-in-the-table"}) {
    EXPECT_TRUE(forward_request_header(name)) << name;
  }
}

TEST(HeaderPolicy, WhatAnUpstreamAnswers) {
  EXPECT_EQ(response_header_rule("Transfer-Encoding"), HeaderRule::hop_by_hop);
  EXPECT_EQ(response_header_rule("Content-Length"), HeaderRule::framing);
  EXPECT_EQ(response_header_rule("Set-Cookie"), HeaderRule::credential);
  EXPECT_EQ(response_header_rule("OpenAI-Organization"), HeaderRule::credential);
  EXPECT_EQ(response_header_rule("Server"), HeaderRule::network);
  EXPECT_EQ(response_header_rule("x-request-id"), HeaderRule::gateway);
  EXPECT_EQ(response_header_rule("x-llm-gateway-warnings"), HeaderRule::gateway);
  for (const auto* name :
       {"content-type", "retry-after", "retry-after-ms", "x-should-retry", "anthropic-ratelimit-requests-limit",
        "x-ratelimit-remaining-tokens", "request-id", "content-encoding", "openai-processing-ms"}) {
    EXPECT_TRUE(forward_response_header(name)) << name;
  }
}

}  // namespace
}  // namespace llmgw::providers
