#include "gateway/entrance/auth_key.h"

#include <gtest/gtest.h>

#include <utility>

namespace llmgw::gateway {
namespace {

struct Case {
  const char* name;
  KeySources sources;
  std::string_view key;                      // what is found, or empty
  KeyProblem problem = KeyProblem::missing;  // why not
};

TEST(FindKey, EveryPlaceAndEveryRule) {
  const std::string at_the_limit(kKeyBytesMax, 'k');
  const std::string too_long(kKeyBytesMax + 1, 'k');
  const Case cases[] = {
      {"bearer", {.authorization = "Bearer sk-1"}, "sk-1"},
      {"bearer, any case, more spaces", {.authorization = " bEARER  \t sk-1 "}, "sk-1"},
      {"x-api-key", {.x_api_key = "sk-1"}, "sk-1"},
      {"api-key", {.api_key = " sk-1 "}, "sk-1"},
      {"x-goog-api-key", {.x_goog_api_key = "sk-1"}, "sk-1"},
      {"query", {.query = "alt=sse&key=sk-1"}, "sk-1"},
      {"escaped query", {.query = "k%65y=sk%2D1%2b"}, "sk-1+"},
      {"the same everywhere",
       {.authorization = "Bearer sk-1",
        .x_api_key = "sk-1",
        .api_key = "sk-1",
        .x_goog_api_key = "sk-1",
        .query = "key=sk-1&key=sk%2D1"},
       "sk-1"},
      {"empty values count for nothing",
       {.authorization = "Bearer sk-1", .x_api_key = "", .query = "key=&key"},
       "sk-1"},
      {"other scheme beside a key", {.authorization = "Basic dTpw", .x_api_key = "sk-1"}, "sk-1"},
      {"longest", {.api_key = at_the_limit}, at_the_limit},
      {"similar parameters", {.query = "keys=a&monkey=b&key2=c&Key=d"}, "", KeyProblem::missing},
      {"nothing", {}, "", KeyProblem::missing},
      {"bearer without a key", {.authorization = "Bearer "}, "", KeyProblem::malformed},
      {"only another scheme", {.authorization = "Basic dTpw"}, "", KeyProblem::malformed},
      {"no scheme", {.authorization = "sk-1"}, "", KeyProblem::malformed},
      {"different headers", {.authorization = "Bearer sk-1", .x_api_key = "sk-2"}, "", KeyProblem::ambiguous},
      {"header and query differ", {.x_goog_api_key = "sk-1", .query = "key=sk-2"}, "", KeyProblem::ambiguous},
      {"two in the query", {.query = "key=sk-1&key=sk-2"}, "", KeyProblem::ambiguous},
      {"differ in case", {.x_api_key = "SK-1", .api_key = "sk-1"}, "", KeyProblem::ambiguous},
      {"inner space", {.authorization = "Bearer sk 1"}, "", KeyProblem::malformed},
      {"control byte", {.query = "key=sk%0A1"}, "", KeyProblem::malformed},
      {"not ASCII", {.x_api_key = "sk-\xC3\xBC"}, "", KeyProblem::malformed},
      {"broken escape", {.query = "key=sk%2"}, "", KeyProblem::malformed},
      {"too long", {.api_key = too_long}, "", KeyProblem::malformed},
  };
  for (const auto& c : cases) {
    base::Arena arena;
    const auto result = find_key(c.sources, arena);
    if (!c.key.empty()) {
      ASSERT_TRUE(result) << c.name << ": " << result.error().message;
      EXPECT_EQ(*result, c.key) << c.name;
    } else {
      ASSERT_FALSE(result) << c.name;
      EXPECT_EQ(result.error().problem, c.problem) << c.name;
    }
  }
}

TEST(FindKey, MessagesHoldNoKey) {
  base::Arena arena;
  const auto result = find_key({.authorization = "Bearer canary-1", .x_api_key = "canary-2"}, arena);
  ASSERT_FALSE(result);
  EXPECT_EQ(std::string_view(result.error().message).find("canary"), std::string_view::npos);
}

TEST(StripKey, RemovesOnlyTheKey) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", ""},
      {"key=a", ""},
      {"key", ""},
      {"key=a&alt=sse", "alt=sse"},
      {"alt=sse&key=a", "alt=sse"},
      {"a=1&key=x&b=%20&k%65y=y&&c", "a=1&b=%20&&c"},
      {"%6B%65%79=x&d=1", "d=1"},
      {"keys=1&Key=2&monkey=3&key2=4", "keys=1&Key=2&monkey=3&key2=4"},
      {"$alt=json;enum-encoding=int&key=a", "$alt=json;enum-encoding=int"},
      {"key=a=b&x=%zz", "x=%zz"},
  };
  for (const auto& [query, rest] : cases) {
    EXPECT_EQ(strip_key_from_query(query), rest) << query;
    EXPECT_FALSE(query_has_key(rest)) << query;
  }
  EXPECT_TRUE(query_has_key("a=1&key=x"));
}

}  // namespace
}  // namespace llmgw::gateway

namespace llmgw::gateway {
namespace {

TEST(AuthKey, AmongWebSocketProtocols) {
  base::Arena arena;
  constexpr std::string_view kProtocols = "realtime, openai-insecure-api-key.sk-1, openai-beta.realtime-v1";
  EXPECT_EQ(websocket_protocol_key(kProtocols), "sk-1");
  EXPECT_EQ(strip_key_from_protocols(kProtocols, arena), "realtime, openai-beta.realtime-v1");
  EXPECT_EQ(strip_key_from_protocols("openai-insecure-api-key.sk-1", arena), "");
  EXPECT_EQ(websocket_protocol_key("realtime"), "");
  EXPECT_EQ(strip_key_from_protocols("realtime", arena), "realtime");
}

}  // namespace
}  // namespace llmgw::gateway
