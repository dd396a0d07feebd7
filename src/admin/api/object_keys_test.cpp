// Keys that come with a request: whatever they look like, no two objects have the same.
#include <boost/json.hpp>

#include "admin/api/object_api_test_support.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;

class ChosenKeyTest : public ObjectApiTest {
 protected:
  // The key that was made or given.
  std::string add(const std::string& kind, const std::string& fields) {
    const auto answer = call(Method::post, kind, fields);
    EXPECT_EQ(answer.status, 201) << answer.body;
    return answer.status == 201 ? std::string(bj::parse(answer.body).at("key").as_string()) : std::string();
  }
  void expect_taken(Method method, const std::string& path, const bj::object& fields) {
    const auto answer = call(method, path, bj::serialize(fields));
    EXPECT_EQ(answer.status, 409) << path << answer.body;
    EXPECT_THAT(answer.body, HasSubstr("another object has the same key"));
  }
};
INSTANTIATE_TEST_SUITE_P(Databases, ChosenKeyTest,
                         testing::Values(store::SqlSession::Kind::sqlite, store::SqlSession::Kind::postgres),
                         store::database_name);

// The second would be left out, and serve when the first is removed for having leaked.
TEST_P(ChosenKeyTest, NoKeyIsTwoObjects) {
  const auto made = add("keys", R"({"name":"s1"})");
  const auto chosen = add("keys", R"({"name":"s2","key":"of-my-own-choice"})");
  EXPECT_EQ(chosen, "of-my-own-choice");
  for (const std::string& key : {made, chosen}) {
    expect_taken(Method::post, "keys", {{"name", "s3"}, {"key", key}});
  }
  expect_taken(Method::patch, "keys/s2", {{"key", made}});
  EXPECT_EQ(snapshot()->authenticate(made)->name, "s1");
  EXPECT_EQ(snapshot()->authenticate(chosen)->name, "s2") << "a change that was refused took its own away";
  EXPECT_EQ(call(Method::delete_, "keys/s1").status, 200);
  EXPECT_EQ(snapshot()->authenticate(made), nullptr);
}

TEST_P(ChosenKeyTest, AKeyFromBeforeARotationIsStillTheObjects) {
  const auto before = add("keys", R"({"name":"s1"})");
  ASSERT_EQ(call(Method::post, "keys/s1/rotate", R"({"overlap":"1h"})").status, 200);
  expect_taken(Method::post, "keys", {{"name", "s2"}, {"key", before}});
  EXPECT_EQ(call(Method::patch, "keys/s1", bj::serialize(bj::object{{"key", before}})).status, 200) << "its own";
}

TEST_P(ChosenKeyTest, AdminKeysAsWell) {
  const auto made = add("admin-keys", R"({"name":"a","role":"owner"})");
  expect_taken(Method::post, "admin-keys", {{"name", "b"}, {"role", "viewer"}, {"key", made}});
}

TEST_P(ChosenKeyTest, AKeyOfTheFileIsTaken) {
  const std::string server = "[server]\nlisten = \"127.0.0.1:0\"\n";
  const std::string key = "[[keys]]\nname = \"of-the-file\"\nkey = \"of-the-file-itself\"\n";
  file_ = *control::load_config(server + key, environment_);
  expect_taken(Method::post, "keys", {{"name", "s"}, {"key", "of-the-file-itself"}});
}

}  // namespace
}  // namespace llmgw::admin
