#include "admin/api/team_scope.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>
#include <string>

#include "admin/api/object_api_test_support.h"
#include "admin/litellm/shapes.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;

bj::object json(const ApiAnswer& answer) {
  return bj::parse(answer.body).as_object();
}

std::string text(const bj::object& object, const char* member) {
  return std::string(object.at(member).as_string());
}

class TeamScopeTest : public ObjectApiTest {
 protected:
  TeamScopeTest() {
    for (const auto* body : {R"({"name":"t1"})", R"({"name":"t2"})"}) make("teams", body);
    make("users", R"({"name":"u1","teams":["t1"]})");
    make("users", R"({"name":"u12","teams":["t1","t2"]})");
    make("users", R"({"name":"u21","teams":["t2","t1"]})");
    make("users", R"({"name":"u0"})");
  }
  std::string make(const char* kind, const std::string& body) {
    const auto answer = call(Method::post, kind, body);
    EXPECT_EQ(answer.status, 201) << answer.body;
    return text(json(answer), "id");
  }
  void as_owner() { actor_ = {.name = "test", .role = AdminRole::owner}; }
  void as_admin_of(const std::string& team) { actor_ = {.name = "test", .role = AdminRole::team_admin, .team = team}; }
  ApiAnswer litellm(Method method, const std::string& path, const std::string& body = "") {
    const size_t mark = path.find('?');
    return handle_litellm({store_, file_, secrets_, environment_},
                          {.method = method,
                           .path = path.substr(0, mark),
                           .query = mark == std::string::npos ? "" : path.substr(mark + 1),
                           .body = body,
                           .if_match = "",
                           .actor = actor_,
                           .now_ms = ++now_ms_});
  }
};
INSTANTIATE_TEST_SUITE_P(Databases, TeamScopeTest,
                         testing::Values(store::SqlSession::Kind::sqlite, store::SqlSession::Kind::postgres),
                         store::database_name);

// The team that a key's calls are booked to is the one whose admin sees and changes it.
TEST_P(TeamScopeTest, AKeyIsOfTheTeamThatItsCallsAreBookedTo) {
  int made = 0;
  for (const std::string user : {"", R"(,"user":"u1")", R"(,"user":"u12")", R"(,"user":"u21")", R"(,"user":"u0")"}) {
    for (const std::string team : {"", R"(,"team":"t1")", R"(,"team":"t2")"}) {
      const std::string body = R"({"name":"k)" + std::to_string(made++) + "\"" + user + team + "}";
      static_cast<void>(call(Method::post, "keys", body));  // u1 has none of t2
    }
  }
  const auto booked = snapshot();
  ASSERT_EQ(booked->principals.size(), 14u);
  for (const std::string team : {"t1", "t2"}) {
    as_admin_of(team);
    const auto listed = json(call(Method::get, "keys"));
    for (const auto& key : booked->principals) {
      const bool of_it = key.team != control::kNone && booked->teams[key.team].name == team;
      EXPECT_EQ(call(Method::get, "keys/" + key.id).status, of_it ? 200 : 404) << key.name << " of " << team;
      EXPECT_EQ(std::ranges::any_of(listed.at("data").as_array(),
                                    [&](const bj::value& each) { return text(each.as_object(), "id") == key.id; }),
                of_it);
      // Two of u0's have a team, and are nobody's of the team's.
      const bool changes = of_it && (key.user == control::kNone || booked->users[key.user].name != "u0");
      const int expected = !of_it ? 404 : changes ? 200 : 403;
      EXPECT_EQ(call(Method::patch, "keys/" + key.id, R"({"blocked":true})").status, expected) << key.name;
    }
  }
}

TEST_P(TeamScopeTest, AKeyOfATeamByItsUserIsTheTeams) {
  const std::string id = make("keys", R"({"name":"vu1","user":"u1"})");
  make("connections", kConnection);
  make("models", R"({"name":"m","connection":"c"})");
  as_admin_of("t1");
  const auto blocked = json(call(Method::patch, "keys/vu1", R"({"blocked":true})"));
  EXPECT_FALSE(blocked.contains("team")) << "it is not written down by a change of something else";
  const std::string assigned = make("assignments", R"({"key":"vu1","alias":"a","model":"m"})");
  EXPECT_EQ(call(Method::get, "assignments/" + assigned).status, 200);
  // What is new is the team's own, wherever its user goes.
  const auto own = json(call(Method::post, "keys", R"({"name":"own","user":"u1"})"));
  EXPECT_EQ(text(own, "team_name"), "t1");
  const auto refused = call(Method::delete_, "users/u1");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, HasSubstr(id));
  as_admin_of("t2");
  EXPECT_EQ(call(Method::delete_, "users/u1?cascade=true").status, 404);
  as_admin_of("t1");
  EXPECT_EQ(call(Method::delete_, "users/u1?cascade=true").status, 200);
  EXPECT_EQ(call(Method::get, "keys/vu1").status, 404);
}

TEST_P(TeamScopeTest, TheTeamsOfLitellmListItsKeys) {
  make("keys", R"({"name":"by-user","user":"u1"})");
  make("keys", R"({"name":"by-both","user":"u1","team":"t1"})");
  make("keys", R"({"name":"of-the-other","user":"u21"})");
  for (const bool owner : {true, false}) {
    if (!owner) as_admin_of("t1");
    auto answer = litellm(Method::get, "/team/info?team_id=t1");
    ASSERT_TRUE(answer.rest) << answer.body;
    answer = answer.rest({});
    std::set<std::string> names;
    const bj::array keys = json(answer).at("keys").as_array();
    for (const auto& each : keys) names.insert(text(each.as_object(), "key_alias"));
    EXPECT_EQ(names, (std::set<std::string>{"by-user", "by-both"}));
    EXPECT_EQ(keys.size(), 2u) << "each once";
  }
}

TEST_P(TeamScopeTest, OthersAreAsIfTheyWereNotThere) {
  const std::string id = make("keys", R"({"name":"v2","team":"t2"})");
  make("connections", kConnection);
  make("models", R"({"name":"m","connection":"c"})");
  make("keys", R"({"name":"w2","team":"t2"})");
  for (const std::string key : {"v2", "w2"}) {
    make("assignments", R"({"key":")" + key + R"(","alias":"same","model":"m"})");
  }
  as_admin_of("t1");
  const auto alike = [](ApiAnswer theirs, const std::string& name, const ApiAnswer& nobodys) {
    EXPECT_EQ(theirs.status, 404);
    EXPECT_EQ(nobodys.status, 404);
    if (const size_t at = theirs.body.find("'" + name + "'"); at != std::string::npos) {
      theirs.body.replace(at + 1, name.size(), "nobody");
    }
    EXPECT_EQ(theirs.body, nobodys.body);
  };
  alike(call(Method::get, "keys/v2"), "v2", call(Method::get, "keys/nobody"));
  alike(call(Method::post, "keys/v2/rotate"), "v2", call(Method::post, "keys/nobody/rotate"));
  alike(call(Method::get, "assignments/same"), "same", call(Method::get, "assignments/nobody"));
  alike(litellm(Method::get, "/key/info?key=v2"), "v2", litellm(Method::get, "/key/info?key=nobody"));
  alike(litellm(Method::get, "/key/info?key=" + id), id, litellm(Method::get, "/key/info?key=nobody"));
  for (const auto* path : {"/key/update", "/key/block", "/key/unblock"}) {
    alike(litellm(Method::post, path, R"({"key":"v2"})"), "v2", litellm(Method::post, path, R"({"key":"nobody"})"));
  }
  alike(litellm(Method::post, "/key/delete", R"({"keys":["v2"]})"), "v2",
        litellm(Method::post, "/key/delete", R"({"keys":["nobody"]})"));
  const auto shared = litellm(Method::get, "/user/info?user_id=u12");
  ASSERT_TRUE(shared.rest) << shared.body;
  const auto teams = json(shared.rest({})).at("teams").as_array();
  EXPECT_EQ(teams.at(0), bj::value("t1"));
  EXPECT_NE(teams.at(1), bj::value("t2")) << "the name of another team";
}

// Who names somebody in what is written learns no more than who asks for them.
TEST_P(TeamScopeTest, WhoIsNamedIsAsIfTheyWereNotThere) {
  file_.users.push_back({});
  file_.users.back().name = "of-file";
  file_.users.back().teams = {"t2"};
  file_.keys.push_back({});
  file_.keys.back().name = "key-of-file";
  file_.keys.back().team = "t2";
  make("connections", kConnection);
  make("models", R"({"name":"m","connection":"c"})");
  const std::string key = make("keys", R"({"name":"v2","team":"t2"})");
  const std::string user = make("users", R"({"name":"u2","teams":["t2"]})");
  make("keys", R"({"name":"given","team":"t1","user":"u0"})");
  as_admin_of("t1");
  make("keys", R"({"name":"own"})");
  const auto body = [](std::string before, const std::string& name, const std::string& behind) {
    return before.append(name).append(behind);
  };
  const auto alike = [&](const auto& ask, const std::string& name, const std::string& before,
                         const std::string& behind) {
    // An id that nobody has is told from a name.
    std::string nobody = "nobody";
    if (name == user || name == key) nobody = name.substr(0, name.size() - 4) + "0000";
    ApiAnswer theirs = ask(body(before, name, behind));
    const ApiAnswer nobodys = ask(body(before, nobody, behind));
    EXPECT_EQ(theirs.status, 400) << theirs.body;
    if (const size_t at = theirs.body.find("'" + name + "'"); at != std::string::npos) {
      theirs.body.replace(at + 1, name.size(), nobody);
    }
    EXPECT_EQ(theirs.status, nobodys.status);
    EXPECT_EQ(theirs.body, nobodys.body);
  };
  const auto makes_key = [&](const std::string& text) { return call(Method::post, "keys", text); };
  const auto changes_key = [&](const std::string& text) { return call(Method::patch, "keys/own", text); };
  const auto makes_user = [&](const std::string& text) { return call(Method::post, "users", text); };
  const auto assigns = [&](const std::string& text) { return call(Method::post, "assignments", text); };
  const auto generates = [&](const std::string& text) { return litellm(Method::post, "/key/generate", text); };
  for (const std::string& of : {user, std::string("u2"), std::string("u0"), std::string("of-file")}) {
    alike(makes_key, of, R"({"name":"k","user":")", "\"}");
    alike(changes_key, of, R"({"user":")", "\"}");
    alike(generates, of, R"({"key_alias":"k","user_id":")", "\"}");
  }
  alike(makes_key, "t2", R"({"name":"k","team":")", "\"}");
  alike(changes_key, "t2", R"({"team":")", "\"}");
  alike(generates, "t2", R"({"key_alias":"k","team_id":")", "\"}");
  alike(makes_user, "t2", R"({"name":"u","teams":["t1",")", "\"]}");
  for (const std::string& of : {key, std::string("v2"), std::string("key-of-file")}) {
    alike(assigns, of, R"({"model":"m","alias":"a","key":")", "\"}");
  }
  // What a key of the team names already is shown with it.
  EXPECT_EQ(call(Method::patch, "keys/given", R"({"blocked":true})").status, 403);
}

}  // namespace
}  // namespace llmgw::admin
