#include "control/config_doubts.h"

#include <gtest/gtest.h>

#include <array>

#include "control/test_support.h"

namespace llmgw::control {
namespace {

constexpr std::string_view kModels = R"([[connections]]
name = "main"
provider = "openai"
api_key = "sk-x"
[[models]]
name = "gpt-4o-mini"
connection = "main"
[[models]]
name = "claude-*"
connection = "main"
[[keys]]
name = "k"
key = "12345678"
)";

std::string doubts_of(std::string_view more, std::span<const std::string_view> more_models = {}) {
  const auto config = TestWorld{}.load(std::string(kModels) + std::string(more));
  if (!config) return format_errors(config.error(), "f");
  return format_errors(find_doubts(*config, more_models), "f");
}

TEST(Doubts, PricesOfLongPromptsAlone) {
  const auto price = [](std::string_view provider, std::string_view model, std::string_view above) {
    return "[[prices]]\nprovider = \"" + std::string(provider) + "\"\nmodel = \"" + std::string(model) +
           "\"\ninput = \"1\"\noutput = \"1\"\nabove_tokens = " + std::string(above) + "\n";
  };
  const std::string lone = price("openai", "mine-*", "100");
  EXPECT_EQ(doubts_of(lone),
            "f:19:1: prices.above_tokens: shorter prompts to 'mine-*' of 'openai' have no price, so no budget counts "
            "them; write an entry without above_tokens, too\n");
  EXPECT_EQ(doubts_of(lone + price("openai", "mine-*", "0")), "");
  EXPECT_EQ(doubts_of(lone + price("*", "*", "0")), "");
  EXPECT_NE(doubts_of(lone + price("openai", "mine-1", "0")), "") << "not the others";
  EXPECT_NE(doubts_of(lone + price("openai:flex", "mine-*", "0")), "");
  EXPECT_EQ(doubts_of(price("openai", "gpt-4o-mini", "100")), "") << "the program knows the price below";
  EXPECT_EQ(doubts_of(price("main", "gpt-4o-mini", "100")), "") << "a connection's has its provider's below";
  EXPECT_EQ(doubts_of(price("main:flex", "x", "100") + price("openai:flex", "x", "0")), "");
}

TEST(Doubts, NamesThatNoModelHas) {
  EXPECT_EQ(doubts_of(""), "") << "a key without a list";
  EXPECT_EQ(doubts_of("models = [\"gpt-4o-mini\", \"claude-sonnet-4-5\", \"claude-*\", \"gpt-*\", \"*\"]\n"), "");
  EXPECT_EQ(doubts_of("models = [\"gpt-4o-mini\", \"gtp-4o-mini\"]\n"),
            "f:14:1: keys.models: there is no model 'gtp-4o-mini'; did you mean 'gpt-4o-mini'?\n");
  EXPECT_EQ(doubts_of("models = [\"qwertyuiop\"]\n"), "f:14:1: keys.models: there is no model 'qwertyuiop'\n");
  EXPECT_EQ(doubts_of("models = \"gpt-4o-mini, gpt-4\"\n"),
            "f:14:1: keys.models: there is no model 'gpt-4o-mini, gpt-4'; write several as a list, as in [\"a\", "
            "\"b\"]\n");
}

TEST(Doubts, AModelThatIsItsOwnMirrorOrFallback) {
  const auto route = [](std::string_view text) { return doubts_of("[[routes]]\n" + std::string(text)); };
  EXPECT_EQ(route("models = [\"gpt-4o-mini\"]\nmirror = \"gpt-4o-mini\"\n"),
            "f:16:1: routes.mirror: 'gpt-4o-mini' is the route's own model: it gets each of its calls twice\n");
  EXPECT_EQ(route("models = [\"gpt-4o-mini\"]\nfallbacks = [\"claude-x\", \"gpt-4o-mini\"]\n"),
            "f:16:1: routes.fallbacks: 'gpt-4o-mini' is the route's own model, whose instances have failed by then\n");
  EXPECT_EQ(route("models = [\"claude-*\", \"gpt-4o-mini\"]\nfallbacks = [\"gpt-4o-mini\"]\n"), "");
}

TEST(Doubts, PatternsThatNoModelHasANameFor) {
  EXPECT_EQ(doubts_of("models = [\"claude-sonnet-*\", \"*-mini\", \"cl*\", \"*sonnet*\", \"gpt-4o*\"]\n"), "");
  EXPECT_EQ(doubts_of("models = [\"gtp-*\"]\n"),
            "f:14:1: keys.models: no model has a name like 'gtp-*'; did you mean 'gpt-*'?\n");
  EXPECT_EQ(doubts_of("models = [\"later-*\"]\n"), "f:14:1: keys.models: no model has a name like 'later-*'\n");
}

TEST(Doubts, OfEverythingWithAList) {
  EXPECT_EQ(doubts_of("[[organizations]]\nname = \"o\"\nmodels = [\"zzzzzz\"]\n[[teams]]\nname = \"t\"\n"
                      "models = [\"zzzzzz\"]\n[[users]]\nname = \"u\"\nmodels = [\"zzzzzz\"]\n"),
            "f:16:1: organizations.models: there is no model 'zzzzzz'\n"
            "f:19:1: teams.models: there is no model 'zzzzzz'\n"
            "f:22:1: users.models: there is no model 'zzzzzz'\n");
}

TEST(Doubts, AStarThatNoProviderKnows) {
  EXPECT_EQ(
      doubts_of("[[models]]\nname = \"openai/*\"\nconnection = \"main\"\nremote = \"*\"\n"),
      "f:17:1: models.remote: '*' is sent to the provider as it stands, and no provider has a model of that name; "
      "without remote the name goes on that the client asked for\n");
}

TEST(Doubts, BudgetsThatARestartForgets) {
  EXPECT_EQ(doubts_of("[ledger]\nenabled = false\n"), "");
  EXPECT_EQ(doubts_of("budget = \"1.00\"\n"), "");
  EXPECT_EQ(
      doubts_of("budget = \"1.00\"\n[ledger]\nenabled = false\n"),
      "f:16:1: ledger.enabled: without a ledger a restart forgets what budgets have spent: they begin anew with it\n");
}

TEST(Doubts, AnEndpointThatIsTheGatewayItself) {
  const auto doubts = [](std::string_view listen, std::string_view endpoint) {
    return doubts_of("[server]\nlisten = \"" + std::string(listen) +
                     "\"\n[[connections]]\nname = \"self\"\nprovider = \"openai\"\napi_key = \"sk-y\"\nendpoint = \"" +
                     std::string(endpoint) + "\"\n");
  };
  for (const auto& [listen, endpoint] :
       std::to_array<std::pair<std::string_view, std::string_view>>({{"127.0.0.1:8080", "http://127.0.0.1:8080"},
                                                                     {"*:8080", "http://localhost:8080/v1"},
                                                                     {"[::]:8080", "http://[::1]:8080"},
                                                                     {"0.0.0.0:443", "https://127.0.0.1"},
                                                                     {"localhost:8080", "http://127.0.0.1:8080"}})) {
    EXPECT_EQ(doubts(listen, endpoint), "f:20:1: connections.endpoint: '" + std::string(endpoint) +
                                            "' is where this gateway itself listens (" + std::string(listen) +
                                            "); write the provider's address\n");
  }
  EXPECT_EQ(doubts("127.0.0.1:8080", "http://127.0.0.1:8081"), "");
  EXPECT_EQ(doubts("*:8080", "http://10.0.0.1:8080"), "") << "most likely another machine";
  EXPECT_EQ(doubts("10.0.0.1:8080", "http://127.0.0.1:8080"), "");
}

TEST(Doubts, ModelsOfAStoreAreThere) {
  constexpr std::array<std::string_view, 2> kStored = {"stored", "engine-*"};
  EXPECT_EQ(doubts_of("models = [\"stored\", \"engine-7\"]\n", kStored), "");
  EXPECT_EQ(doubts_of("models = [\"stord\"]\n", kStored),
            "f:14:1: keys.models: there is no model 'stord'; did you mean 'stored'?\n");
}

}  // namespace
}  // namespace llmgw::control
