// Changes that another gateway's, or a command's, overtakes between their reading and their writing.
#include <boost/json.hpp>
#include <functional>

#include "admin/api/object_api_test_support.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using store::ObjectChange;

// Lets somebody else write before each of the next transactions.
class OvertakenSession final : public store::SqlSession {
 public:
  struct Others {
    int times = 0;
    std::function<void()> write = {};
  };
  OvertakenSession(std::unique_ptr<SqlSession> inner, Others& others) : inner_(std::move(inner)), others_(others) {}

  Kind kind() const override { return inner_->kind(); }
  base::Result<store::SqlRows> query(std::string_view sql, store::SqlValues values) override {
    return inner_->query(sql, values);
  }
  base::Result<void> begin() override {
    if (others_.times > 0) {
      --others_.times;
      others_.write();
    }
    return inner_->begin();
  }
  base::Result<void> announce() override { return inner_->announce(); }
  bool hears_changes() const override { return inner_->hears_changes(); }
  base::Result<bool> wait_for_change(base::Duration limit, int wake) override {
    return inner_->wait_for_change(limit, wake);
  }
  bool broken() const override { return inner_->broken(); }

 private:
  std::unique_ptr<SqlSession> inner_;
  Others& others_;
};

class OvertakenTest : public ObjectApiTest {
 protected:
  OvertakenTest() : elsewhere_(*store::ObjectStore::open(std::move(*database_.open()))) {
    store_ = *store::ObjectStore::open(std::make_unique<OvertakenSession>(std::move(*database_.open()), others_));
  }
  bj::object made(const std::string& kind, const std::string& fields) {
    const auto answer = call(Method::post, kind, fields);
    EXPECT_EQ(answer.status, 201) << answer.body;
    return bj::parse(answer.body).as_object();
  }
  // Another gateway sets a field of the object, before each of the next writes here.
  void overtake(int times, const bj::object& object, const char* field) {
    others_ = {.times = times, .write = [this, id = std::string(object.at("id").as_string()), field] {
                 ObjectChange change{.action = ObjectChange::Action::update, .object = **elsewhere_.get(id)};
                 bj::object document = bj::parse(change.object.document).as_object();
                 document[field] = ++written_;
                 change.object.document = bj::serialize(document);
                 EXPECT_EQ(elsewhere_.apply({&change, 1}, {}, 1)->outcome, store::Applied::done);
               }};
  }

  OvertakenSession::Others others_;
  store::ObjectStore elsewhere_;
  int written_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Databases, OvertakenTest,
                         testing::Values(store::SqlSession::Kind::sqlite, store::SqlSession::Kind::postgres),
                         store::database_name);

TEST_P(OvertakenTest, AChangeOfWhateverIsThereIsMadeAfterTheOther) {
  const auto key = made("keys", R"({"name":"k"})");
  overtake(3, key, "rpm");
  const auto changed = call(Method::patch, "keys/k", R"({"tags":["x"]})");
  EXPECT_EQ(changed.status, 200) << changed.body;
  const auto shown = bj::parse(call(Method::get, "keys/k").body).as_object();
  EXPECT_EQ(shown.at("rpm"), bj::value(3)) << "the others' is not lost";
  EXPECT_EQ(shown.at("tags"), bj::value(bj::array{"x"}));
  overtake(1, key, "rpm");
  EXPECT_EQ(call(Method::post, "keys/k/rotate", "{}").status, 200);
  overtake(1, key, "rpm");
  EXPECT_EQ(call(Method::delete_, "keys/k").status, 200);
}

TEST_P(OvertakenTest, AChangeOfOneVersionIsRefused) {
  const auto key = made("keys", R"({"name":"k"})");
  if_match_ = R"("1")";
  for (const Method method : {Method::patch, Method::delete_}) {
    overtake(1, key, "rpm");
    const auto refused = call(method, "keys/k", "{}");
    EXPECT_EQ(refused.status, 412) << refused.body;
    EXPECT_THAT(refused.body, HasSubstr("its ETag is"));
    if_match_ = R"("2")";
  }
  if_match_ = "*";
  overtake(1, key, "rpm");
  EXPECT_EQ(call(Method::patch, "keys/k", R"({"tags":["x"]})").status, 200);
}

TEST_P(OvertakenTest, WhoNeverComesToItIsToldSo) {
  overtake(1000, made("keys", R"({"name":"k"})"), "rpm");
  const auto refused = call(Method::patch, "keys/k", R"({"tags":["x"]})");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, HasSubstr("nothing was changed"));
}

// What comes to depend on it meanwhile goes with it.
TEST_P(OvertakenTest, ARemovalTakesWhatWasAddedMeanwhile) {
  const auto connection = made("connections", kConnection);
  others_ = {.times = 1, .write = [&] {
               const std::string id(connection.at("id").as_string());
               const ObjectChange change{.object = {.id = store::make_object_id("mdl_", ++now_ms_),
                                                    .kind = "model",
                                                    .name = "m",
                                                    .natural_key = "m\n" + id,
                                                    .document = R"({"name":"m","connection":")" + id + R"("})"},
                                         .references = {id}};
               EXPECT_EQ(elsewhere_.apply({&change, 1}, {}, 1)->outcome, store::Applied::done);
             }};
  const auto removed = call(Method::delete_, "connections/c?cascade=true");
  EXPECT_EQ(removed.status, 200) << removed.body;
  EXPECT_EQ(bj::parse(removed.body).at("removed").as_array().size(), 2u);
}

}  // namespace
}  // namespace llmgw::admin
