#include "store/objects/gateway_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>

#include "store/objects/object_store.h"
#include "store/objects/object_thread.h"
#include "store/sql/test_databases.h"

namespace llmgw::store {
namespace {

using testing::ElementsAre;

class GatewayListTest : public BothDatabases {
 protected:
  std::vector<std::string> running() {
    const auto gateways = running_gateways(store_.session());
    EXPECT_TRUE(gateways);
    std::vector<std::string> hosts;
    if (!gateways) return hosts;
    for (const GatewayEntry& each : *gateways) hosts.push_back(each.host);
    return hosts;
  }

  ObjectStore store_{std::move(*ObjectStore::open(std::move(*database_.open())))};
};
INSTANTIATE_TEST_SUITE_P(Databases, GatewayListTest,
                         testing::Values(SqlSession::Kind::sqlite, SqlSession::Kind::postgres), database_name);

TEST_P(GatewayListTest, HasThoseThatEnteredLately) {
  SqlSession& session = store_.session();
  EXPECT_THAT(running(), ElementsAre());
  ASSERT_TRUE(enter_gateway(session, {.instance = "1", .host = "b", .key_file = "b:/key", .key_ids = {"x", "y"}}));
  ASSERT_TRUE(enter_gateway(session, {.instance = "2", .host = "a", .key_file = {}, .key_ids = {}}));
  EXPECT_THAT(running(), ElementsAre("a", "b"));
  ASSERT_TRUE(enter_gateway(session, {.instance = "1", .host = "b", .key_file = "b:/key", .key_ids = {"z", "x"}}));
  const auto gateways = running_gateways(session);
  ASSERT_TRUE(gateways && gateways->size() == 2);
  EXPECT_THAT((*gateways)[1].key_ids, ElementsAre("z", "x"));
  EXPECT_EQ((*gateways)[1].key_file, "b:/key");
  EXPECT_THAT((*gateways)[0].key_ids, ElementsAre());
  const auto age = [&](std::string_view instance, std::chrono::seconds by) {
    return session.query("UPDATE gateways SET seen = seen - $1 WHERE instance = $2", {int64_t{by.count()}, instance});
  };
  ASSERT_TRUE(age("1", kGatewayGone / 2));
  EXPECT_THAT(running(), ElementsAre("a", "b"));
  EXPECT_GE(running_gateways(session)->at(1).seconds_ago, (kGatewayGone / 2).count());
  ASSERT_TRUE(age("1", kGatewayGone));
  EXPECT_THAT(running(), ElementsAre("a")) << "nobody has heard of it for long";
  ASSERT_TRUE(leave_gateway(session, "2"));
  EXPECT_THAT(running(), ElementsAre());
}

// The list is of use beside the store, and never instead of it.
TEST_P(GatewayListTest, ALockedTableHoldsUpNobodyForLong) {
  if (GetParam() == SqlSession::Kind::sqlite) GTEST_SKIP() << "has one lock for all";
  const auto other = *database_.open();
  ASSERT_TRUE(other->begin());
  ASSERT_TRUE(other->query("LOCK TABLE gateways"));
  EXPECT_FALSE(enter_gateway(store_.session(), {.instance = "1", .host = "a", .key_file = {}, .key_ids = {}}));
  EXPECT_FALSE(store_.session().broken());
  EXPECT_TRUE(store_.revision());
  ASSERT_TRUE(other->query("ROLLBACK"));
  EXPECT_TRUE(enter_gateway(store_.session(), {.instance = "1", .host = "a", .key_file = {}, .key_ids = {}}));
  EXPECT_THAT(running(), ElementsAre("a"));
  const auto limit = store_.session().query("SHOW statement_timeout");
  ASSERT_TRUE(limit);
  EXPECT_EQ(limit->text(0, 0), "0") << "of the other statements";
}

TEST_P(GatewayListTest, AStoreThatIsOnlyReadIsOpenedWithoutIt) {
  if (GetParam() == SqlSession::Kind::sqlite) GTEST_SKIP() << "has no such setting";
  SqlSession& session = store_.session();
  ASSERT_TRUE(session.query("DROP TABLE gateways"));
  ASSERT_TRUE(
      session.query("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', "
                    "current_database()); END $$"));
  auto opened = ObjectStore::open(*database_.open());
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->revision());
}

// Whoever posts meanwhile does not wait, and the end comes in time.
TEST_P(GatewayListTest, AThreadDoesNotStayToLeave) {
  if (GetParam() == SqlSession::Kind::sqlite) GTEST_SKIP() << "of PostgreSQL's alone";
  std::promise<void> entered;
  std::atomic<bool> posted{true};
  std::atomic<bool> left{true};
  ObjectThread* self = nullptr;
  bool once = false;
  ObjectThread thread({.connect = [this](Making) { return database_.open(); },
                       .saved_path = {},
                       .leave =
                           [&](ObjectStore& store) {
                             posted = self->post([](ObjectStore*) {});
                             left = store.session().query("SELECT pg_sleep(600)").has_value();
                           },
                       .on_loaded =
                           [&](const ObjectThread::Loaded&) {
                             if (!once) entered.set_value();
                             once = true;
                             return true;
                           }});
  self = &thread;
  entered.get_future().wait();
  const auto began = std::chrono::steady_clock::now();
  thread.stop();
  // Its session alone would have waited for half a minute.
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
  // A machine under load may have been too slow for it to say anything.
  if (!left) EXPECT_FALSE(posted);
}

// A gateway is there from its first connection to the end of its thread, with a database that an older program made.
TEST_P(GatewayListTest, AThreadEntersAndLeaves) {
  ASSERT_TRUE(store_.session().query("DROP TABLE gateways"));
  // A machine under load may be too slow for what it says at the end.
  bool left = false;
  for (int attempt = 0; attempt < 20 && !left; ++attempt) {
    std::promise<void> entered;
    bool once = false;
    ObjectThread thread({.connect = [this](Making) { return database_.open(); },
                         .saved_path = {},
                         .beat =
                             [&](ObjectStore& store) {
                               const bool in =
                                   enter_gateway(store.session(),
                                                 {.instance = "1", .host = "here", .key_file = {}, .key_ids = {}})
                                       .has_value();
                               if (in && !once) entered.set_value();
                               once = once || in;
                             },
                         .leave = [&](ObjectStore& store) { left = leave_gateway(store.session(), "1").has_value(); },
                         .on_loaded = [](const ObjectThread::Loaded&) { return true; }});
    entered.get_future().wait();
    EXPECT_THAT(running(), ElementsAre("here"));
  }
  EXPECT_TRUE(left);
  EXPECT_THAT(running(), ElementsAre());
}

}  // namespace
}  // namespace llmgw::store
