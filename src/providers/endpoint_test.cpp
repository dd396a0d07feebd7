#include "providers/endpoint.h"

#include <gtest/gtest.h>

namespace llmgw::providers {
namespace {

TEST(Endpoint, Accepted) {
  struct Case {
    const char* text;
    Endpoint expected;
  };
  const Case cases[] = {
      {"https://API.example.com", {true, "api.example.com", 443, "", "", "api.example.com"}},
      {"https://api.example.com:443/", {true, "api.example.com", 443, "", "", "api.example.com"}},
      {"http://localhost:8000/v1//", {false, "localhost", 8000, "/v1", "", "localhost:8000"}},
      {"http://[::1]:9/a/b", {false, "::1", 9, "/a/b", "", "[::1]:9"}},
      {"https://[2001:db8::1]", {true, "2001:db8::1", 443, "", "", "[2001:db8::1]"}},
      {"unix:/run/x.sock", {false, "localhost", 0, "", "/run/x.sock", "localhost"}},
      {"unix:/run/x.sock:/v1/", {false, "localhost", 0, "/v1", "/run/x.sock", "localhost"}},
  };
  for (const auto& each : cases) {
    const auto endpoint = parse_endpoint(each.text);
    ASSERT_TRUE(endpoint) << each.text << ": " << endpoint.error();
    EXPECT_EQ(*endpoint, each.expected) << each.text;
  }
}

TEST(Endpoint, Refused) {
  struct Case {
    std::string text;
    const char* message;
  };
  const Case cases[] = {
      {"", "the endpoint must start with \"https://\", \"http://\" or \"unix:/\""},
      {"api.example.com", "the endpoint must start with \"https://\", \"http://\" or \"unix:/\""},
      {"https://", "the endpoint has no host; write it as \"https://host/path\""},
      {"https://:80", "the endpoint has no host; write it as \"https://host/path\""},
      {"https://me:canary@h",
       "the endpoint has credentials before '@'; remove them and use api_key, access_token or headers"},
      {"https://h:0", "the endpoint's port must be between 1 and 65535"},
      {"https://h:65536", "the endpoint's port must be between 1 and 65535"},
      {"https://h:", "the endpoint's port must be between 1 and 65535"},
      {"https://h o", "the endpoint's host has a character that no host name has"},
      {"https://[::1", "the endpoint's IPv6 address lacks its ']'"},
      {"https://[host]", "what stands between '[' and ']' in the endpoint is not an IPv6 address"},
      {"https://[::1]x", "after ']' only ':port' may follow in the endpoint"},
      {"https://h/v1?key=canary",
       "the endpoint has a query; write only scheme, host and path (api_version is a key of its own)"},
      {"https://h?x", "the endpoint has a query; write only scheme, host and path (api_version is a key of its own)"},
      {"https://h/#x", "the endpoint has a fragment; remove '#' and what follows"},
      {"https://h/a b", "the endpoint's path has a character that is not allowed in a URL; percent-encode it"},
      {"https://h/a%2", "the endpoint's path has a character that is not allowed in a URL; percent-encode it"},
      {"https://h/a/../b", "the endpoint's path has '.' or '..' segments; write the plain path"},
      {"https://h/v1/chat/completions/",
       "the endpoint ends in \"/chat/completions\", which the gateway adds itself; write only what stands before it"},
      {"https://h/v1/messages",
       "the endpoint ends in \"/messages\", which the gateway adds itself; write only what stands before it"},
      {"unix:/x:/v1/responses",
       "the endpoint ends in \"/responses\", which the gateway adds itself; write only what stands before it"},
      {"https://h/v1beta/models/g:generateContent",
       "the endpoint ends in \":generateContent\", which the gateway adds itself; write only what stands before "
       "\"/models\""},
      {"unix:run/x", "the unix socket needs an absolute path of at most 107 bytes, such as \"unix:/run/engine.sock\""},
      {"unix:/" + std::string(107, 'x'),
       "the unix socket needs an absolute path of at most 107 bytes, such as \"unix:/run/engine.sock\""},
      {"unix:/x:v1", "the base path after a unix socket starts with '/', as in \"unix:/run/engine.sock:/v1\""},
      {"https://" + std::string(2048, 'h'), "the endpoint is longer than 2048 bytes"},
  };
  for (const auto& each : cases) {
    const auto endpoint = parse_endpoint(each.text);
    ASSERT_FALSE(endpoint) << each.text;
    EXPECT_EQ(endpoint.error(), each.message) << each.text;
  }
}

}  // namespace
}  // namespace llmgw::providers
