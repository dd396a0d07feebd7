#include "admin/api/removal.h"

#include <boost/json.hpp>

#include "admin/api/object_api_test_support.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;

bj::object json(const ApiAnswer& answer) {
  return bj::parse(answer.body).as_object();
}

std::string text(const bj::object& object, const char* member) {
  return std::string(object.at(member).as_string());
}

class RemovalTest : public ObjectApiTest {};
INSTANTIATE_TEST_SUITE_P(Databases, RemovalTest,
                         testing::Values(store::SqlSession::Kind::sqlite, store::SqlSession::Kind::postgres),
                         store::database_name);

TEST_P(RemovalTest, RemovalsAskFirst) {
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

// A list of the largest page says that there are more, and a cascade takes what is behind that page, too.
TEST_P(RemovalTest, MoreThanTheLargestPage) {
  const auto team = text(json(call(Method::post, "teams", R"({"name":"t"})")), "id");
  std::vector<store::ObjectChange> changes;
  for (size_t i = 0; i <= store::ObjectStore::kPageMax; ++i) {
    const std::string name = "k" + std::to_string(i);
    changes.push_back({.object = {.id = store::make_object_id("vkey_", ++now_ms_),
                                  .kind = "key",
                                  .name = name,
                                  .natural_key = name,
                                  .document = R"({"name":")" + name + R"(","team":")" + team + R"("})"},
                       .references = {team}});
  }
  const auto made = store_.apply(changes, {}, now_ms_);
  ASSERT_TRUE(made && made->outcome == store::Applied::done);
  const auto page = json(call(Method::get, "keys?limit=1000"));
  EXPECT_EQ(page.at("data").as_array().size(), 1000u);
  EXPECT_EQ(page.at("has_more"), bj::value(true));
  const auto rest = json(call(Method::get, "keys?limit=1000&after=" + text(page, "last_id")));
  EXPECT_EQ(rest.at("data").as_array().size(), 1u);
  EXPECT_EQ(rest.at("has_more"), bj::value(false));
  EXPECT_THAT(call(Method::delete_, "teams/t").body, HasSubstr(" and 991 more"));
  EXPECT_EQ(json(call(Method::delete_, "teams/t?cascade=true")).at("removed").as_array().size(), 1002u);
  EXPECT_TRUE(store_.list({.kind = "key"})->objects.empty());
}

TEST_P(RemovalTest, AUserOfOtherTeamsOnlyLeavesTheOneThatGoes) {
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

TEST_P(RemovalTest, RemovalsNameWhatGoesByAModelsName) {
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

TEST_P(RemovalTest, AModelThatAnotherConnectionServesMayGo) {
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

// Of one connection no other is asked: without its model there the assignment would lead nowhere.
TEST_P(RemovalTest, AModelThatIsAssignedOnItsConnectionIsNeededThere) {
  call(Method::post, "connections", kConnection);
  call(Method::post, "connections", R"({"name":"d","provider":"openai","api_key":"x"})");
  call(Method::post, "connections", R"({"name":"e","provider":"openai","api_key":"x"})");
  const auto add = [&](const char* name, const char* on) {
    const auto made = call(Method::post, "models", bj::serialize(bj::object{{"name", name}, {"connection", on}}));
    return "models/" + text(json(made), "id");
  };
  const auto on_c = add("m", "c");
  const auto on_d = add("m", "d");
  const auto pattern = add("g-*", "c");
  call(Method::post, "keys", R"({"name":"k","models":[]})");
  for (const char* model : {"m", "g-1"}) {
    const bj::object assignment{{"key", "k"}, {"model", model}, {"connection", "c"}};
    ASSERT_EQ(call(Method::post, "assignments", bj::serialize(assignment)).status, 201) << model;
  }
  for (const auto& [model, alias] : {std::pair(on_c, "'m'"), std::pair(pattern, "'g-1'")}) {
    const auto refused = call(Method::delete_, model);
    EXPECT_EQ(refused.status, 409) << alias;
    EXPECT_THAT(refused.body, HasSubstr("the assignment " + std::string(alias)));
  }
  for (const char* patch : {R"({"name":"n"})", R"({"connection":"e"})"}) {
    const auto refused = call(Method::patch, on_c, patch);
    EXPECT_EQ(refused.status, 409) << patch;
    EXPECT_THAT(refused.body, HasSubstr("the assignment 'm'"));
  }
  EXPECT_EQ(call(Method::patch, on_d, R"({"connection":"e"})").status, 200) << "nobody is assigned it there";
  EXPECT_EQ(call(Method::delete_, on_d).status, 200);
  EXPECT_EQ(snapshot()->assignments.size(), 2u);
  EXPECT_EQ(json(call(Method::delete_, on_c + "?cascade=true")).at("removed").as_array().size(), 2u);
  EXPECT_EQ(snapshot()->assignments.size(), 1u);
  add("g-1", "c");
  EXPECT_EQ(call(Method::delete_, pattern).status, 200) << "another serves it there";
}

// One without assignments may call every model, so the last of them leaves a key that may call none.
TEST_P(RemovalTest, AKeyIsClosedWhenItsLastAssignmentGoes) {
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

TEST_P(RemovalTest, AModelThatIsCalledByItsNameIsNotRenamed) {
  call(Method::post, "connections", kConnection);
  for (const char* name : {"m", "n"}) {
    call(Method::post, "models", R"({"connection":"c","name":")" + std::string(name) + R"("})");
  }
  const auto id = text(json(call(Method::get, "models/m")), "id");
  call(Method::post, "keys", R"({"name":"k"})");
  ASSERT_EQ(call(Method::post, "assignments", R"({"key":"k","model":"m","alias":"a"})").status, 201);
  ASSERT_EQ(call(Method::post, "assignments", R"({"key":"k","alias":"b","model":")" + id + "\"}").status, 201);
  ASSERT_EQ(call(Method::post, "routes", R"({"models":["n"],"fallbacks":["m"]})").status, 201);
  const auto refused = call(Method::patch, "models/m", R"({"name":"new"})");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, testing::AllOf(HasSubstr("the assignment 'a' (asg_"), HasSubstr("the route 'n' (route_"),
                                           testing::Not(HasSubstr("'b'"))));
  EXPECT_EQ(call(Method::patch, "models/m", R"({"name":"m*"})").status, 200) << "which serves that name as well";
  EXPECT_EQ(call(Method::patch, "models/m%2A", R"({"name":"m"})").status, 200);
  call(Method::post, "connections", R"({"name":"d","provider":"openai","api_key":"x"})");
  call(Method::post, "models", R"({"name":"m","connection":"d"})");
  EXPECT_EQ(call(Method::patch, "models/" + id, R"({"name":"new"})").status, 200) << "another serves the name";
}

// An id is no name that a pattern could have served.
// Its next calls would cost something else, or nobody would know what.
TEST_P(RemovalTest, PricesStayWithTheirConnection) {
  call(Method::post, "connections", R"({"name":"eu","provider":"vllm","endpoint":"http://eu"})");
  call(Method::post, "connections", R"({"name":"vllm","provider":"vllm","endpoint":"http://vllm"})");
  for (const char* by : {"eu", "eu:flex", "vllm", "europe"}) {
    const std::string price = std::string(R"({"provider":")") + by + R"(","model":"m","input":"1","output":"2"})";
    ASSERT_EQ(call(Method::post, "prices", price).status, 201) << by;
  }
  const auto refused = call(Method::patch, "connections/eu", R"({"name":"eu2"})");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, HasSubstr("the price 'eu/m'"));
  EXPECT_THAT(refused.body, HasSubstr("the price 'eu:flex/m'"));
  EXPECT_THAT(refused.body, testing::Not(HasSubstr("europe")));
  EXPECT_EQ(call(Method::patch, "connections/eu", R"({"name":"eu","priority":2})").status, 200) << "it keeps its name";
  EXPECT_EQ(call(Method::patch, "connections/vllm", R"({"name":"other"})").status, 200) << "they are the provider's";
  EXPECT_EQ(call(Method::delete_, "connections/eu").status, 409);
  EXPECT_EQ(json(call(Method::delete_, "connections/eu?cascade=true")).at("removed").as_array().size(), 3u);
  EXPECT_EQ(json(call(Method::get, "prices")).at("data").as_array().size(), 2u);
}

TEST_P(RemovalTest, APriceOfLongerPromptsIsNotLeftInSilence) {
  const auto add = [&](std::string_view more) {
    const std::string price = R"({"provider":"p","model":"m","input":"1","output":"2")" + std::string(more) + "}";
    return call(Method::post, "prices", price).status;
  };
  ASSERT_EQ(add(""), 201);
  ASSERT_EQ(add(R"(,"above_tokens":100)"), 201);
  ASSERT_EQ(call(Method::post, "prices", R"({"provider":"p","model":"m2","input":"1","output":"2"})").status, 201);
  const auto removed = json(call(Method::delete_, "prices/p%2Fm"));
  EXPECT_EQ(removed.at("removed").as_array().size(), 1u);
  EXPECT_EQ(removed.at("prices_left"), bj::value(bj::array{"p/m/above-100"}));
  EXPECT_FALSE(json(call(Method::delete_, "prices/p%2Fm%2Fabove-100")).contains("prices_left"));
  EXPECT_FALSE(json(call(Method::delete_, "prices/p%2Fm2")).contains("prices_left"));
}

TEST_P(RemovalTest, AModelThatListsNameIsNotRenamed) {
  call(Method::post, "connections", kConnection);
  call(Method::post, "models", R"({"name":"m-1","connection":"c"})");
  call(Method::post, "keys", R"({"name":"by-name","models":["m-1"]})");
  const auto refused = call(Method::patch, "models/m-1", R"({"name":"m-2"})");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, HasSubstr("the key 'by-name'"));
  EXPECT_EQ(call(Method::patch, "keys/by-name", R"({"models":["m-*"]})").status, 200);
  EXPECT_EQ(call(Method::patch, "models/m-1", R"({"name":"m-2"})").status, 200) << "the pattern has both";
  EXPECT_EQ(call(Method::patch, "models/m-2", R"({"name":"n"})").status, 409);
  EXPECT_EQ(call(Method::delete_, "models/m-2").status, 200) << "the list stays";
}

TEST_P(RemovalTest, APatternTakesNoneOfAnotherModels) {
  call(Method::post, "connections", kConnection);
  call(Method::post, "models", R"({"name":"*","connection":"c"})");
  const auto id = text(json(call(Method::post, "models", R"({"name":"m","connection":"c"})")), "id");
  call(Method::post, "keys", R"({"name":"k"})");
  ASSERT_EQ(call(Method::post, "assignments", R"({"key":"k","alias":"a","model":")" + id + "\"}").status, 201);
  EXPECT_EQ(call(Method::delete_, "models/%2A").status, 200);
  EXPECT_EQ(snapshot()->assignments.size(), 1u);
}

// What is assigned to a key of the store that the file hides governs the file's key.
TEST_P(RemovalTest, AHiddenKeyDoesNotOpenTheFiles) {
  call(Method::post, "connections", kConnection);
  call(Method::post, "models", R"({"name":"m","connection":"c"})");
  call(Method::post, "keys", R"({"name":"k"})");
  const auto assigned = json(call(Method::post, "assignments", R"({"key":"k","model":"m","alias":"a"})"));
  const std::string server = "[server]\nlisten = \"127.0.0.1:0\"\n";
  file_ = *control::load_config(server + "[[keys]]\nname = \"k\"\nkey = \"sk-of-the-file\"\n", environment_);
  for (const auto& answer :
       {call(Method::delete_, "keys/k"), call(Method::delete_, "assignments/" + text(assigned, "id"))}) {
    EXPECT_EQ(answer.status, 409);
    EXPECT_THAT(answer.body, testing::AllOf(HasSubstr("could then call every model"), HasSubstr("--open")));
  }
  EXPECT_THAT(call(Method::patch, "keys/k", R"({"name":"other"})").body, HasSubstr("could then call every model"));
  const auto now = [&] {
    const control::StoredObjects stored{.revision = 1, .objects = store_.load_all()->objects, .secrets = secrets_};
    return control::merge_snapshot(file_, &stored, environment_, {.version = 1, .hash_key = {1, 2}})->snapshot;
  };
  const auto before = now();
  EXPECT_FALSE(before->resolve(*before->authenticate("sk-of-the-file"), "m").has_value());
  EXPECT_EQ(call(Method::delete_, "keys/k?open=true").status, 200);
  const auto after = now();
  EXPECT_TRUE(after->resolve(*after->authenticate("sk-of-the-file"), "m").has_value()) << "as it was asked for";
}

}  // namespace
}  // namespace llmgw::admin
