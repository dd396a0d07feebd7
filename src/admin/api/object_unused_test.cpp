// Objects that are not used say why, wherever they are shown.
#include <boost/json.hpp>

#include "admin/api/object_api_test_support.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;

class UnusedObjectTest : public ObjectApiTest {
 protected:
  // As a gateway does that puts the store's objects in force.
  void put_in_force() {
    const control::StoredObjects stored{.revision = 1, .objects = store_.load_all()->objects, .secrets = secrets_};
    const auto merged = control::merge_snapshot(file_, &stored, environment_, {});
    ASSERT_TRUE(merged);
    unused_ = unused_of(merged->notes);
  }
  bj::object shown(const std::string& path) { return bj::parse(call(Method::get, path).body).as_object(); }
};
INSTANTIATE_TEST_SUITE_P(Databases, UnusedObjectTest,
                         testing::Values(store::SqlSession::Kind::sqlite, store::SqlSession::Kind::postgres),
                         store::database_name);

TEST_P(UnusedObjectTest, ListsAndTheObjectItselfGiveTheReason) {
  call(Method::post, "connections", kConnection);
  call(Method::post, "connections", R"({"name":"d","provider":"openai","api_key":"x"})");
  call(Method::post, "models", R"({"name":"m","connection":"c"})");
  call(Method::post, "keys", R"({"name":"k","models":["gone"]})");
  store::ObjectChange broken{.action = store::ObjectChange::Action::update,
                             .object = store_.list({.kind = "connection", .name = "c"})->objects.at(0)};
  broken.object.document = R"({"name":"c","provider":"gone-in-this-version"})";
  ASSERT_EQ(store_.apply({&broken, 1}, {}, 1)->outcome, store::Applied::done);
  EXPECT_FALSE(shown("connections/c").contains("problem")) << "nobody has put it in force";
  put_in_force();
  EXPECT_THAT(std::string(shown("connections/c").at("problem").as_string()), HasSubstr("no such provider"));
  EXPECT_THAT(std::string(shown("models/m").at("problem").as_string()), HasSubstr("no connection 'c'"));
  EXPECT_FALSE(shown("connections/d").contains("problem"));
  EXPECT_FALSE(shown("keys/k").contains("problem")) << "it is used, whatever it may mean";
  const auto listed = shown("connections").at("data").as_array();
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_TRUE(listed[0].as_object().contains("problem"));
  EXPECT_FALSE(listed[1].as_object().contains("problem"));
  // What was read may be sent back whole.
  auto mended = shown("connections/c");
  mended["provider"] = "openai";
  mended["api_key"] = "y";
  const auto answer = call(Method::patch, "connections/c", bj::serialize(mended));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_FALSE(bj::parse(answer.body).as_object().contains("problem"));
  put_in_force();
  EXPECT_FALSE(shown("models/m").contains("problem"));
}

}  // namespace
}  // namespace llmgw::admin
