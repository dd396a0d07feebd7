#include "gateway/call/own_headers.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::gateway {
namespace {

std::string checked(std::string_view name, std::string_view value) {
  base::Arena arena;
  http::Headers headers;
  EXPECT_TRUE(headers.append(name, value));
  const auto result = check_own_headers(headers, arena);
  return result ? "" : std::string(result.error().param) + "|" + std::string(result.error().message);
}

TEST(OwnHeaders, WhatCanBeFollowed) {
  for (const std::string_view value : {"1", "150", "86400000"}) {
    EXPECT_EQ(checked(kTotalTimeoutHeader, value), "");
    EXPECT_EQ(checked(kConnectTimeoutHeader, value), "");
  }
  for (const std::string_view value : {"-10", "0", "10"}) EXPECT_EQ(checked(kPriorityHeader, value), "");
  for (const std::string_view value : routing::policy_names()) EXPECT_EQ(checked(kPolicyHeader, value), "");
  EXPECT_EQ(checked("x-llm-gateway-debug", "anything"), "");
}

TEST(OwnHeaders, ACallThatGoesRoundIsRefused) {
  for (const std::string_view value : {"0", "1", "4", "-7", "abc", ""}) EXPECT_EQ(checked(kHopsHeader, value), "");
  for (const std::string_view value : {"5", "6", "9223372036854775806"}) {
    EXPECT_EQ(checked(kHopsHeader, value),
              "x-llm-gateway-hops|this call has come through 5 gateways already: the endpoint of a connection leads "
              "back to a gateway that the call has passed");
  }
}

TEST(OwnHeaders, WhatCannotIsNamedWithWhatWasExpected) {
  for (const std::string_view name :
       {kConnectTimeoutHeader, kFirstByteTimeoutHeader, kIdleTimeoutHeader, kTotalTimeoutHeader}) {
    for (const std::string_view value : {"0", "-1", "abc", "5s", "1.5", "86400001", "99999999999999999999", " "}) {
      EXPECT_EQ(checked(name, value), std::string(name) + "|the header " + std::string(name) +
                                          ": expected milliseconds, a whole number from 1 to 86400000");
    }
  }
  for (const std::string_view value : {"high", "11", "-11", "1x"}) {
    EXPECT_EQ(checked(kPriorityHeader, value),
              "x-llm-gateway-priority|the header x-llm-gateway-priority: expected a whole number from -10 to 10");
  }
  const std::string policy = checked(kPolicyHeader, "roundrobin");
  EXPECT_NE(policy.find("the header x-llm-gateway-policy: expected one of "), std::string::npos) << policy;
  EXPECT_NE(policy.find("did you mean 'round-robin'?"), std::string::npos) << policy;
}

}  // namespace
}  // namespace llmgw::gateway
