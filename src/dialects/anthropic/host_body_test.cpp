#include "dialects/anthropic/host_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "dialects/anthropic/error.h"

namespace llmgw::dialects::anthropic {
namespace {

using testing::ElementsAre;

constexpr std::string_view kBody =
    R"({"model":"claude", "max_tokens":1.0,"messages":[ ],"stream":true,"anthropic_beta":["a","b"]})";

struct World {
  json::Parser parser;
  base::Arena arena;
  ReadContext context{.parser = parser, .arena = arena};
};

std::string to_host(Host host, std::string_view body, std::span<const std::string_view> betas) {
  World world;
  std::string out;
  EXPECT_TRUE(write_host_body(body, host, betas, world.context, out));
  return out;
}

TEST(AnthropicHostBody, Envelopes) {
  const std::string_view betas[] = {"b", "c"};
  EXPECT_EQ(to_host(Host::vertex, kBody, betas),
            R"({"anthropic_version":"vertex-2023-10-16","max_tokens":1.0,"messages":[ ],"stream":true})");
  EXPECT_EQ(to_host(Host::bedrock, kBody, betas), R"({"anthropic_version":"bedrock-2023-05-31","max_tokens":1.0,)"
                                                  R"("messages":[ ],"anthropic_beta":["b","c","a"]})");
  EXPECT_EQ(to_host(Host::bedrock, R"({"a":1})", {}), R"({"anthropic_version":"bedrock-2023-05-31","a":1})");
  World world;
  std::string out;
  EXPECT_FALSE(write_host_body("[]", Host::vertex, {}, world.context, out));
}

// Only Anthropic itself keeps conversations: elsewhere the model would answer to the last message alone.
TEST(AnthropicHostBody, NoThreads) {
  for (const std::string_view thread :
       {R"({"type":"create"})", R"({"type":"continue","previous_message_id":"msg_1"})"}) {
    World world;
    std::string out;
    const std::string body = R"({"messages":[],"thread":)" + std::string(thread) + "}";
    const auto written = write_host_body(body, Host::bedrock, {}, world.context, out);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, kThreadUnsupported);
    EXPECT_TRUE(out.empty());
  }
  EXPECT_EQ(to_host(Host::vertex, R"({"thread":null})", {}),
            R"({"anthropic_version":"vertex-2023-10-16","thread":null})");
}

TEST(AnthropicHostBody, AndBack) {
  World world;
  std::string out;
  chat::List<std::string_view> betas;
  const std::string_view body = R"({"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["x"],"max_tokens":1})";
  ASSERT_TRUE(write_plain_body(body, "claude", true, world.context, out, betas));
  EXPECT_EQ(out, R"({"model":"claude","max_tokens":1,"stream":true})");
  out.clear();
  ASSERT_TRUE(write_plain_body(R"({"stream":false,"model":"x"})", "claude", false, world.context, out, betas));
  EXPECT_EQ(out, R"({"model":"claude","stream":false})");
  EXPECT_THAT(std::vector<std::string_view>(betas.begin(), betas.end()), ElementsAre("x"));
}

}  // namespace
}  // namespace llmgw::dialects::anthropic
