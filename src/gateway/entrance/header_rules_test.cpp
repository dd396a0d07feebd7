#include "gateway/entrance/header_rules.h"

#include <gtest/gtest.h>

namespace llmgw::gateway {
namespace {

using http::Headers;

std::string text_of(const Headers& headers) {
  std::string text;
  for (const http::Header& header : headers) text.append(header.name).append("=").append(header.value).append(";");
  return text;
}

std::string sent(const Headers& from, bool websocket = false) {
  providers::Upstream upstream;
  upstream.set_headers.push_back({"authorization", base::Secret("Bearer upstream")});
  upstream.set_headers.push_back({"x-team", base::Secret("ours")});
  upstream.default_headers.push_back({"anthropic-version", base::Secret("2023-06-01")});
  base::Arena arena;
  Headers to;
  EXPECT_TRUE(upstream_request_headers(from, upstream, "id-1", websocket, arena, to));
  return text_of(to);
}

constexpr std::string_view kOwn =
    "authorization=Bearer upstream;x-team=ours;anthropic-version=2023-06-01;x-request-id=id-1;";

TEST(HeaderRules, TheClientsCredentialsStayHere) {
  Headers from;
  for (const std::string_view name :
       {"authorization", "Authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization", "cookie"}) {
    from.append(name, "client secret");
  }
  EXPECT_EQ(sent(from), kOwn);
}

TEST(HeaderRules, ConfiguredOnesReplaceAndDefaultsFillIn) {
  Headers from;
  from.append("X-Team", "theirs");
  from.append("Anthropic-Version", "2024-01-01");
  from.append("content-type", "application/json");
  from.append("x-request-id", "theirs");
  from.append("x-unknown", "passes");
  EXPECT_EQ(sent(from),
            "Anthropic-Version=2024-01-01;content-type=application/json;x-unknown=passes;"
            "authorization=Bearer upstream;x-team=ours;x-request-id=id-1;");
}

TEST(HeaderRules, AConfiguredRequestIdIsTheOnlyOne) {
  providers::Upstream upstream;
  upstream.set_headers.push_back({"x-request-id", base::Secret("configured")});
  base::Arena arena;
  Headers from;
  from.append("X-Request-ID", "theirs");
  Headers to;
  EXPECT_TRUE(upstream_request_headers(from, upstream, "id-1", false, arena, to));
  EXPECT_EQ(text_of(to), "x-request-id=configured;");
  Headers converted;
  EXPECT_TRUE(converted_request_headers(from, upstream, "id-1", false, converted));
  EXPECT_EQ(converted.count(http::HeaderId::x_request_id), 1U);
}

// RFC 9110, section 7.6.1: what Connection names belongs to the connection as well.
TEST(HeaderRules, HopByHopHeadersEndHere) {
  Headers from;
  from.append("connection", "keep-alive, X-Private");
  from.append("x-private", "1");
  from.append("te", "trailers");
  from.append("transfer-encoding", "chunked");
  from.append("content-length", "5");
  from.append("expect", "100-continue");
  from.append("upgrade", "h2c");
  from.append("x-public", "2");
  EXPECT_EQ(sent(from), "x-public=2;" + std::string(kOwn));
}

TEST(HeaderRules, TheWebSocketHandshakePassesWhereItIsOne) {
  Headers from;
  from.append("sec-websocket-key", "k");
  from.append("sec-websocket-version", "13");
  EXPECT_EQ(sent(from, true), "sec-websocket-key=k;sec-websocket-version=13;" + std::string(kOwn));
}

TEST(HeaderRules, TooManyAreRefused) {
  Headers from;
  while (from.append("x-many", "1")) {
  }
  Headers to;
  base::Arena arena;
  EXPECT_FALSE(upstream_request_headers(from, {}, "id", false, arena, to));
  Headers back;
  EXPECT_FALSE(client_response_headers(from, "id", back));
}

TEST(HeaderRules, AnswersLoseWhatIsNotForClients) {
  Headers from;
  from.append("content-type", "text/event-stream");
  from.append("connection", "x-internal, keep-alive");
  from.append("x-internal", "1");
  from.append("transfer-encoding", "chunked");
  from.append("content-length", "5");
  from.append("x-request-id", "upstream's");
  from.append("x-ratelimit-remaining-requests", "7");
  from.append("set-cookie", "session=upstream's");
  Headers to;
  EXPECT_TRUE(client_response_headers(from, "id-1", to));
  EXPECT_EQ(text_of(to),
            "content-type=text/event-stream;x-upstream-request-id=upstream's;x-ratelimit-remaining-requests=7;"
            "x-request-id=id-1;");
}

}  // namespace
}  // namespace llmgw::gateway
