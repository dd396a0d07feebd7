#include "admin/oidc/revoked_sessions.h"

#include <gtest/gtest.h>

#include "store/sql/test_databases.h"

namespace llmgw::admin {
namespace {

constexpr int64_t kNow = 1'800'000'000;

class RevokedSessionsTest : public store::BothDatabases {
 protected:
  store::ObjectStore open() { return *store::ObjectStore::open(std::move(*database_.open())); }
  static RevokedSessions load(store::ObjectStore& store) { return RevokedSessions(store.load_all()->objects); }
  static base::Result<void> end(store::ObjectStore& store, const SessionMark& session, int64_t now = kNow) {
    return revoke_session(store, session, {.actor = "user jane@example.com", .action = "sign-out"}, now * 1000);
  }
};
INSTANTIATE_TEST_SUITE_P(Databases, RevokedSessionsTest,
                         testing::Values(store::SqlSession::Kind::sqlite, store::SqlSession::Kind::postgres),
                         store::database_name);

TEST_P(RevokedSessionsTest, AreKnownToEveryGatewayAndForgottenWhenTheyWouldBeOver) {
  auto one = open();
  auto other = open();
  const SessionMark first{.id = "first", .issued = kNow - 10, .until = kNow + 100};
  const SessionMark second{.id = "second", .issued = kNow - 10, .until = kNow + 9000};
  EXPECT_FALSE(load(one).has(first));
  ASSERT_TRUE(end(one, first));
  ASSERT_TRUE(end(other, second));
  EXPECT_TRUE(load(one).has(first) && load(one).has(second) && load(other).has(first));
  EXPECT_FALSE(load(other).has({.id = "third", .issued = kNow - 10, .until = kNow + 100}));
  EXPECT_EQ(one.audit(0, 10)->front().action, "sign-out");
  ASSERT_TRUE(end(one, {.id = "fourth", .issued = kNow, .until = kNow + 9000}, kNow + 500));
  EXPECT_FALSE(load(one).has(first)) << "it is over, and not kept for ever";
  EXPECT_TRUE(load(one).has(second));
}

TEST_P(RevokedSessionsTest, AreBounded) {
  auto store = open();
  // As if so many had signed out.
  std::string ended;
  for (size_t i = 0; i < kRevokedSessionsMax; ++i) {
    ended += (i == 0 ? "\"s" : ",\"s") + std::to_string(i) + "\":" + std::to_string(kNow + 9000);
  }
  const store::ObjectChange change{.object = {.id = std::string(kRevokedSessionsId),
                                              .kind = "internal",
                                              .name = "revoked_sessions",
                                              .natural_key = "revoked_sessions",
                                              .document = "{\"ended\":{" + ended + "}}"}};
  ASSERT_TRUE(store.apply({&change, 1}, {}, kNow * 1000));
  const SessionMark live{.id = "live", .issued = kNow - 10, .until = kNow + 9000};
  EXPECT_TRUE(load(store).has({.id = "s77", .issued = kNow - 10, .until = kNow + 9000}));
  EXPECT_FALSE(load(store).has(live));
  ASSERT_TRUE(end(store, {.id = "one more", .issued = kNow - 10, .until = kNow + 9000}));
  EXPECT_TRUE(load(store).has({.id = "s77", .issued = kNow - 10, .until = kNow + 9000}));
  EXPECT_TRUE(load(store).has(live)) << "rather than forget one that was ended";
  EXPECT_FALSE(load(store).has({.id = "new", .issued = kNow + 1, .until = kNow + 9000}));
  EXPECT_LT(store.get(kRevokedSessionsId)->value().document.size(), 200u);
}

}  // namespace
}  // namespace llmgw::admin
