#include "admin/api/object_api.h"

#include <boost/json.hpp>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "admin/api/object_api_test_support.h"
#include "admin/api/openapi.h"
#include "base/rng.h"
#include "store/objects/gateway_list.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;

bj::object json(const ApiAnswer& answer) {
  return bj::parse(answer.body).as_object();
}

std::string text(const bj::object& object, const char* member) {
  return std::string(object.at(member).as_string());
}

INSTANTIATE_TEST_SUITE_P(Databases, ObjectApiTest,
                         testing::Values(store::SqlSession::Kind::sqlite, store::SqlSession::Kind::postgres),
                         store::database_name);

TEST_P(ObjectApiTest, SealsOpensAndHides) {
  const auto made = json(call(Method::post, "connections", kConnection));
  EXPECT_EQ(text(made, "api_key"), "(secret)");
  const auto id = text(made, "id");
  const auto stored = store_.get(id);
  EXPECT_EQ((*stored)->document.find("canary"), std::string::npos);
  const auto all = store_.load_all();
  const control::ObjectMerger merger(file_, all->objects, secrets_, environment_);
  ASSERT_EQ(merger.config().connections.size(), 1u);
  EXPECT_EQ(merger.config().connections[0].api_key.reveal(), "canary-credential");
  // Copied to another object, it does not open.
  store::Object copy = **stored;
  copy.id = "conn_" + std::string(21, 'z');
  const control::ObjectMerger moved(file_, {&copy, 1}, secrets_, environment_);
  EXPECT_TRUE(moved.config().connections.empty());
  EXPECT_THAT(moved.notes().at(0).problem, HasSubstr("stood elsewhere"));
}

TEST_P(ObjectApiTest, OneBadRowDoesNotStopTheOthers) {
  const auto id = text(json(call(Method::post, "connections", kConnection)), "id");
  EXPECT_EQ(call(Method::post, "models", R"({"name":"m","connection":"c"})").status, 201);
  EXPECT_EQ(call(Method::post, "connections", R"({"name":"d","provider":"ollama"})").status, 201);
  EXPECT_EQ(call(Method::post, "models", R"({"name":"n","connection":"d"})").status, 201);
  store::ObjectChange broken{.action = store::ObjectChange::Action::update, .object = **store_.get(id)};
  broken.object.document = R"({"name":"c","provider":"gone-in-this-version"})";
  ASSERT_EQ(store_.apply({&broken, 1}, {}, 1)->outcome, store::Applied::done);
  const auto all = store_.load_all();
  const control::ObjectMerger merger(file_, all->objects, secrets_, environment_);
  ASSERT_EQ(merger.config().models.size(), 1u);
  EXPECT_EQ(merger.config().models[0].name, "n");
  ASSERT_EQ(merger.notes().size(), 2u) << "the connection, and its model";
  EXPECT_THAT(merger.notes()[0].problem, HasSubstr("no such provider"));
  EXPECT_THAT(merger.notes()[1].problem, HasSubstr("no connection 'c'"));
}

TEST_P(ObjectApiTest, ARouteGoesOnWithoutAModelThatIsGone) {
  call(Method::post, "connections", kConnection);
  for (const char* model : {"a", "b", "c"}) {
    call(Method::post, "models", std::string(R"({"connection":"c","name":")") + model + "\"}");
  }
  EXPECT_EQ(call(Method::post, "routes", R"({"models":["a","x*"]})").status, 400) << "a name that nothing has";
  EXPECT_EQ(call(Method::post, "routes", R"({"models":["a","b"],"fallbacks":["c","b"],"attempts":2})").status, 201);
  EXPECT_EQ(call(Method::post, "routes", R"({"models":["a","b"]})").status, 409);
  EXPECT_EQ(snapshot()->routes.size(), 2u);
  const auto merged = [&] {
    const auto all = store_.load_all();
    const control::ObjectMerger merger(file_, all->objects, secrets_, environment_);
    return std::pair(merger.config().routes, merger.notes());
  };
  EXPECT_EQ(call(Method::delete_, "models/b?cascade=true").status, 200);
  auto [routes, notes] = merged();
  ASSERT_EQ(routes.size(), 1u);
  EXPECT_THAT(routes[0].models, testing::ElementsAre("a"));
  EXPECT_THAT(routes[0].fallbacks, testing::ElementsAre("c"));
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_TRUE(notes[0].partial);
  EXPECT_THAT(notes[0].problem, HasSubstr("there is no model 'b'"));
  EXPECT_EQ(call(Method::delete_, "models/a?cascade=true").status, 200);
  std::tie(routes, notes) = merged();
  EXPECT_TRUE(routes.empty()) << "it was for nothing that there is";
  EXPECT_TRUE(notes.empty()) << "and is gone";
}

TEST_P(ObjectApiTest, AListWithAModelThatIsNotThereIsDoubted) {
  call(Method::post, "connections", kConnection);
  call(Method::post, "models", R"({"connection":"c","name":"gpt-4o"})");
  EXPECT_EQ(call(Method::post, "teams", R"({"name":"t","models":["gpt-4o","gpt-*"]})").status, 201);
  EXPECT_EQ(call(Method::post, "keys", R"({"name":"k","models":["gtp-4o"]})").status, 201) << "the model may come";
  const auto all = store_.load_all();
  control::ObjectMerger merger(file_, all->objects, secrets_, environment_);
  EXPECT_TRUE(merger.notes().empty());
  const auto doubts = merger.doubts();
  ASSERT_EQ(doubts.size(), 1u);
  EXPECT_EQ(doubts[0].name, "k");
  EXPECT_THAT(doubts[0].problem, HasSubstr("there is no model 'gtp-4o'; did you mean 'gpt-4o'?"));
}

TEST_P(ObjectApiTest, PricesAreCalledByWhatTheyAreFor) {
  const std::string price = R"({"provider":"openai","model":"gpt/x","input":"1","output":"2"})";
  EXPECT_EQ(call(Method::post, "prices", price).status, 201);
  EXPECT_EQ(call(Method::post, "prices", price).status, 409);
  EXPECT_EQ(call(Method::post, "prices",
                 R"({"provider":"openai","model":"gpt/x","above_tokens":9,"input":"3","output":"4","audio_input":"5"})")
                .status,
            201);
  EXPECT_EQ(call(Method::patch, "prices/openai%2Fgpt%2Fx", R"({"input":"1.5"})").status, 200);
  EXPECT_EQ(text(json(call(Method::get, "prices/openai%2Fgpt%2Fx%2Fabove-9")), "output"), "4");
  EXPECT_EQ(call(Method::patch, "prices/openai%2Fgpt%2Fx", R"({"input":"much"})").status, 400);
  const auto built = snapshot();
  const auto tiers = built->prices.find("c", "openai", "gpt/x");
  ASSERT_TRUE(tiers.all());
  EXPECT_EQ(tiers.at(9)->input, 1'500'000'000);
  EXPECT_EQ(tiers.at(10)->input, 3'000'000'000);
  EXPECT_EQ(tiers.at(10)->audio_input, 5'000'000'000);
}

TEST_P(ObjectApiTest, NamesTheNearestObject) {
  call(Method::post, "connections", kConnection);
  call(Method::post, "models", R"({"name":"gpt-4o","connection":"c"})");
  call(Method::post, "keys", R"({"name":"frontend"})");
  const auto message = [&](Method method, const std::string& path, const std::string& body = "") {
    return text(json(call(method, path, body)).at("error").as_object(), "message");
  };
  EXPECT_EQ(message(Method::get, "keys/fronted"),
            "there is no key 'fronted'; did you mean 'frontend'? `llm-gateway vkey list` shows all");
  EXPECT_EQ(message(Method::get, "keys/xyzzyxyzzy"), "there is no key 'xyzzyxyzzy'; `llm-gateway vkey list` shows all");
  EXPECT_EQ(message(Method::post, "assignments", R"({"key":"frontend","model":"gtp-4o"})"),
            "model: there is no model 'gtp-4o'; did you mean 'gpt-4o'? `llm-gateway model list` shows all");
  EXPECT_EQ(message(Method::post, "assignments", R"({"key":"frontnd","model":"gpt-4o"})"),
            "key: there is no key 'frontnd'; did you mean 'frontend'? `llm-gateway vkey list` shows all");
  EXPECT_EQ(message(Method::post, "models", R"({"name":"m","connection":"cc"})"),
            "connection: there is no connection 'cc'; did you mean 'c'? `llm-gateway connection list` shows all");
  EXPECT_EQ(message(Method::post, "routes", R"({"models":["gpt-4"]})"),
            "models: there is no model 'gpt-4'; did you mean 'gpt-4o'?");
  EXPECT_THAT(message(Method::post, "connections", R"({"name":"d","provider":"opnai"})"),
              testing::StartsWith("provider: no such provider; did you mean \"openai\"?"));
}

TEST_P(ObjectApiTest, SaysWhereABodyStopsBeingJson) {
  const auto message = [&](const std::string& body) {
    const auto answer = call(Method::post, "keys", body);
    EXPECT_EQ(answer.status, 400);
    return text(json(answer).at("error").as_object(), "message");
  };
  EXPECT_EQ(message(R"({"name":"a",})"), "the body is not JSON: syntax error at byte 13 of 13");
  EXPECT_EQ(message(R"({"name":)"), "the body is not JSON: incomplete JSON at byte 8 of 8");
  EXPECT_EQ(message(R"({"name":"a"} x)"), "the body is not JSON: extra data at byte 14 of 14");
  EXPECT_EQ(message(R"({"name":"a","tps":1e400})"), "tps: the number is too large");
  EXPECT_EQ(message(R"({"name":"a","models":["b",{"c":-1e999}]})"), "models: the number is too large");
  EXPECT_EQ(message(R"(["a"])"), R"(the body must be a JSON object, as in {"name": "x"})");
  EXPECT_THAT(json(call(Method::get, "nothing")).at("error").as_object().at("message").as_string().c_str(),
              HasSubstr("engines, health, spend, audit, secrets/rotate, whoami and openapi.json"));
}

TEST_P(ObjectApiTest, RenamingKeepsReferences) {
  const auto id = text(json(call(Method::post, "connections", kConnection)), "id");
  call(Method::post, "models", R"({"name":"m","connection":"c"})");
  EXPECT_EQ(call(Method::patch, "connections/c", R"({"name":"renamed"})").status, 200);
  EXPECT_EQ(snapshot()->connections.at(0).name, "renamed");
  EXPECT_EQ(snapshot()->models.at(0).connection, 0u);
  EXPECT_EQ(call(Method::post, "connections", kConnection).status, 201) << "the old name is free again";
  EXPECT_EQ(call(Method::patch, "connections/" + id, R"({"name":"c"})").status, 409);
}

// What was used of limits and budgets goes with the object, and with no name.
TEST_P(ObjectApiTest, WhatWasUsedGoesWithTheObject) {
  const auto identities = [this] {
    std::set<uint64_t> all;
    for (const control::Scope& scope : snapshot()->scopes) all.insert(scope.identity);
    return all;
  };
  const auto make = [this] {
    call(Method::post, "organizations", R"({"name":"o","budget":"1.00"})");
    call(Method::post, "teams", R"({"name":"t","organization":"o","budget":"1.00"})");
    call(Method::post, "users", R"({"name":"u","teams":["t"],"budget":"1.00"})");
    call(Method::post, "keys", R"({"name":"k","team":"t","user":"u","budget":"1.00"})");
    call(Method::post, "assignments", R"({"key":"k","model":"m","alias":"a","budget":"1.00"})");
  };
  call(Method::post, "connections", kConnection);
  call(Method::post, "models", R"({"name":"m","connection":"c"})");
  make();
  const auto before = identities();
  ASSERT_EQ(before.size(), 5u);
  now_ms_ += 60'000;
  for (const char* path : {"organizations/o", "teams/t", "users/u", "keys/k"}) {
    EXPECT_EQ(call(Method::patch, path, R"({"name":"renamed"})").status, 200) << path;
  }
  EXPECT_EQ(identities(), before);
  // What versions kept under its name that went by names is not of who takes it later.
  const auto key = snapshot()->principals.front();
  EXPECT_EQ(key.name, "renamed");
  EXPECT_GE(key.named_since, now_ms_ / 1000 - 1);
  EXPECT_EQ(call(Method::patch, "keys/renamed", R"({"tags":["x"]})").status, 200);
  EXPECT_EQ(snapshot()->principals.front().named_since, key.named_since);
  for (const control::Scope& scope : snapshot()->scopes) EXPECT_GE(scope.named_since, key.named_since) << scope.name;
  EXPECT_EQ(call(Method::delete_, "organizations/renamed?cascade=true").status, 200);
  make();
  const auto after = identities();
  EXPECT_EQ(after.size(), 5u);
  for (const uint64_t identity : after) EXPECT_FALSE(before.contains(identity)) << "another of the same name";
}

// A key ends when it was said to, never because another was made.
TEST_P(ObjectApiTest, ARotationEndsNoKeyBeforeItsTime) {
  call(Method::post, "keys", R"({"name":"k"})");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(call(Method::post, "keys/k/rotate", R"({"overlap":"1h"})").status, 200) << i;
  const auto refused = call(Method::post, "keys/k/rotate", R"({"overlap":"1h"})");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, HasSubstr("--overlap 0s"));
  EXPECT_EQ(json(call(Method::get, "keys/k")).at("previous_keys").as_array().size(), 4u);
  EXPECT_EQ(call(Method::post, "keys/k/rotate", R"({"overlap":"0s"})").status, 200) << "they all end";
  EXPECT_EQ(call(Method::post, "keys/k/rotate", R"({"overlap":"1h"})").status, 200);
}

TEST_P(ObjectApiTest, AnOverlapIsNotCutToTheSecond) {
  call(Method::post, "keys", R"({"name":"k"})");
  const auto until = [&](const char* overlap) {
    now_ms_ = 1'763'740'000'839;
    const auto rotated = json(call(Method::post, "keys/k/rotate", std::string(R"({"overlap":")") + overlap + "\"}"));
    return text(rotated.at("previous_keys").at(0).as_object(), "until");
  };
  EXPECT_EQ(until("1s"), "2025-11-21T15:46:42.000Z");
  EXPECT_EQ(until("160ms"), "2025-11-21T15:46:41.000Z");
  EXPECT_FALSE(json(call(Method::post, "keys/k/rotate", R"({"overlap":"0s"})")).contains("previous_keys"));
}

TEST_P(ObjectApiTest, MoneyIsATextInAnswers) {
  EXPECT_EQ(text(json(call(Method::post, "keys", R"({"name":"k","budget":7})")), "budget"), "7");
  EXPECT_EQ(text(json(call(Method::patch, "keys/k", R"({"budget":5})")), "budget"), "5");
  EXPECT_EQ(text(json(call(Method::get, "keys/k")), "budget"), "5");
  EXPECT_EQ(text(json(call(Method::patch, "keys/k", R"({"budget":"5.50"})")), "budget"), "5.50");
  EXPECT_EQ(call(Method::patch, "keys/k", R"({"budget":5.5})").status, 400) << "a binary fraction is another amount";
  const auto price =
      json(call(Method::post, "prices", R"({"provider":"openai","model":"m","input":2,"output":"8","cache_read":1})"));
  EXPECT_EQ(text(price, "input") + " " + text(price, "output") + " " + text(price, "cache_read"), "2 8 1");
}

TEST_P(ObjectApiTest, AKeyEndsAtATimeWithAFraction) {
  const auto made = json(call(Method::post, "keys", R"({"name":"k","expires":"2025-11-21T18:00:00.352Z"})"));
  EXPECT_EQ(text(made, "expires"), "2025-11-21T18:00:00.352Z");
  EXPECT_EQ(snapshot()->principals.at(0).expires, control::Timestamp{1'763'748'001});
}

// A gateway that lacks the master key could not read the store from then on.
TEST_P(ObjectApiTest, SecretsAreRotatedOnlyToAKeyThatAllGatewaysHave) {
  const auto enter = [&](std::string instance, std::vector<std::string> key_ids) {
    return store::enter_gateway(store_.session(), {.instance = std::move(instance),
                                                   .host = "elsewhere (process 7)",
                                                   .key_file = {},
                                                   .key_ids = std::move(key_ids)});
  };
  EXPECT_EQ(call(Method::post, "secrets/rotate").status, 200);
  ASSERT_TRUE(enter("1", {"00000000", vault_->sealing_key_id()}));
  EXPECT_EQ(call(Method::post, "secrets/rotate").status, 200);
  ASSERT_TRUE(enter("2", {"00000000"}));
  const auto refused = call(Method::post, "secrets/rotate");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, HasSubstr("elsewhere (process 7), heard of "));
  EXPECT_THAT(refused.body, HasSubstr("nothing was sealed anew"));
  ASSERT_TRUE(store::leave_gateway(store_.session(), "2"));
  EXPECT_EQ(call(Method::post, "secrets/rotate").status, 200);
}

TEST_P(ObjectApiTest, NoKeyIsGoodLongerThanItsObject) {
  call(Method::post, "keys", R"({"name":"k","expires":"2025-11-21T18:00:00Z"})");
  ASSERT_EQ(call(Method::post, "keys/k/rotate", R"({"overlap":"24h"})").status, 200);
  const auto previous = json(call(Method::get, "keys/k")).at("previous_keys").as_array();
  ASSERT_EQ(previous.size(), 1u);
  EXPECT_EQ(text(previous[0].as_object(), "until"), "2025-11-21T18:00:00.000Z");
  now_ms_ += int64_t{3} * 3600 * 1000;
  EXPECT_FALSE(json(call(Method::post, "keys/k/rotate", R"({"overlap":"1h"})")).contains("previous_keys"));
}

TEST_P(ObjectApiTest, AConflictSaysWhatThereIsAlready) {
  call(Method::post, "users", R"({"name":"u"})");
  EXPECT_THAT(call(Method::post, "users", R"({"name":"u"})").body, HasSubstr("already such a user: 'u'"));
  call(Method::post, "organizations", R"({"name":"o"})");
  EXPECT_THAT(call(Method::post, "organizations", R"({"name":"o"})").body, HasSubstr("such an organization"));
}

TEST_P(ObjectApiTest, AListIsAList) {
  EXPECT_THAT(call(Method::post, "keys", R"({"name":"k","models":"m"})").body, HasSubstr(R"(such as [\"m\"])"));
  EXPECT_EQ(call(Method::post, "keys", R"({"name":"k","tags":["x"]})").status, 201);
  EXPECT_EQ(call(Method::patch, "keys/k", R"({"tags":"x"})").status, 400);
  EXPECT_EQ(call(Method::patch, "keys/k", R"({"tags":null})").status, 200);
}

TEST_P(ObjectApiTest, SaysWhichMethodsThereAre) {
  call(Method::post, "keys", R"({"name":"k"})");
  using Fields = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(call(Method::delete_, "keys").headers, (Fields{{"allow", "GET, POST"}}));
  EXPECT_EQ(call(Method::post, "keys/k").headers, (Fields{{"allow", "GET, PATCH, DELETE"}}));
  EXPECT_EQ(call(Method::get, "keys/k/rotate").headers, (Fields{{"allow", "POST"}}));
  EXPECT_EQ(call(Method::post, "spend").headers, (Fields{{"allow", "GET"}}));
}

TEST_P(ObjectApiTest, AnyOfTheTagsInIfMatch) {
  call(Method::post, "keys", R"({"name":"k"})");
  const auto status = [&](const std::string& if_match) {
    if_match_ = if_match;
    return call(Method::patch, "keys/k", "{}").status;
  };
  EXPECT_EQ(status(R"("x", "1")"), 200);
  EXPECT_EQ(status(R"("x" ,"2")"), 200);
  EXPECT_EQ(status("*"), 200);
  EXPECT_EQ(status(R"(W/"4")"), 412) << "weak";
  EXPECT_EQ(status(R"("1", "x")"), 412);
}

TEST_P(ObjectApiTest, SpendKnowsQuartersOfAnHour) {
  const auto refused = call(Method::get, "spend?from=2027-01-31T21:00:00Z&to=2027-01-31T21:07:00Z");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, testing::AllOf(HasSubstr("to: sums are kept for quarters"),
                                           HasSubstr("2027-01-31T21:00:00Z or 2027-01-31T21:15:00Z")));
  EXPECT_EQ(call(Method::get, "spend?from=2027-01-31T21:00:00Z&to=2027-01-31T21:15:00Z").status, 200);
}

// What a plain list of rules says of who may call what.
struct PlainRules {
  struct Key {
    std::string secret;
    std::optional<std::set<std::string>> models = std::nullopt;
    std::map<std::string, std::string> aliases = {};
    bool blocked = false;

    void close_if_empty() {
      if (aliases.empty() && !models) models.emplace();
    }
  };
  std::set<std::string> models;
  std::map<std::string, Key> keys;

  bool allows(const Key& key, const std::string& name) const {
    if (const auto alias = key.aliases.find(name); alias != key.aliases.end()) return models.contains(alias->second);
    if (!models.contains(name)) return false;
    return key.models ? key.models->contains(name) : key.aliases.empty();
  }
};

class RulesTest : public ObjectApiTest {
 protected:
  static std::string quoted(const std::string& word) { return "\"" + word + "\""; }
  std::string name(const char* prefix, uint64_t count) { return prefix + std::to_string(random_.below(count)); }

  void change_models() {
    const std::string model = name("m", 4);
    if (random_.chance(0.6)) {
      const auto answer = call(Method::post, "models", R"({"connection":"c","name":)" + quoted(model) + "}");
      ASSERT_EQ(answer.status, plain_.models.insert(model).second ? 201 : 409) << answer.body;
      return;
    }
    const auto answer = call(Method::delete_, "models/" + model + "?cascade=true");
    ASSERT_EQ(answer.status, plain_.models.erase(model) == 1 ? 200 : 404) << answer.body;
    for (auto& [unused, each] : plain_.keys) {
      const auto lost = std::erase_if(each.aliases, [&](const auto& alias) { return alias.second == model; });
      if (lost > 0) each.close_if_empty();
    }
  }
  void unassign(const std::string& key) {
    if (!plain_.keys.contains(key)) return;
    auto& aliases = plain_.keys[key].aliases;
    const std::string alias = name("alias", 3);
    const auto listed = json(call(Method::get, "assignments?limit=1000"));
    for (const auto& each : listed.at("data").as_array()) {
      const auto& shown = each.as_object();
      if (text(shown, "key_name") != key || text(shown, "alias") != alias) continue;
      ASSERT_EQ(call(Method::delete_, "assignments/" + text(shown, "id")).status, 200);
      ASSERT_EQ(aliases.erase(alias), 1u);
      plain_.keys[key].close_if_empty();
      return;
    }
    ASSERT_FALSE(aliases.contains(alias));
  }
  void add_key(const std::string& key) {
    const std::string model = name("m", 4);
    const bool all = random_.chance(0.5);
    const std::string models = all ? "" : R"(,"models":[)" + quoted(model) + "]";
    const auto answer = call(Method::post, "keys", R"({"name":)" + quoted(key) + models + "}");
    ASSERT_EQ(answer.status, plain_.keys.contains(key) ? 409 : 201) << answer.body;
    if (answer.status != 201) return;
    plain_.keys[key] = {.secret = text(json(answer), "key")};
    if (!all) plain_.keys[key].models = {model};
  }
  void change_key(const std::string& key) {
    const int there = plain_.keys.contains(key) ? 200 : 404;
    if (random_.chance(0.3)) {
      ASSERT_EQ(call(Method::delete_, "keys/" + key).status, there);
      plain_.keys.erase(key);
    } else if (random_.chance(0.5)) {
      const auto answer = call(Method::post, "keys/" + key + "/rotate", R"({"overlap":"0s"})");
      ASSERT_EQ(answer.status, there);
      if (there == 200) plain_.keys[key].secret = text(json(answer), "key");
    } else {
      const bool blocked = random_.chance(0.5);
      const auto* const body = blocked ? R"({"blocked":true})" : R"({"blocked":null})";
      ASSERT_EQ(call(Method::patch, "keys/" + key, body).status, there);
      if (there == 200) plain_.keys[key].blocked = blocked;
    }
  }
  void assign(const std::string& key) {
    const std::string model = name("m", 4);
    const std::string alias = name("alias", 3);
    // By id: the reference makes a removal of the model ask first.
    const auto shown = call(Method::get, "models/" + model);
    if (shown.status != 200) return;
    const auto answer = call(Method::post, "assignments",
                             R"({"key":)" + quoted(key) + R"(,"alias":)" + quoted(alias) + R"(,"model":)" +
                                 quoted(text(json(shown), "id")) + "}");
    const bool fine = plain_.keys.contains(key) && !plain_.keys[key].aliases.contains(alias);
    ASSERT_EQ(answer.status == 201, fine) << answer.body;
    if (fine) plain_.keys[key].aliases[alias] = model;
  }
  void compare() {
    const auto now = snapshot();
    for (const auto& [owner, each] : plain_.keys) {
      const control::Principal* const principal = now->authenticate(each.secret);
      ASSERT_NE(principal, nullptr) << owner;
      ASSERT_EQ(principal->name, owner);
      ASSERT_EQ(principal->blocked, each.blocked);
      for (const auto* called : {"m0", "m1", "m2", "m3", "alias0", "alias1", "alias2"}) {
        ASSERT_EQ(now->resolve(*principal, called).has_value(), plain_.allows(each, called))
            << owner << " calls " << called;
      }
    }
    ASSERT_EQ(now->principals.size(), plain_.keys.size());
  }

  PlainRules plain_;
  base::Rng random_{5};
};
INSTANTIATE_TEST_SUITE_P(Databases, RulesTest,
                         testing::Values(store::SqlSession::Kind::sqlite, store::SqlSession::Kind::postgres),
                         store::database_name);

// Random changes by the API; after each the snapshot of the store must say what the plain rules say.
TEST_P(RulesTest, AgreesWithPlainRules) {
  call(Method::post, "connections", kConnection);
  for (int step = 0; step < 150; ++step) {
    const std::string key = name("k", 5);
    switch (random_.below(5)) {
      case 0: change_models(); break;
      case 1: add_key(key); break;
      case 2: change_key(key); break;
      case 3: unassign(key); break;
      default: assign(key); break;
    }
    if (HasFatalFailure()) return;
    compare();
    ASSERT_FALSE(HasFatalFailure()) << "step " << step;
  }
  EXPECT_FALSE(plain_.keys.empty());
}

TEST(OpenApi, IsJson) {
  const auto document = bj::parse(openapi_document()).as_object();
  EXPECT_EQ(document.at("openapi").as_string(), "3.1.0");
  for (const auto& kind : control::object_kinds()) {
    EXPECT_TRUE(document.at("paths").as_object().contains("/admin/v1/" + std::string(kind.plural)));
  }
}

}  // namespace
}  // namespace llmgw::admin
