#include "control/litellm/import_litellm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "control/test_support.h"

namespace llmgw::control {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kYaml = R"yaml(
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, rpm: 100}
  - model_name: gpt-4o
    litellm_params:
      model: azure/my-deployment
      api_base: https://house.openai.azure.com
      api_key: azure-secret
      api_version: "2024-10-21"
      timeout: 30
  - model_name: claude
    litellm_params: {model: claude-sonnet-4-5, api_key: os.environ/ANTHROPIC_API_KEY}
    model_info: {mode: chat}
  - model_name: local
    litellm_params: {model: hosted_vllm/llama, api_base: "http://127.0.0.1:8000/v1"}
  - model_name: second-openai
    litellm_params: {model: gpt-4o-mini, api_key: os.environ/OPENAI_API_KEY}
  - model_name: "anything/*"
    litellm_params: {model: "openai/*"}
  - model_name: odd
    litellm_params: {model: nobody/knows}
litellm_settings: {drop_params: true}
router_settings:
  routing_strategy: least-busy
  model_group_alias: {gpt-4: gpt-4o, lost: nowhere}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY, database_url: "postgresql://x"}
)yaml";

TEST(ImportLitellm, MakesAConfigurationThatLoads) {
  const auto imported = import_litellm(kYaml);
  ASSERT_TRUE(imported) << imported.error();
  const TestWorld world{.variables = {{"OPENAI_API_KEY", "sk-openai"},
                                      {"ANTHROPIC_API_KEY", "sk-anthropic"},
                                      {"LITELLM_MASTER_KEY", "sk-master-1234"}},
                        .files = {}};
  EXPECT_EQ(world.errors(imported->toml), "") << imported->toml;
  const auto config = world.load(imported->toml);
  ASSERT_TRUE(config);
  EXPECT_EQ(imported->connections, 4u) << "the two models of one OpenAI account share a connection";
  ASSERT_EQ(config->models.size(), 7u);
  EXPECT_EQ(config->models[1].deployment, "my-deployment");
  EXPECT_EQ(config->models[3].remote, "llama");
  EXPECT_EQ(config->models[4].connection, config->models[0].connection);
  EXPECT_EQ(config->models[5].name, "gpt-4") << "the alias, on both connections";
  EXPECT_EQ(config->models[6].name, "gpt-4");
  EXPECT_EQ(config->connections[1].api_version, "2024-10-21");
  EXPECT_EQ(config->connections[1].total_timeout, std::chrono::seconds(30));
  EXPECT_EQ(config->connections[3].endpoint, "http://127.0.0.1:8000/v1");
  ASSERT_EQ(config->admin_keys.size(), 1u);
  EXPECT_EQ(config->admin_keys[0].role, AdminRole::owner);
  EXPECT_EQ(config->keys[0].key.reveal(), "sk-master-1234");
}

TEST(ImportLitellm, ListsWhatItCouldNot) {
  const auto imported = import_litellm(kYaml);
  ASSERT_TRUE(imported);
  for (const auto* each :
       {"model_list[0] (gpt-4o).litellm_params.rpm: a limit here is that of the model's name",
        "model_list[2] (claude).model_info.mode", "model_list[5] (anything/*)", "no provider here for 'nobody/knows'",
        "litellm_settings.drop_params", "router_settings.model_group_alias.lost", "general_settings.database_url"}) {
    EXPECT_THAT(imported->left_out, Contains(HasSubstr(each)));
  }
  for (const auto& each : imported->left_out) {
    EXPECT_EQ(each.find("azure-secret"), std::string::npos);
    EXPECT_EQ(each.find("postgresql://"), std::string::npos);
  }
}

TEST(ImportLitellm, LimitsAreThoseOfTheName) {
  const auto imported = import_litellm(R"yaml(
model_list:
  - model_name: one
    litellm_params: {model: openai/gpt-4o, api_key: sk-a, rpm: 100, tpm: 20000}
  - model_name: two
    litellm_params: {model: openai/gpt-4o-mini, api_key: sk-a, rpm: 30}
  - model_name: two
    litellm_params: {model: openai/gpt-4o-mini, api_key: sk-b, rpm: 12, tpm: 500}
  - model_name: odd
    litellm_params: {model: openai/gpt-4o, api_key: sk-a, rpm: many}
)yaml");
  ASSERT_TRUE(imported) << imported.error();
  const TestWorld world{.variables = {}, .files = {}};
  EXPECT_EQ(world.errors(imported->toml), "") << imported->toml;
  const auto config = world.load(imported->toml);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->models[0].rpm, 100u);
  EXPECT_EQ(config->models[0].tpm, 20'000u);
  EXPECT_EQ(config->models[1].rpm, 42u) << "of both, in one entry of the name";
  EXPECT_EQ(config->models[2].rpm, 0u);
  EXPECT_EQ(config->models[1].tpm, 0u);
  EXPECT_THAT(imported->left_out, Contains(HasSubstr("model_list[2] (two).litellm_params.tpm: a limit here is")));
  EXPECT_THAT(imported->left_out, Contains(HasSubstr("model_list[3] (odd).litellm_params.rpm: expected a whole")));
}

TEST(ImportLitellm, OneBadEntryDoesNotStopTheOthers) {
  const ReadIncluded read = [](const std::string&) -> std::expected<std::string, std::string> {
    return "model_list:\n  - model_name: nothing\n";
  };
  const auto imported = import_litellm(R"yaml(model_list:
  - litellm_params: {model: openai/gpt-4o, api_key: sk-a}
  - just a text
  - model_name: good
    litellm_params: {model: openai/gpt-4o, api_key: sk-a}
  - model_name: bare
    litellm_params: gpt-4o
  -
include: [more.yaml]
)yaml",
                                       read);
  ASSERT_TRUE(imported) << imported.error();
  EXPECT_EQ(imported->models, 1u);
  for (const auto* each : {"model_list[0] (line 2): needs model_name",
                           "model_list[1] (line 3): needs model_name and litellm_params.model, and is no mapping",
                           "model_list[3] (line 6): needs litellm_params.model", "model_list[4]: needs model_name and",
                           "model_list[5] (more.yaml, line 2): needs litellm_params.model"}) {
    EXPECT_THAT(imported->left_out, Contains(StartsWith(each)));
  }
}

TEST(ImportLitellm, OfTwoTheOneCountsThatLitellmGoesBy) {
  const std::string models =
      "model_list:\n  - {model_name: m, litellm_params: {model: openai/gpt-4o, api_key: sk-a}}\n";
  const std::string router = "router_settings: {timeout: 20, num_retries: 1}\n";
  const std::string general = "litellm_settings: {request_timeout: 600, num_retries: 4}\n";
  for (const std::string& both : {router + general, general + router}) {
    const auto imported = import_litellm(models + both);
    ASSERT_TRUE(imported) << imported.error();
    EXPECT_THAT(imported->toml, HasSubstr("total_timeout = \"20000ms\""));
    EXPECT_THAT(imported->toml, HasSubstr("attempts = 2\n"));
    EXPECT_THAT(imported->left_out,
                testing::UnorderedElementsAre(
                    "litellm_settings.request_timeout: router_settings.timeout is another, and LiteLLM goes by that",
                    "litellm_settings.num_retries: router_settings.num_retries is another, and LiteLLM goes by that"));
  }
  const auto alike =
      import_litellm(models + "router_settings: {timeout: 20}\nlitellm_settings: {request_timeout: 20}\n");
  ASSERT_TRUE(alike);
  EXPECT_TRUE(alike->left_out.empty());
}

TEST(ImportLitellm, PricesThatAreNotTakenAreListed) {
  const auto imported = import_litellm(R"yaml(
model_list:
  - model_name: m
    litellm_params: {model: openai/gpt-4o, api_key: sk-a, input_cost_per_token: 0.000001, output_cost_per_token: 0.000002}
    model_info: {input_cost_per_token: 0.000003, output_cost_per_token: 0.000002}
  - model_name: "openai/*"
    litellm_params: {model: "openai/*", api_key: sk-a, input_cost_per_token: 0.000001}
  - model_name: "*"
    litellm_params: {model: "openai/*", api_key: sk-a, input_cost_per_token: 0.000001}
    model_info: {output_cost_per_token: 0.000002}
)yaml");
  ASSERT_TRUE(imported) << imported.error();
  EXPECT_THAT(imported->toml, HasSubstr("input = \"1.00\"\noutput = \"2.00\"\n"));
  EXPECT_THAT(imported->left_out, Contains("model_list[0] (m).model_info.input_cost_per_token: litellm_params has "
                                           "another, which LiteLLM reckons with"));
  EXPECT_THAT(imported->left_out, Not(Contains(HasSubstr("(m).model_info.output_cost_per_token"))));
  EXPECT_THAT(imported->left_out, Contains("model_list[2] (*).litellm_params.input_cost_per_token"));
  EXPECT_THAT(imported->left_out, Contains("model_list[2] (*).model_info.output_cost_per_token"));
}

TEST(ImportLitellm, BedrockHasTheCredentialsThatLitellmWouldTake) {
  const auto imported = import_litellm(R"yaml(
model_list:
  - model_name: whole
    litellm_params: {model: bedrock/a, aws_access_key_id: os.environ/MY_ID, aws_secret_access_key: os.environ/MY_SECRET,
      aws_session_token: os.environ/MY_TOKEN, aws_region_name: eu-central-1}
  - model_name: bare
    litellm_params: {model: bedrock/b}
  - model_name: bearer
    litellm_params: {model: bedrock/c, api_key: os.environ/BEARER, aws_region_name: eu-west-1}
)yaml");
  ASSERT_TRUE(imported) << imported.error();
  const TestWorld world{.variables = {{"MY_ID", "AKIA"},
                                      {"MY_SECRET", "s"},
                                      {"MY_TOKEN", "t"},
                                      {"BEARER", "b"},
                                      {"AWS_ACCESS_KEY_ID", "AKIB"},
                                      {"AWS_SECRET_ACCESS_KEY", "z"}},
                        .files = {}};
  EXPECT_EQ(world.errors(imported->toml), "") << imported->toml;
  const auto config = world.load(imported->toml);
  ASSERT_TRUE(config);
  ASSERT_EQ(config->connections.size(), 3u);
  EXPECT_EQ(config->connections[0].access_key_id.reveal(), "AKIA");
  EXPECT_EQ(config->connections[0].session_token.reveal(), "t");
  EXPECT_EQ(config->connections[0].region, "eu-central-1");
  EXPECT_EQ(config->connections[1].access_key_id.reveal(), "AKIB");
  EXPECT_EQ(config->connections[1].secret_access_key.reveal(), "z");
  EXPECT_EQ(config->connections[1].region, "us-west-2");
  EXPECT_TRUE(config->connections[2].access_key_id.empty());
  EXPECT_THAT(imported->left_out, Contains(HasSubstr("model_list[1].aws_region_name: not given")));
  EXPECT_THAT(imported->left_out, Contains(HasSubstr("model_list[1]: its AWS credentials: not given")));
  for (const auto& each : imported->left_out) EXPECT_EQ(each.find("model_list[0]"), std::string::npos) << each;

  const auto by_role = import_litellm(R"yaml(
model_list:
  - model_name: m
    litellm_params: {model: bedrock/a, aws_role_name: "arn:x", aws_region_name: eu-central-1}
)yaml");
  ASSERT_TRUE(by_role);
  EXPECT_THAT(by_role->left_out, Contains(HasSubstr("add access_key_id and secret_access_key")));
}

// What LiteLLM writes before a model's name is its own: Bedrock knows no such model.
TEST(ImportLitellm, BedrockModelsAreCalledAsBedrockDoes) {
  const auto remote = [](const std::string& model, const std::string& more = "") {
    const auto imported = import_litellm("model_list: [{model_name: m, litellm_params: {model: \"" + model +
                                         "\", api_key: b" + more + "}}]");
    const auto config = TestWorld{.variables = {}, .files = {}}.load(imported->toml);
    EXPECT_TRUE(config) << imported->toml;
    return config->models[0].remote + " " + config->connections[0].region;
  };
  EXPECT_EQ(remote("bedrock/invoke/anthropic.claude-v2:1"), "anthropic.claude-v2:1 us-west-2");
  EXPECT_EQ(remote("bedrock/converse/us.amazon.nova-pro-v1:0"), "us.amazon.nova-pro-v1:0 us-west-2");
  EXPECT_EQ(remote("bedrock_converse/us.amazon.nova-pro-v1:0"), "us.amazon.nova-pro-v1:0 us-west-2");
  EXPECT_EQ(remote("bedrock/eu-west-3/anthropic.claude-v2"), "anthropic.claude-v2 eu-west-3");
  EXPECT_EQ(remote("bedrock/us-gov-west-1/invoke/a.b"), "a.b us-gov-west-1");
  EXPECT_EQ(remote("bedrock/us-east-1/1-month-commitment/a.b"), "a.b us-east-1");
  EXPECT_EQ(remote("bedrock/eu-west-3/a.b", ", aws_region_name: eu-west-1"), "a.b eu-west-1") << "what is said wins";
  EXPECT_EQ(remote("bedrock/llama/arn:aws:bedrock:us-east-1:1:imported-model/x"),
            "arn:aws:bedrock:us-east-1:1:imported-model/x us-west-2");
}

// Prices of Azure's go by the model's name: an alias has another.
TEST(ImportLitellm, AnAliasCostsWhatItStandsFor) {
  const auto imported = import_litellm(R"yaml(
model_list:
  - model_name: gpt-4o
    litellm_params: {model: azure/our-deployment, api_base: "https://a.example", api_key: x12345678,
      input_cost_per_token: 0.0000025, output_cost_per_token: 0.00001}
  - model_name: mini
    litellm_params: {model: azure/other-deployment, api_base: "https://a.example", api_key: x12345678}
router_settings: {model_group_alias: {gpt-4: gpt-4o, small: mini}}
)yaml");
  const auto config = TestWorld{.variables = {}, .files = {}}.load(imported->toml);
  ASSERT_TRUE(config) << imported->toml;
  ASSERT_EQ(config->prices.size(), 2u);
  EXPECT_EQ(config->prices[0].model, "gpt-4o");
  EXPECT_EQ(config->prices[1].model, "gpt-4");
  EXPECT_EQ(config->prices[1].input, config->prices[0].input);
  EXPECT_EQ(config->prices[1].provider, config->prices[0].provider);
  EXPECT_THAT(imported->left_out, Contains(HasSubstr("model_group_alias.small: on Azure prices go by")));
}

TEST(ImportLitellm, VertexWithoutCredentialsIsToldWhatItNeeds) {
  const auto imported = import_litellm(R"yaml(
model_list:
  - model_name: bare
    litellm_params: {model: vertex_ai/gemini-2.5-pro}
  - model_name: whole
    litellm_params: {model: vertex_ai/gemini-2.5-pro, vertex_project: p, vertex_location: europe-west4,
      vertex_credentials: /key.json}
)yaml");
  ASSERT_TRUE(imported) << imported.error();
  EXPECT_THAT(imported->left_out, Contains(HasSubstr("model_list[0].vertex_location: not given: location is")));
  EXPECT_THAT(imported->left_out, Contains(HasSubstr("model_list[0].vertex_project: not given")));
  EXPECT_THAT(imported->left_out, Contains(HasSubstr("add service_account_file to the connection")));
  for (const auto& each : imported->left_out) EXPECT_EQ(each.find("model_list[1]"), std::string::npos) << each;
}

TEST(ImportLitellm, AnAliasOfALimitedModelSaysThatLimitsCountApart) {
  const auto imported = import_litellm(R"yaml(
model_list:
  - model_name: limited
    litellm_params: {model: openai/gpt-4o, api_key: sk-a, rpm: 100}
  - model_name: open
    litellm_params: {model: openai/gpt-4o-mini, api_key: sk-a}
router_settings:
  model_group_alias: {other: limited, free: open}
)yaml");
  ASSERT_TRUE(imported) << imported.error();
  const auto config = TestWorld{.variables = {}, .files = {}}.load(imported->toml);
  ASSERT_TRUE(config);
  ASSERT_EQ(config->models.size(), 4u);
  for (const ModelConfig& model : config->models) {
    EXPECT_EQ(model.rpm, model.name == "limited" || model.name == "other" ? 100u : 0u) << model.name;
  }
  EXPECT_THAT(imported->left_out,
              Contains(HasSubstr("model_group_alias.other: limits belong to a name here: other has those of limited")));
  EXPECT_THAT(imported->left_out, testing::Not(Contains(HasSubstr("model_group_alias.free"))));
}

TEST(ImportLitellm, FallbacksRetriesAndPricesBecomeRoutesAndPrices) {
  const auto imported = import_litellm(R"yaml(
model_list:
  - model_name: big
    litellm_params: {model: openai/gpt-4o, api_key: sk-a, input_cost_per_token: 0.0000025}
    model_info: {output_cost_per_token: 1e-05, cache_read_input_token_cost: 0.00000125}
  - model_name: small
    litellm_params: {model: openai/gpt-4o-mini, api_key: sk-a}
    model_info: {input_cost_per_token: 0.0000001}
  - model_name: claude
    litellm_params: {model: claude-sonnet-4-5, api_key: sk-b, input_cost_per_token: 3e-06, output_cost_per_token: 15e-6}
litellm_settings:
  num_retries: 4
  request_timeout: 90
  fallbacks: [{big: [claude, nobody]}, {gone: [claude]}]
  context_window_fallbacks: [{big: [claude]}, {small: [big]}]
  content_policy_fallbacks: [{small: [claude]}]
router_settings:
  routing_strategy: least-busy
  model_group_alias: {huge: big}
)yaml");
  ASSERT_TRUE(imported) << imported.error();
  const TestWorld world{.variables = {}, .files = {}};
  EXPECT_EQ(world.errors(imported->toml), "") << imported->toml;
  const auto config = world.load(imported->toml);
  ASSERT_TRUE(config);
  for (const std::string text :
       {"models = [\"big\", \"huge\"]\nfallbacks = [\"claude\"]\nfallback_on = [\"error\", \"context_length\"]\n"
        "attempts = 5\npolicy = \"least-requests\"\n",
        "models = [\"small\"]\nfallbacks = [\"big\"]\nfallback_on = [\"context_length\"]\n",
        "models = [\"*\"]\nattempts = 5\n", "total_timeout = \"90000ms\"",
        "model = \"gpt-4o\"\ninput = \"2.5\"\noutput = \"10.00\"\ncache_read = \"1.25\"\n",
        "model = \"claude-sonnet-4-5\"\ninput = \"3.00\"\noutput = \"15.00\"\n"}) {
    EXPECT_THAT(imported->toml, HasSubstr(text));
  }
  EXPECT_THAT(imported->left_out,
              testing::UnorderedElementsAre(
                  "litellm_settings.fallbacks.big: there is no model nobody",
                  "litellm_settings.fallbacks.gone: there is no such model",
                  "litellm_settings.content_policy_fallbacks.small: a model has one list of fallbacks here, and there "
                  "is another",
                  "model_list[1] (small): its price: needs input_cost_per_token and output_cost_per_token"));
}

// PyYAML resolves merge keys, so LiteLLM never sees one: without them prompts and keys would go to OpenAI's own
// address.
TEST(ImportLitellm, MergeKeysAreResolved) {
  const auto imported = import_litellm(R"yaml(
x-base: &base {api_base: "https://internal.example/v1", api_key: os.environ/INTERNAL_KEY}
x-slow: &slow {timeout: 100, weight: 2}
x-both: &both
  <<: [*base, *slow]
  timeout: 50
model_list:
  - model_name: one
    litellm_params: {<<: *base, model: openai/one}
  - model_name: both
    litellm_params:
      model: openai/both
      <<: *both
      api_key: own
  - model_name: quoted
    litellm_params: {"<<": {api_base: "https://no.example"}, model: openai/quoted, api_key: first, api_key: last}
  - &last
    model_name: first-name
    litellm_params: {model: openai/a, <<: [{api_base: "https://first.example"}, {api_base: "https://second.example"}]}
  - <<: *last
    model_name: last-name
)yaml");
  ASSERT_TRUE(imported) << imported.error();
  const TestWorld world{.variables = {{"INTERNAL_KEY", "sk-internal"}}, .files = {}};
  const auto config = world.load(imported->toml);
  ASSERT_TRUE(config) << imported->toml;
  ASSERT_EQ(config->models.size(), 5u) << imported->toml;
  const auto connection_of = [&](const std::string& model) {
    const auto found = std::ranges::find(config->models, model, &ModelConfig::name);
    return *std::ranges::find(config->connections, found->connection, &ConnectionConfig::name);
  };
  EXPECT_EQ(connection_of("one").endpoint, "https://internal.example/v1");
  EXPECT_EQ(connection_of("one").api_key.reveal(), "sk-internal");
  EXPECT_EQ(connection_of("both").endpoint, "https://internal.example/v1");
  EXPECT_EQ(connection_of("both").api_key.reveal(), "own");
  EXPECT_EQ(connection_of("both").total_timeout, std::chrono::seconds(50)) << "its own counts more than what it merges";
  EXPECT_EQ(connection_of("both").weight, 2);
  EXPECT_EQ(connection_of("quoted").endpoint, "");
  EXPECT_EQ(connection_of("quoted").api_key.reveal(), "last");
  EXPECT_EQ(connection_of("first-name").endpoint, "https://first.example");
  EXPECT_EQ(connection_of("last-name").endpoint, "https://first.example");
  EXPECT_THAT(imported->left_out, Contains(HasSubstr("model_list[2] (quoted).litellm_params.<<")));
  EXPECT_THAT(import_litellm("model_list: [{<<: text}]").error(), HasSubstr("expected a mapping"));
}

TEST(ImportLitellm, AliasesThatExplodeAreRefused) {
  std::string yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    yaml += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) yaml += (j == 0 ? "" : ", ") + before;
    yaml += "]\n";
  }
  const auto imported = import_litellm(yaml);
  ASSERT_FALSE(imported);
  EXPECT_THAT(imported.error(), HasSubstr("too large"));
}

TEST(ImportLitellm, IncludedFilesAreTakenIn) {
  const std::map<std::string, std::string> files = {
      {"models.yaml",
       "include: [more.yaml]\nmodel_list: [{model_name: b, litellm_params: {model: openai/b}}]\n"
       "litellm_settings: {num_retries: 4}\n"},
      {"more.yaml", "model_list: [{model_name: c, litellm_params: {model: openai/c}}]"},
      {"round.yaml", "include: round.yaml"}};
  const auto read = [&](const std::string& name) -> std::expected<std::string, std::string> {
    const auto found = files.find(name);
    if (found == files.end()) return std::unexpected("cannot be read: No such file or directory");
    return found->second;
  };
  const auto imported = import_litellm(
      "include: models.yaml\nmodel_list: [{model_name: a, litellm_params: {model: openai/a}}]\n"
      "litellm_settings: {num_retries: 1}\n",
      read);
  ASSERT_TRUE(imported) << imported.error();
  EXPECT_EQ(imported->models, 3u);
  EXPECT_THAT(imported->toml, HasSubstr("attempts = 5"));
  EXPECT_THAT(imported->left_out, testing::Not(Contains(HasSubstr("include"))));
  EXPECT_EQ(import_litellm("include: [models.yaml]", read)->models, 2u);
  EXPECT_THAT(import_litellm("include: [nowhere.yaml]", read).error(),
              HasSubstr("include: nowhere.yaml: cannot be read: No such file"));
  EXPECT_THAT(import_litellm("include: round.yaml", read).error(), HasSubstr("include each other"));
  EXPECT_THAT(import_litellm("include: models.yaml").error(), HasSubstr("include: models.yaml"));
  EXPECT_THAT(import_litellm("include: {a: b}", read).error(), HasSubstr("a file or a list of files"));
}

TEST(ImportLitellm, WhatAnAliasSaysBesideItsModelIsListed) {
  const auto imported = import_litellm(R"yaml(
model_list: [{model_name: m, litellm_params: {model: openai/m}}]
router_settings:
  model_group_alias: {secret: {model: m, hidden: true}, shown: {model: m, hidden: false}}
)yaml");
  ASSERT_TRUE(imported);
  EXPECT_THAT(imported->left_out, Contains(HasSubstr("router_settings.model_group_alias.secret.hidden: ")));
  EXPECT_THAT(imported->left_out, testing::Not(Contains(HasSubstr("shown"))));
}

TEST(ImportLitellm, RefusesWhatIsNone) {
  for (const auto* text : {"", "[1, 2]", "just text", "a: [", "a: b: c", "\t- x"}) {
    const auto imported = import_litellm(text);
    EXPECT_FALSE(imported) << text;
    if (!imported) EXPECT_FALSE(imported.error().empty());
  }
  EXPECT_EQ(import_litellm("model_list: 5")->left_out.size(), 1u);
  EXPECT_FALSE(import_litellm(std::string(kImportBytesMax + 1, ' ')));
  std::string deep;
  for (int i = 0; i < 20'000; ++i) deep += '[';
  EXPECT_FALSE(import_litellm(deep));
}

}  // namespace
}  // namespace llmgw::control
