#include "gateway/engines/explain.h"

#include <gtest/gtest.h>

#include "control/config_loader.h"
#include "control/test_support.h"
#include "gateway/instance_identity.h"
#include "routing/health/health.h"

namespace llmgw::gateway {
namespace {

constexpr std::string_view kConfig = R"(
[server]
listen = "127.0.0.1:0"
[[connections]]
name = "a"
provider = "openai-compatible"
endpoint = "http://10.0.1.1:80/v1"
owned_by = "ann"
api_key = "any"
max_in_flight = 1
[[connections]]
name = "b"
provider = "openai-compatible"
endpoint = "http://10.0.1.2:80/v1"
owned_by = "bob"
api_key = "any"
priority = 2
[[models]]
name = "chat"
connection = "a"
[[models]]
name = "chat"
connection = "b"
[[keys]]
name = "limited"
key = "key-of-the-limited-one"
models = ["other"]
[[routes]]
models = ["chat"]
queue = "fifo"
queue_max = 1
ramp_time = "60s"
out_time = "1s"
)";

class ExplainTest : public testing::Test {
 protected:
  void SetUp() override { build(kConfig); }
  void build(std::string_view text) {
    const auto config = control::load_config(text, control::TestWorld().environment());
    ASSERT_TRUE(config) << control::format_errors(config.error(), "explain.toml");
    auto built = control::build_snapshot(*config, {.version = 1, .hash_key = {}, .created_default = 0});
    ASSERT_TRUE(built);
    snapshot_ = *built;
    instances_.clear();
    // They are kept as long as somebody has them.
    for (const control::Connection& connection : snapshot_->connections) {
      instances_.push_back(routing_.instances.acquire(instance_identity(connection)));
    }
  }

  std::string explain(const ExplainAsk& ask) {
    const auto text = explain_route(*snapshot_, routing_, ask, now_);
    return text ? *text : text.error();
  }

  std::shared_ptr<const control::Snapshot> snapshot_;
  RoutingState routing_;
  std::vector<routing::InstanceHandle> instances_;
  base::Instant now_ = base::Instant{} + std::chrono::hours(1);
};

TEST_F(ExplainTest, AnotherOwnerIsToldWhoThereIs) {
  EXPECT_EQ(explain({.model = "chat", .key = {}, .owned_by = "nob", .policy = {}}),
            "the model 'chat' is not offered by 'nob'; owned_by is 'ann' or 'bob' here");
  EXPECT_NE(explain({.model = "chta", .key = {}, .owned_by = "nob", .policy = {}}).find("did you mean 'chat'?"),
            std::string::npos);
}

TEST_F(ExplainTest, AModelThatTheKeyMayNotUseIsNotMisspelt) {
  EXPECT_EQ(explain({.model = "chat", .key = "limited", .owned_by = {}, .policy = {}}),
            "the key 'limited' may not use the model 'chat'");
  EXPECT_EQ(explain({.model = "chta", .key = "limited", .owned_by = {}, .policy = {}}),
            "no connection serves the model 'chta' for the key 'limited'; did you mean 'chat'?");
}

TEST_F(ExplainTest, APriceThatNobodyKnowsIsNoNumber) {
  const std::string text = explain({.model = "chat", .key = {}, .owned_by = {}, .policy = "cost"});
  EXPECT_NE(text.find("unpriced"), std::string::npos) << text;
  EXPECT_EQ(text.find("e+38"), std::string::npos) << text;
}

TEST_F(ExplainTest, AFullInstanceIsNotSaidToBeTaken) {
  const ExplainAsk ask{.model = "chat", .key = {}, .owned_by = "ann", .policy = {}};
  EXPECT_NE(explain(ask).find("<- taken"), std::string::npos) << explain(ask);
  routing_.instances.state(instances_[0].slot()).requests_in_flight = 1;
  EXPECT_NE(explain(ask).find("<- waits here"), std::string::npos) << explain(ask);
  routing_.instances.gate(instances_[0].slot()).waiting_requests = 1;
  EXPECT_NE(explain(ask).find("<- its line is full: refused"), std::string::npos) << explain(ask);
}

TEST_F(ExplainTest, JsonSaysTheSame) {
  const std::string text = explain({.model = "chat", .key = {}, .owned_by = {}, .policy = "cost", .json = true});
  EXPECT_TRUE(text.starts_with(R"({"model":"chat","policy":"cost","prompt_tokens":1000,"chosen":"a",)")) << text;
  EXPECT_NE(text.find(R"({"instance":"a","state":"fit","priority":1,"at_work":0,"limit":1,"waiting":0,"tokens":0,)"
                      R"("queue_seconds":0,"cost":null,"verdict":"taken"})"),
            std::string::npos)
      << text;
}

// Of two that cost the same, what their queues are; and no cost where none was compared.
TEST_F(ExplainTest, WhatATieIsDecidedByIsShown) {
  const std::string two = std::string(kConfig).replace(kConfig.find("priority = 2"), 12, "priority = 1");
  build(two);
  routing_.instances.state(instances_[0].slot()).waiting = 3;
  const std::string text = explain({.model = "chat", .key = {}, .owned_by = {}, .policy = "least-requests"});
  EXPECT_NE(text.find("a                        fit              1         0       1        0          0    0.384"
                      "            0\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("b                        fit              1         0       -        0          0        0"
                      "            0  <- taken\n"),
            std::string::npos)
      << text;
  const std::string turn = explain({.model = "chat", .key = {}, .owned_by = {}, .policy = "round-robin", .json = true});
  EXPECT_NE(turn.find(R"("queue_seconds":0.384)"), std::string::npos) << turn;
  EXPECT_EQ(turn.find(R"("cost":0)"), std::string::npos) << turn;
}

TEST_F(ExplainTest, OneOnItsWayBackIsNotOut) {
  const control::Route& route = snapshot_->routes[snapshot_->models[0].route];
  auto& health = routing_.instances.state(instances_[0].slot()).health;
  routing::note_failure(health, now_, route.settings.health);
  const routing::Candidate candidate{.slot = instances_[0].slot()};
  const routing::Score score{.fitness = routing::Fitness::out};
  const auto word = [&] { return fitness_word(score, candidate, routing_.instances, route.settings.health, now_); };
  EXPECT_EQ(word(), "out");
  now_ += std::chrono::seconds(2);
  ASSERT_TRUE(routing::begin_probe(health, now_));
  routing::note_success(health, now_, route.settings.health);
  EXPECT_EQ(word(), "ramp");
}

}  // namespace
}  // namespace llmgw::gateway
