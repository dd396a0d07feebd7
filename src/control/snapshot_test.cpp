#include "control/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "control/test_support.h"

namespace llmgw::control {
namespace {

using testing::ElementsAre;

std::vector<uint32_t> ids(const std::optional<routing::Group>& group) {
  std::vector<uint32_t> result;
  if (group) {
    for (const auto& target : group->targets) result.push_back(target.id);
  }
  return result;
}

std::shared_ptr<const Snapshot> snapshot_of(std::string_view text, const TestWorld& world = {}) {
  const auto config = world.load(text);
  EXPECT_TRUE(config) << format_errors(config.error(), "test.toml");
  if (!config) return nullptr;
  auto snapshot = build_snapshot(*config, {.version = 7, .hash_key = {1, 2}, .created_default = 1000});
  EXPECT_TRUE(snapshot);
  return snapshot ? *snapshot : nullptr;
}

constexpr std::string_view kGroups = R"(
[server]
listen = ["127.0.0.1:8080", "unix:/run/gw.sock"]
admin_listen = "[::1]:9090"
trusted_proxies = ["10.0.0.0/8"]
[upstream]
connect_timeout = "3s"
proxy = "http://user:p%40ss@proxy:3128"
[upstream.tls]
ca_file = "ca.pem"
[[connections]]
name = "second"
provider = "vllm"
endpoint = "http://10.0.0.2:8000/v1"
priority = 2
[[connections]]
name = "first"
provider = "openai"
api_key = "sk-1"
connect_timeout = "250ms"
http2 = "off"
proxy = "none"
owned_by = "us"
tls = { verify = false }
[[models]]
name = "gpt-4o"
connection = "second"
remote = "served"
[[models]]
name = "gpt-4o"
connection = "first"
created = 5
[[models]]
name = "gpt-*"
connection = "first"
[[models]]
name = "gpt-4*"
connection = "second"
[[models]]
name = "*-mini"
connection = "second"
[[keys]]
name = "all"
key = "key-for-all"
[[keys]]
name = "some"
key = "key-for-some"
models = ["gpt-4o", "o*-mini"]
tps = 2.5
)";

TestWorld world_with_ca() {
  return {.variables = {}, .files = {{"/etc/llmgw/ca.pem", "PEM"}}};
}

TEST(Snapshot, ResolvesByPriorityThenOrder) {
  const auto snapshot = snapshot_of(kGroups, world_with_ca());
  EXPECT_EQ(snapshot->version, 7u);
  EXPECT_THAT(ids(snapshot->resolve("gpt-4o")), ElementsAre(1, 0));
  EXPECT_THAT(ids(snapshot->resolve("gpt-4.1")), ElementsAre(3));
  EXPECT_THAT(ids(snapshot->resolve("gpt-3.5")), ElementsAre(2));
  EXPECT_THAT(ids(snapshot->resolve("o1-mini")), ElementsAre(4));
  EXPECT_FALSE(snapshot->resolve("claude"));
  EXPECT_FALSE(snapshot->resolve(""));
  EXPECT_THAT(ids(snapshot->resolve("gpt-3.5", "us")), ElementsAre(2));
  EXPECT_FALSE(snapshot->resolve("gpt-3.5", "vllm"));
  EXPECT_EQ(snapshot->models[0].upstream_name("gpt-4o"), "served");
  EXPECT_EQ(snapshot->models[2].upstream_name("gpt-3.5"), "gpt-3.5");
  EXPECT_EQ(snapshot->models[0].owned_by, "vllm");
  EXPECT_EQ(snapshot->models[1].owned_by, "us");
  EXPECT_EQ(snapshot->models[0].created, 1000);
  EXPECT_EQ(snapshot->models[1].created, 5);
}

TEST(Snapshot, ConnectionsInheritFromUpstream) {
  const auto snapshot = snapshot_of(kGroups, world_with_ca());
  const auto& second = snapshot->connections[0];
  const auto& first = snapshot->connections[1];
  EXPECT_EQ(second.timeouts.connect, std::chrono::seconds(3));
  EXPECT_EQ(first.timeouts.connect, std::chrono::milliseconds(250));
  EXPECT_EQ(first.timeouts.first_byte, std::chrono::minutes(5));
  EXPECT_EQ(second.pool.http2, Http2Mode::automatic);
  EXPECT_EQ(first.pool.http2, Http2Mode::off);
  EXPECT_EQ(second.pool.proxy.kind, ProxyChoice::Kind::fixed);
  EXPECT_EQ(second.pool.proxy.user.reveal(), "user:p@ss");
  EXPECT_EQ(second.pool.proxy.endpoint.port, 3128);
  EXPECT_EQ(first.pool.proxy.kind, ProxyChoice::Kind::none);
  EXPECT_TRUE(second.tls.verify);
  EXPECT_FALSE(first.tls.verify);
  EXPECT_EQ(first.tls.ca_file, "/etc/llmgw/ca.pem");
  EXPECT_EQ(second.upstream.endpoint.authority, "10.0.0.2:8000");
}

TEST(Snapshot, AddressesAreParsed) {
  const auto snapshot = snapshot_of(kGroups, world_with_ca());
  EXPECT_THAT(snapshot->listen,
              ElementsAre(ListenAddress{"127.0.0.1", 8080, ""}, ListenAddress{"", 0, "/run/gw.sock"}));
  EXPECT_EQ(snapshot->admin_listen, (ListenAddress{"::1", 9090, ""}));
  ASSERT_EQ(snapshot->trusted_proxies.size(), 1u);
  std::array<uint8_t, 16> inside{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3};
  EXPECT_TRUE(snapshot->trusted_proxies[0].contains(inside));
  inside[12] = 11;
  EXPECT_FALSE(snapshot->trusted_proxies[0].contains(inside));
}

TEST(Snapshot, AuthenticatesByKey) {
  const auto snapshot = snapshot_of(kGroups, world_with_ca());
  const auto* all = snapshot->authenticate("key-for-all");
  const auto* some = snapshot->authenticate("key-for-some");
  ASSERT_TRUE(all && some);
  EXPECT_EQ(all->name, "all");
  EXPECT_EQ(snapshot->index_of(*some), 1u);
  EXPECT_EQ(snapshot->scopes[some->scopes[0]].limits().requests_per_second, 2.5);
  EXPECT_TRUE(all->models.allows("anything"));
  EXPECT_TRUE(some->models.allows("gpt-4o"));
  EXPECT_TRUE(some->models.allows("o1-mini"));
  EXPECT_FALSE(some->models.allows("gpt-4"));
  EXPECT_EQ(snapshot->authenticate(""), nullptr);
  EXPECT_EQ(snapshot->authenticate("key-for-al"), nullptr);
  EXPECT_EQ(snapshot->authenticate("key-for-all "), nullptr);
}

TEST(Snapshot, AnonymousWithoutKeysServesEverybody) {
  const auto snapshot = snapshot_of("[server]\nallow_anonymous = true\n");
  ASSERT_NE(snapshot->authenticate(""), nullptr);
  EXPECT_EQ(snapshot->authenticate("whatever")->name, "anonymous");
}

TEST(Snapshot, AnonymousWithKeysStillRefusesWrongKeys) {
  const auto snapshot =
      snapshot_of("[server]\nallow_anonymous = true\n[[keys]]\nname = \"k\"\nkey = \"12345678\"\nmodels = [\"a\"]\n");
  EXPECT_EQ(snapshot->authenticate("")->name, "anonymous");
  EXPECT_EQ(snapshot->authenticate("12345678")->name, "k");
  EXPECT_EQ(snapshot->authenticate("whatever"), nullptr);
}

TEST(Snapshot, TwoThousandModels) {
  std::string text(kSmallConfig);
  for (int i = 0; i < 2000; ++i) {
    const auto number = std::to_string(i);
    text +=
        "[[models]]\nname = \"model-" + number + "\"\nconnection = \"openai-main\"\nremote = \"r-" + number + "\"\n";
  }
  const auto snapshot = snapshot_of(text);
  ASSERT_EQ(snapshot->models.size(), 2001u);
  for (const int i : {0, 999, 1999}) {
    const auto found = ids(snapshot->resolve("model-" + std::to_string(i)));
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(snapshot->models[found[0]].remote, "r-" + std::to_string(i));
  }
}

}  // namespace
}  // namespace llmgw::control
