#include "gateway/governance/limit_headers.h"

#include <gtest/gtest.h>

namespace llmgw::gateway {
namespace {

using namespace std::chrono_literals;

TEST(LimitHeaders, ResetsAreWrittenAsOpenAiWritesThem) {
  EXPECT_EQ(reset_text(0ms), "0ms");
  EXPECT_EQ(reset_text(1ns), "1ms");
  EXPECT_EQ(reset_text(999ms), "999ms");
  EXPECT_EQ(reset_text(1s), "1s");
  EXPECT_EQ(reset_text(1500ms), "1.5s");
  EXPECT_EQ(reset_text(2050ms), "2.05s");
  EXPECT_EQ(reset_text(59'001ms), "59.001s");
  EXPECT_EQ(reset_text(6min), "6m0s");
  EXPECT_EQ(reset_text(6min + 120ms), "6m0.12s");
  EXPECT_EQ(reset_text(25h + 3s), "25h0m3s");
  EXPECT_FALSE(reset_text(base::Duration::max()).empty());
}

std::string text_of(const http::Headers& headers) {
  std::string text;
  for (const http::Header& header : headers) {
    text += std::string(header.name) + "=" + std::string(header.value) + ";";
  }
  return text;
}

TEST(LimitHeaders, EachDialectHasItsOwn) {
  const admission::Allowance requests{.limit = UINT64_MAX, .remaining = UINT64_MAX - 1, .reset = 1'500'000'000};
  const admission::Allowance tokens{.limit = 1000, .remaining = 0, .reset = 61'000'000'000};
  const base::WallTime now{std::chrono::nanoseconds(1'800'000'000'000'000'001)};
  const auto written = [&](chat::Dialect dialect) {
    base::Arena arena;
    http::Headers headers;
    headers.append("content-type", "text/plain");
    headers.append("x-ratelimit-limit-requests", "the provider's");
    write_limit_headers(dialect, requests, tokens, now, arena, headers);
    return text_of(headers);
  };
  EXPECT_EQ(written(chat::Dialect::openai_chat),
            "content-type=text/plain;x-ratelimit-limit-requests=18446744073709551615;"
            "x-ratelimit-remaining-requests=18446744073709551614;x-ratelimit-reset-requests=1.5s;"
            "x-ratelimit-limit-tokens=1000;x-ratelimit-remaining-tokens=0;x-ratelimit-reset-tokens=1m1s;");
  EXPECT_EQ(written(chat::Dialect::anthropic),
            "content-type=text/plain;anthropic-ratelimit-requests-limit=18446744073709551615;"
            "anthropic-ratelimit-requests-remaining=18446744073709551614;"
            "anthropic-ratelimit-requests-reset=2027-01-15T08:00:02Z;anthropic-ratelimit-tokens-limit=1000;"
            "anthropic-ratelimit-tokens-remaining=0;anthropic-ratelimit-tokens-reset=2027-01-15T08:01:02Z;");
  EXPECT_EQ(written(chat::Dialect::gemini), "content-type=text/plain;");
}

}  // namespace
}  // namespace llmgw::gateway
