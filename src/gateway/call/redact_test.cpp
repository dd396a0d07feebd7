#include "gateway/call/redact.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace llmgw::gateway {
namespace {

// A credential with all that is escaped somewhere, behind a private name.
providers::Upstream upstream_with(const char* key) {
  auto upstream = providers::prepare_upstream({.provider = "openai-compatible",
                                               .endpoint = "http://vllm-3.corp.internal:8000/v1",
                                               .api_key = base::Secret(key)});
  EXPECT_TRUE(upstream);
  return std::move(*upstream);
}

struct Case {
  std::string_view said;
  std::string_view shown;
};

// The key is "sk-of/the+operator=".
const Case kCases[] = {
    {"Incorrect API key provided: sk-of/the+operator=. (sk-of/the+operator=)",
     "Incorrect API key provided: [redacted]. ([redacted])"},
    {R"({"message":"Bearer sk-of/the+operator="})", R"({"message":"Bearer [redacted]"})"},
    {"GET /v1/models?key=sk-of%2Fthe%2Boperator%3D&x=1", "GET /v1/models?key=[redacted]&x=1"},
    {"GET /v1/models?key=sk%2dof%2fthe%2boperator%3d", "GET /v1/models?key=[redacted]"},
    {R"({"message":"key sk-of\/the\u002Boperator\u003d is wrong"})", R"({"message":"key [redacted] is wrong"})"},
    {"<p>key sk-of&#x2F;the&#43;operator= is wrong</p>", "<p>key [redacted] is wrong</p>"},
    {"<p>key sk-of&sol;the&plus;operator&equals;, sk-of&#0047;the&#x002B;operator&#61;</p>",
     "<p>key [redacted], [redacted]</p>"},
    {R"({"page":"<p>key sk-of\u0026#x2F;the\u0026#43;operator\u003d</p>"})", R"({"page":"<p>key [redacted]</p>"})"},
    {"<p>sk-of&amp;#x2F;the&amp;amp;#43;operator=, sk-of%252Fthe%25252Boperator=</p>", "<p>[redacted], [redacted]</p>"},
    {R"("{\"m\":\"sk-of\\\/the\\u002Boperator=\"}")", R"("{\"m\":\"[redacted]\"}")"},
    // Alone, and behind one, two, three and five bytes: "u:", "me:", "user:".
    {"base64 c2stb2YvdGhlK29wZXJhdG9yPQ==, no", "base64 [redacted], no"},
    {"Basic dTpzay1vZi90aGUrb3BlcmF0b3I9", "Basic [redacted]"},
    {"Basic bWU6c2stb2YvdGhlK29wZXJhdG9yPQ==", "Basic [redacted]"},
    {"Basic dXNlcjpzay1vZi90aGUrb3BlcmF0b3I9", "Basic [redacted]"},
    {R"({"got":"Basic bWU6c2stb2YvdGhlK29wZXJhdG9yPQ"})", R"({"got":"Basic [redacted]"})"},
    {"no route to vllm-3.corp.internal:8000 (VLLM-3.corp.internal)", "no route to [redacted] ([redacted])"},
    {"connect to 10.2.33.4:8000 failed; 192.168.0.7, 127.0.0.1.",
     "connect to [redacted] failed; [redacted], [redacted]."},
    {"dial tcp [fd00:12::7]:8000: refused by ::1", "dial tcp [[redacted]]:8000: refused by [redacted]"},
};

TEST(Redact, TakesCredentialsAndInnerAddressesOutOfWhatAProviderSays) {
  base::Arena arena;
  const providers::Upstream upstream = upstream_with("sk-of/the+operator=");
  const Secrets secrets = secrets_of(upstream, {}, arena);
  for (const Case& each : kCases) {
    EXPECT_EQ(redact(each.said, secrets, arena), each.shown);
    EXPECT_TRUE(shows_any(each.said, secrets)) << each.said;
  }
}

TEST(Redact, ACredentialMayHaveWhatEscapesBeginWith) {
  base::Arena arena;
  const providers::Upstream upstream = upstream_with("p&amp;%25w\\\\d-1");
  const Secrets secrets = secrets_of(upstream, {}, arena);
  for (const std::string_view text :
       {"p&amp;%25w\\\\d-1", "p&amp;amp;%25w\\\\d-1", "p%26amp;%2525w%5C%5Cd-1", R"(p\u0026amp;%25w\\\\d-1)"}) {
    EXPECT_EQ(redact(text, secrets, arena), "[redacted]") << text;
  }
}

TEST(Redact, LeavesEverythingElse) {
  base::Arena arena;
  const providers::Upstream upstream = upstream_with("sk-of/the+operator=");
  const Secrets secrets = secrets_of(upstream, {}, arena);
  for (const std::string_view text :
       {"nothing to see", "", "sk-of/the+operato", "my-vllm-3.corp.internal", "api.vllm-3.corp.internal",
        "your address is 8.8.8.8", "version 0.11.2.1 of 10.2", "at 10:20:30, std::abs(a::b) beef::", "%2", "\\u00",
        "&#", "10.2.33.4x", R"({"request_id":"10.0"})"}) {
    EXPECT_EQ(redact(text, secrets, arena).data(), text.data()) << text;
    EXPECT_FALSE(shows_any(text, secrets)) << text;
  }
}

TEST(Redact, HostsStayWhereTheWordsAreTheModels) {
  base::Arena arena;
  const providers::Upstream upstream = upstream_with("sk-of/the+operator=");
  EXPECT_EQ(redact("sk-of/the+operator= at vllm-3.corp.internal, 10.0.0.1", secrets_of(upstream, {}, arena), arena,
                   Redaction::credentials),
            "[redacted] at vllm-3.corp.internal, 10.0.0.1");
}

TEST(Redact, KnowsTokensAndPasswords) {
  base::Arena arena;
  providers::Upstream upstream = upstream_with("");
  upstream.set_headers.push_back({"authorization", base::Secret("Basic dXNlcjpwYXNzd29yZC0x")});
  const Secrets secrets = secrets_of(upstream, "Bearer ya29.of-the-operator", arena);
  EXPECT_EQ(redact("ya29.of-the-operator, dXNlcjpwYXNzd29yZC0x, password-1", secrets, arena),
            "[redacted], [redacted], [redacted]");
}

}  // namespace
}  // namespace llmgw::gateway
