#include "store/objects/gateway_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

// A gateway is there from its first connection to the end of its thread, with a database that an older program made.
TEST_P(GatewayListTest, AThreadEntersAndLeaves) {
  ASSERT_TRUE(store_.session().query("DROP TABLE gateways"));
  std::promise<void> entered;
  {
    bool once = false;
    ObjectThread thread({.connect = [this] { return database_.open(); },
                         .saved_path = {},
                         .beat =
                             [&](ObjectStore& store) {
                               EXPECT_TRUE(enter_gateway(
                                   store.session(), {.instance = "1", .host = "here", .key_file = {}, .key_ids = {}}));
                               if (!once) entered.set_value();
                               once = true;
                             },
                         .leave = [](ObjectStore& store) { EXPECT_TRUE(leave_gateway(store.session(), "1")); },
                         .on_loaded = [](const ObjectThread::Loaded&) { return true; }});
    entered.get_future().wait();
    EXPECT_THAT(running(), ElementsAre("here"));
  }
  EXPECT_THAT(running(), ElementsAre());
}

}  // namespace
}  // namespace llmgw::store
