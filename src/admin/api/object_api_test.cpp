#include "admin/api/object_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "admin/api/openapi.h"
#include "base/rng.h"
#include "control/config_loader.h"
#include "control/objects/store_access.h"
#include "control/reload.h"
#include "store/sql/test_databases.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using control::SectionId;
using http::Method;
using testing::HasSubstr;

class ObjectApiTest : public store::BothDatabases {
 protected:
  ObjectApiTest()
      : environment_(control::real_environment("/etc/llm-gateway/test.toml")),
        file_(*control::load_config("[server]\nlisten = \"127.0.0.1:0\"\n", environment_)),
        store_(*store::ObjectStore::open(std::move(*database_.open()))) {
    const base::Secret master(std::string(store::Vault::kKeyBytes, 'm'));
    vault_ = std::make_shared<const store::Vault>(*store::Vault::create({&master, 1}));
    EXPECT_TRUE(control::prepare_store(store_, *vault_, 1));
    secrets_ = *control::open_secrets(vault_, store_.load_all()->objects);
  }

  ApiAnswer call(Method method, const std::string& path, const std::string& body = "") {
    const size_t mark = path.find('?');
    return handle_objects({store_, file_, secrets_, environment_},
                          {.method = method,
                           .path = std::string(kApiRoot) + path.substr(0, mark),
                           .query = mark == std::string::npos ? "" : path.substr(mark + 1),
                           .body = body,
                           .if_match = "",
                           .actor = {.name = "test", .role = AdminRole::owner},
                           .now_ms = ++now_ms_});
  }
  static bj::object json(const ApiAnswer& answer) { return bj::parse(answer.body).as_object(); }
  static std::string text(const bj::object& object, const char* member) {
    return std::string(object.at(member).as_string());
  }
  std::shared_ptr<const control::Snapshot> snapshot() {
    const control::StoredObjects stored{.revision = 1, .objects = store_.load_all()->objects, .secrets = secrets_};
    auto merged = control::merge_snapshot(file_, &stored, environment_, {.version = 1, .hash_key = {1, 2}});
    EXPECT_TRUE(merged);
    for (const control::ObjectNote& note : merged->notes) EXPECT_TRUE(note.doubt) << note.problem;
    return merged->snapshot;
  }

  control::Environment environment_;
  control::Config file_;
  store::ObjectStore store_;
  std::shared_ptr<const store::Vault> vault_;
  control::ObjectSecrets secrets_;
  int64_t now_ms_ = 1'763'740'000'000;
};
INSTANTIATE_TEST_SUITE_P(Databases, ObjectApiTest,
                         testing::Values(store::SqlSession::Kind::sqlite, store::SqlSession::Kind::postgres),
                         store::database_name);

constexpr const char* kConnection = R"({"name":"c","provider":"openai","api_key":"canary-credential"})";

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
  const auto* const tiers = built->prices.find("c", "openai", "gpt/x");
  ASSERT_NE(tiers, nullptr);
  EXPECT_EQ(tiers->at(9).input, 1'500'000'000);
  EXPECT_EQ(tiers->at(10).input, 3'000'000'000);
  EXPECT_EQ(tiers->at(10).audio_input, 5'000'000'000);
}

TEST_P(ObjectApiTest, RemovalsAskFirst) {
  call(Method::post, "connections", kConnection);
  call(Method::post, "models", R"({"name":"m","connection":"c"})");
  call(Method::post, "keys", R"({"name":"k"})");
  call(Method::post, "assignments", R"({"key":"k","model":"m","alias":"a"})");
  EXPECT_EQ(call(Method::delete_, "connections/c").status, 409);
  EXPECT_EQ(call(Method::delete_, "keys/k").status, 200) << "assignments are part of their key";
  EXPECT_EQ(json(call(Method::get, "assignments")).at("data").as_array().size(), 0u);
  const auto removed = json(call(Method::delete_, "connections/c?cascade=true"));
  EXPECT_EQ(removed.at("removed").as_array().size(), 2u);
  EXPECT_TRUE(snapshot()->models.empty());
}

TEST_P(ObjectApiTest, AUserOfOtherTeamsOnlyLeavesTheOneThatGoes) {
  for (const char* body : {R"({"name":"o"})", R"({"name":"other"})"}) {
    ASSERT_EQ(call(Method::post, "organizations", body).status, 201);
  }
  for (const char* body : {R"({"name":"a","organization":"o"})", R"({"name":"b","organization":"o"})",
                           R"({"name":"c","organization":"other"})"}) {
    ASSERT_EQ(call(Method::post, "teams", body).status, 201);
  }
  for (const char* body : {R"({"name":"both","teams":["a","c"]})", R"({"name":"inside","teams":["a","b"]})",
                           R"({"name":"all","teams":["a","b","c"]})", R"({"name":"one","teams":["b"]})"}) {
    ASSERT_EQ(call(Method::post, "users", body).status, 201);
  }
  for (const char* body :
       {R"({"name":"both-a","user":"both","team":"a"})", R"({"name":"both-c","user":"both","team":"c"})",
        R"({"name":"all-none","user":"all"})", R"({"name":"inside-b","user":"inside","team":"b"})"}) {
    ASSERT_EQ(call(Method::post, "keys", body).status, 201);
  }
  const auto asked = call(Method::delete_, "teams/a");
  EXPECT_EQ(asked.status, 409);
  EXPECT_THAT(asked.body, HasSubstr("a user who is in other teams only leaves"));
  const auto removed = json(call(Method::delete_, "organizations/o?cascade=true"));
  EXPECT_EQ(removed.at("users_left"), bj::value(bj::array({"both", "all"})));
  for (const char* gone : {"teams/a", "teams/b", "users/inside", "users/one", "keys/both-a", "keys/inside-b"}) {
    EXPECT_EQ(call(Method::get, gone).status, 404) << gone;
  }
  const auto team = text(json(call(Method::get, "teams/c")), "id");
  for (const char* stays : {"users/both", "users/all"}) {
    EXPECT_EQ(json(call(Method::get, stays)).at("teams"), bj::value(bj::array({bj::value(team)}))) << stays;
  }
  for (const char* stays : {"keys/both-c", "keys/all-none"}) EXPECT_EQ(call(Method::get, stays).status, 200) << stays;
  EXPECT_EQ(json(call(Method::delete_, "teams/c?cascade=true")).at("removed").as_array().size(), 5u)
      << "the last team takes its users and their keys";
}

TEST_P(ObjectApiTest, RemovalsNameWhatGoesByAModelsName) {
  call(Method::post, "connections", kConnection);
  for (const char* name : {"m", "n"}) {
    call(Method::post, "models", R"({"connection":"c","name":")" + std::string(name) + R"("})");
  }
  call(Method::post, "keys", R"({"name":"k"})");
  ASSERT_EQ(call(Method::post, "assignments", R"({"key":"k","model":"m","alias":"a"})").status, 201);
  ASSERT_EQ(call(Method::post, "routes", R"({"models":["m"]})").status, 201);
  ASSERT_EQ(call(Method::post, "routes", R"({"models":["n"],"fallbacks":["m"]})").status, 201);
  const auto refused = call(Method::delete_, "models/m");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, testing::AllOf(HasSubstr("the assignment 'a' (asg_"), HasSubstr("the route 'm' (route_"),
                                           HasSubstr("the route 'n' (route_"), HasSubstr("--cascade")));
  EXPECT_EQ(call(Method::delete_, "connections/c").status, 409);
  const auto removed = json(call(Method::delete_, "models/m?cascade=true"));
  EXPECT_EQ(removed.at("removed").as_array().size(), 3u);
  EXPECT_EQ(removed.at("closed_keys"), bj::value(bj::array{"k"}));
  EXPECT_EQ(removed.at("routes_left"), bj::value(bj::array{"n"}));
}

TEST_P(ObjectApiTest, AModelThatAnotherConnectionServesMayGo) {
  call(Method::post, "connections", kConnection);
  call(Method::post, "connections", R"({"name":"d","provider":"openai","api_key":"x"})");
  call(Method::post, "models", R"({"name":"m","connection":"c"})");
  call(Method::post, "models", R"({"name":"m*","connection":"d"})");
  call(Method::post, "keys", R"({"name":"k"})");
  ASSERT_EQ(call(Method::post, "assignments", R"({"key":"k","model":"m"})").status, 201);
  EXPECT_EQ(call(Method::delete_, "models/m").status, 200);
  const auto refused = call(Method::delete_, "models/m%2A");
  EXPECT_EQ(refused.status, 409) << refused.body;
  EXPECT_EQ(call(Method::post, "assignments", R"({"key":"k","model":"mm"})").status, 201) << "served by the pattern";
}

// One without assignments may call every model, so the last of them leaves a key that may call none.
TEST_P(ObjectApiTest, AKeyIsClosedWhenItsLastAssignmentGoes) {
  call(Method::post, "connections", kConnection);
  call(Method::post, "models", R"({"name":"m","connection":"c"})");
  const auto key = text(json(call(Method::post, "keys", R"({"name":"k"})")), "key");
  const auto may_call = [&](std::string_view model) {
    const auto now = snapshot();
    return now->resolve(*now->authenticate(key), model).has_value();
  };
  const auto assign = [&](const char* alias) {
    return text(
        json(call(Method::post, "assignments", R"({"key":"k","model":"m","alias":")" + std::string(alias) + R"("})")),
        "id");
  };
  EXPECT_TRUE(may_call("m"));
  const auto first = assign("a");
  const auto second = assign("b");
  EXPECT_FALSE(json(call(Method::delete_, "assignments/" + first)).contains("closed_keys"));
  EXPECT_EQ(json(call(Method::delete_, "assignments/" + second)).at("closed_keys"), bj::value(bj::array{"k"}));
  EXPECT_FALSE(may_call("m"));
  const auto third = assign("c");
  EXPECT_TRUE(may_call("c"));
  EXPECT_EQ(call(Method::patch, "keys/k", R"({"models":null})").status, 200);
  EXPECT_FALSE(may_call("m"));
  EXPECT_FALSE(json(call(Method::delete_, "assignments/" + third + "?open=true")).contains("closed_keys"));
  EXPECT_TRUE(may_call("m")) << "as it was asked for";
  call(Method::post, "keys", R"({"name":"other"})");
  const auto fourth = assign("d");
  EXPECT_THAT(call(Method::patch, "assignments/" + fourth, R"({"key":"other"})").body,
              HasSubstr("an assignment stays with its key"));
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
  EXPECT_EQ(message(R"({"name":)"), "the body is not JSON: incomplete JSON at byte 9 of 8");
  EXPECT_EQ(message(R"({"name":"a"} x)"), "the body is not JSON: extra data at byte 14 of 14");
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
