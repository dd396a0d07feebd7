#include "control/ledger/ledger_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "store/sql/test_databases.h"

namespace llmgw::control {
namespace {

using accounting::LedgerRecord;
using accounting::LedgerText;

class LedgerStoreTest : public store::BothDatabases {
 protected:
  void add(const std::vector<LedgerRecord>& records) {
    Rollup rollup;
    for (const LedgerRecord& record : records) rollup.add(record);
    const auto added = store_.add(rollup, {});
    EXPECT_TRUE(added);
  }
  RollupSums total() {
    const auto rows = store_.report({.by = {}});
    EXPECT_TRUE(rows && rows->size() == 1);
    return rows && rows->size() == 1 ? rows->front().sums : RollupSums();
  }
  std::map<uint64_t, int64_t> charged(std::vector<uint64_t> identities, int64_t quarter = 0) {
    const auto sums = store_.charged_since(identities, quarter);
    EXPECT_TRUE(sums);
    return sums ? std::map<uint64_t, int64_t>(sums->begin(), sums->end()) : std::map<uint64_t, int64_t>();
  }

  LedgerStore store_{std::move(*LedgerStore::open(std::move(*database_.open())))};
};
INSTANTIATE_TEST_SUITE_P(Databases, LedgerStoreTest,
                         testing::Values(store::SqlSession::Kind::sqlite, store::SqlSession::Kind::postgres),
                         store::database_name);

LedgerRecord record_at(int64_t quarter, int64_t nano, uint64_t tokens, std::string_view key, std::string_view charged) {
  LedgerRecord record{.time = quarter * kQuarterSeconds * 1'000'000'000, .priced = true, .usage = {}, .texts = {}};
  record.nano_dollars = nano;
  record.usage.input = tokens;
  record.usage.output = tokens / 2;
  record.text(LedgerText::key) = key;
  record.text(LedgerText::charged) = charged;
  return record;
}

constexpr std::string_view kSeven("\x07\0\0\0\0\0\0\0", 8);
constexpr std::string_view kEight("\x08\0\0\0\0\0\0\0", 8);

LedgerRecord batch_at(int64_t quarter, int64_t nano, std::string_view batch, std::string_view model,
                      std::string_view key, std::string_view charged) {
  LedgerRecord record = record_at(quarter, nano, 100, key, charged);
  record.text(LedgerText::provider) = "openai";
  record.text(LedgerText::upstream_model) = model;
  record.text(LedgerText::model) = model;
  record.text(LedgerText::batch) = batch;
  record.text(LedgerText::end_user) = "somebody";
  return record;
}

TEST_P(LedgerStoreTest, ABatchIsChargedOnceWhoeverLooksAndWhenever) {
  add({batch_at(1, 500, "b1", "m", "a", kSeven), record_at(1, 3, 10, "a", kSeven),
       batch_at(1, 500, "b1", "m", "b", kEight)});
  EXPECT_EQ(total().nano_dollars, 503);
  EXPECT_EQ(total().calls, 2);
  // Of one batch another model, of another batch, and of another provider.
  LedgerRecord elsewhere = batch_at(2, 1, "b1", "m", "a", kSeven);
  elsewhere.text(LedgerText::provider) = "azure";
  add({batch_at(2, 500, "b1", "m", "a", kSeven), batch_at(2, 20, "b1", "n", "a", kSeven),
       batch_at(2, 4, "b2", "m", "b", kEight), elsewhere});
  EXPECT_EQ(total().nano_dollars, 528);
  EXPECT_EQ(total().input, 10 + 4 * 100);
  EXPECT_EQ(charged({7, 8}), (std::map<uint64_t, int64_t>{{7, 524}, {8, 4}}));
  const auto by_user = store_.report({.by = {ReportColumn::end_user, ReportColumn::model}});
  ASSERT_TRUE(by_user);
  EXPECT_EQ(by_user->size(), 3u) << "the two models of somebody's, and the call of nobody's";
}

TEST_P(LedgerStoreTest, WhoMadeABatchPaysForItWhoeverLooks) {
  const std::string both = std::string(kSeven) + std::string(kEight);
  LedgerRecord making = record_at(1, 0, 0, "maker", both);
  making.text(LedgerText::provider) = "openai";
  making.text(LedgerText::made_batch) = "b1";
  making.text(LedgerText::team) = "its team";
  making.text(LedgerText::tags) = "nightly";
  add({making});
  LedgerRecord again = making;
  again.text(LedgerText::key) = "another";
  add({again});
  add({batch_at(2, 500, "b1", "m", "looker", {}), batch_at(2, 20, "b1", "n", "looker", {}),
       batch_at(2, 4, "b2", "m", "looker", {})});
  EXPECT_EQ(charged({7, 8}), (std::map<uint64_t, int64_t>{{7, 520}, {8, 520}}));
  EXPECT_EQ(charged({7}, 2), (std::map<uint64_t, int64_t>{{7, 520}})) << "when it is seen to be finished";
  const auto by_key = store_.report({.by = {ReportColumn::key, ReportColumn::team, ReportColumn::tags}});
  ASSERT_TRUE(by_key);
  std::map<std::vector<std::string>, int64_t> sums;
  for (const ReportRow& row : *by_key) sums[row.names] = row.sums.nano_dollars;
  EXPECT_EQ(sums, (std::map<std::vector<std::string>, int64_t>{{{"another", "its team", "nightly"}, 0},
                                                               {{"looker", "", ""}, 4},
                                                               {{"maker", "its team", "nightly"}, 520}}));
  const auto of_nobody = store_.report({.by = {ReportColumn::end_user}});
  ASSERT_TRUE(of_nobody);
  EXPECT_EQ(of_nobody->size(), 2u) << "the maker named nobody, the looker somebody";
}

TEST_P(LedgerStoreTest, OfSeveralGatewaysOneChargesABatch) {
  Rollup rollup;
  rollup.add(batch_at(1, 500, "b1", "m", "a", kSeven));
  EXPECT_FALSE(rollup.empty());
  EXPECT_TRUE(rollup.sums().empty());
  auto other = LedgerStore::open(std::move(*database_.open()));
  ASSERT_TRUE(other);
  const auto first = other->add(rollup, {});
  ASSERT_TRUE(first);
  ASSERT_EQ(first->size(), 1u);
  EXPECT_EQ(first->front().charged, std::vector<uint64_t>{7});
  Rollup again;
  again.add(batch_at(1, 500, "b1", "m", "a", kSeven));
  const auto second = store_.add(again, {});
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->empty());
  EXPECT_EQ(total().nano_dollars, 500);
}

// Each of them has been added by some version.
TEST_P(LedgerStoreTest, TheTablesThatAnEarlierVersionDidNotHaveAreMade) {
  for (const std::string_view table :
       {"ledger_end_users", "ledger_names", "ledger_holders", "ledger_batches", "ledger_batch_makers"}) {
    ASSERT_TRUE((*database_.open())->query("DROP TABLE " + std::string(table)));
    ASSERT_TRUE(LedgerStore::open(*database_.open())) << table;
    EXPECT_TRUE((*database_.open())->query("SELECT 1 FROM " + std::string(table) + " LIMIT 0")) << table;
  }
}

// However much is claimed to have been used: within a transaction, over transactions, over quarters, over rows.
TEST_P(LedgerStoreTest, SumsThatNoNumberHoldsStayTheLargest) {
  std::mt19937_64 random(3);
  __int128 nano = 0;
  __int128 input = 0;
  const auto most = [](__int128 sum) { return static_cast<int64_t>(std::min<__int128>(sum, INT64_MAX)); };
  for (int round = 0; round < 12; ++round) {
    std::vector<LedgerRecord> records;
    for (int i = 0; i < 3; ++i) {
      const auto dollars = static_cast<int64_t>(random() >> (1 + random() % 4));
      const uint64_t tokens = random() >> (random() % 4);
      records.push_back(
          record_at(1 + static_cast<int64_t>(random() % 2), dollars, tokens, random() % 2 == 0 ? "a" : "b", kSeven));
      nano += dollars;
      input += std::min<uint64_t>(tokens, INT64_MAX);
    }
    add(records);
    EXPECT_EQ(total().nano_dollars, most(nano));
    EXPECT_EQ(total().input, most(input));
    EXPECT_EQ(charged({7})[7], most(nano));
  }
  EXPECT_EQ(total().calls, 36);
  const auto by_day = store_.report({.by = {ReportColumn::day}});
  ASSERT_TRUE(by_day);
  EXPECT_EQ(by_day->front().sums.nano_dollars, INT64_MAX);
}

TEST_P(LedgerStoreTest, LargeSumsAreExact) {
  constexpr int64_t kLarge = 9'007'199'254'740'993;  // more than a double holds
  add({record_at(1, kLarge, 5, "a", kSeven), record_at(2, kLarge, 5, "a", kSeven)});
  add({record_at(2, 4, 0, "a", kSeven)});
  EXPECT_EQ(total().nano_dollars, 2 * kLarge + 4);
  EXPECT_EQ(charged({7}), (std::map<uint64_t, int64_t>{{7, 2 * kLarge + 4}}));
  EXPECT_EQ(charged({7}, 2), (std::map<uint64_t, int64_t>{{7, kLarge + 4}}));
}

TEST_P(LedgerStoreTest, WhatIsHandedOverIsThereOnce) {
  add({record_at(1, 100, 0, "a", kSeven), record_at(2, 20, 0, "a", kSeven), record_at(3, 3, 0, "a", kSeven),
       record_at(3, 4, 0, "a", kEight)});
  const LedgerStore::Handover handover{.from = 7, .to = 8, .quarter = 2};
  ASSERT_TRUE(store_.hand_over({&handover, 1}));
  ASSERT_TRUE(store_.hand_over({&handover, 1}));
  EXPECT_EQ(charged({7, 8}), (std::map<uint64_t, int64_t>{{7, 100}, {8, 27}}));
  EXPECT_EQ(charged({7, 8}, 3), (std::map<uint64_t, int64_t>{{8, 7}}));
  EXPECT_EQ(total().nano_dollars, 127) << "reports do not change";
}

// Calls of a key and its team, with ids where the store has them.
LedgerRecord record_of(int64_t quarter, int64_t nano, std::string_view key, std::string_view key_id = {},
                       std::string_view team = {}, std::string_view team_id = {}) {
  LedgerRecord record = record_at(quarter, nano, 0, key, {});
  record.text(LedgerText::key_id) = key_id;
  record.text(LedgerText::team) = team;
  record.text(LedgerText::team_id) = team_id;
  return record;
}

class LedgerOwnersTest : public LedgerStoreTest {
 protected:
  using Lines = std::vector<std::string>;
  Lines report(ReportQuery query) {
    if (query.present == nullptr) query.present = std::make_shared<const PresentOwners>(present_);
    const auto rows = store_.report(query);
    EXPECT_TRUE(rows);
    Lines lines;
    if (!rows) return lines;
    const auto names = names_for_people(*rows);
    for (size_t i = 0; i < rows->size(); ++i) {
      std::string line;
      for (const std::string& name : names[i]) line += name + " ";
      lines.push_back(line + std::to_string((*rows)[i].sums.nano_dollars));
    }
    return lines;
  }
  Lines of_key(std::string name_or_id, bool exact = false) {
    return report({.by = {}, .where = {{ReportColumn::key, std::move(name_or_id), exact}}});
  }

  PresentOwners present_;
};
INSTANTIATE_TEST_SUITE_P(Databases, LedgerOwnersTest,
                         testing::Values(store::SqlSession::Kind::sqlite, store::SqlSession::Kind::postgres),
                         store::database_name);

TEST_P(LedgerOwnersTest, AnotherOneOfANameHasSpentNothing) {
  add({record_of(1, 100, "k", "vkey_1", "t", "team_1"), record_of(1, 20, "k", "vkey_2", "t", "team_1")});
  add({record_of(2, 3, "k", "vkey_2", "renamed", "team_1")});
  present_ = {{"vkey_2", {ReportColumn::key, "k"}}, {"team_1", {ReportColumn::team, "renamed"}}};
  EXPECT_EQ(report({.by = {ReportColumn::key}}), (Lines{"k (vkey_1) 100", "k (vkey_2) 23"}));
  EXPECT_EQ(report({.by = {ReportColumn::team, ReportColumn::day}}), (Lines{"renamed 0 123"}));
  EXPECT_EQ(of_key("k"), Lines{"23"});
  EXPECT_EQ(of_key("vkey_1"), Lines{"100"});
  EXPECT_EQ(report({.by = {ReportColumn::key}, .where = {{ReportColumn::team, "renamed"}}}),
            (Lines{"k (vkey_1) 100", "k (vkey_2) 23"}));
  EXPECT_EQ(report({.by = {}, .where = {{ReportColumn::team, "t"}}}), Lines()) << "nothing is called so any more";
  present_.erase("vkey_2");
  EXPECT_EQ(of_key("k"), Lines{"123"}) << "nobody has the name: all that had it";
  EXPECT_EQ(report({.by = {ReportColumn::key}}), (Lines{"k (vkey_1) 100", "k (vkey_2) 23"}));
}

TEST_P(LedgerOwnersTest, ARenamedOneKeepsWhatItSpent) {
  add({record_of(1, 100, "before", "vkey_1")});
  add({record_of(2, 20, "after", "vkey_1")});
  present_ = {{"vkey_1", {ReportColumn::key, "later still"}}};
  EXPECT_EQ(report({.by = {ReportColumn::key}}), Lines{"later still 120"});
  EXPECT_EQ(of_key("later still"), Lines{"120"});
  EXPECT_EQ(of_key("after"), Lines());
  present_.clear();
  EXPECT_EQ(report({.by = {ReportColumn::key}}), Lines{"after (vkey_1) 120"}) << "as it was called last";
  EXPECT_EQ(of_key("after"), Lines{"120"});
}

TEST_P(LedgerOwnersTest, OneOfTheFileIsNotOneOfTheStore) {
  add({record_of(1, 100, "k"), record_of(1, 20, "k", "vkey_1")});
  EXPECT_EQ(of_key("k", true), Lines{"100"});
  present_ = {{"vkey_1", {ReportColumn::key, "k"}}};
  EXPECT_EQ(of_key("vkey_1", true), Lines{"20"});
  EXPECT_EQ(report({.by = {ReportColumn::key}}), (Lines{"k 100", "k (vkey_1) 20"}));
}

// What older versions wrote down under a name is its holder's from when it got it, until this version began.
TEST_P(LedgerOwnersTest, RecordsWithoutIdsAreTheHoldersOfTheirNames) {
  add({record_of(1, 1000, "k", "", "t"), record_of(2, 100, "k", "", "t"),
       record_of(3, 20, "k", "vkey_1", "t", "team_1")});
  add({record_of(9, 3, "k")});
  const std::vector<LedgerStore::Holder> holders = {
      {.kind = ReportColumn::key, .name = "k", .id = "vkey_1", .since = 2},
      {.kind = ReportColumn::team, .name = "t", .id = "team_1", .since = 1},
      {.kind = ReportColumn::team, .name = "k", .id = "team_2", .since = 1}};
  ASSERT_TRUE(store_.note_holders(holders, 8));
  present_ = {{"vkey_1", {ReportColumn::key, "renamed"}}, {"team_1", {ReportColumn::team, "t"}}};
  EXPECT_EQ(report({.by = {ReportColumn::key}}), (Lines{"k 1003", "renamed 120"}));
  EXPECT_EQ(report({.by = {ReportColumn::team}}), (Lines{" 3", "t 1120"}));
  EXPECT_EQ(of_key("vkey_1", true), Lines{"120"});
  EXPECT_EQ(of_key("renamed"), Lines{"120"});
  EXPECT_EQ(of_key("k"), Lines{"1003"});
  // Once: whoever is called so later does not get what was another's.
  const std::vector<LedgerStore::Holder> later = {{.kind = ReportColumn::key, .name = "k", .id = "vkey_2", .since = 4}};
  ASSERT_TRUE(store_.note_holders(later, 99));
  EXPECT_EQ(of_key("vkey_2", true), Lines());
  // One that is gone before it has a record of its own has a name all the same.
  present_.clear();
  EXPECT_EQ(report({.by = {ReportColumn::team}}), (Lines{" 3", "t (team_1) 1120"}));
}

TEST_P(LedgerOwnersTest, EndUsersHaveRowsOfTheirOwn) {
  const auto call = [](std::string_view key, std::string_view end_user, int64_t nano) {
    LedgerRecord record = record_of(1, nano, key);
    record.text(LedgerText::end_user) = end_user;
    return record;
  };
  add({call("a", "jane", 1), call("a", "joe", 20), call("b", "jane", 300), call("b", "", 1000), call("b", "\xC3", 1000),
       call("b", std::string_view("a\0", 2), 1000), call("b", "a\nb", 1000)});
  add({call("a", "jane", 50'000)});
  const std::vector<ReportColumn> by_end_user = {ReportColumn::end_user};
  EXPECT_EQ(report({.by = by_end_user}), (Lines{" 4000", "jane 50301", "joe 20"}));
  EXPECT_EQ(report({.by = by_end_user, .where = {{ReportColumn::key, "a"}}}), (Lines{"jane 50001", "joe 20"}));
  EXPECT_EQ(report({.by = {ReportColumn::key}, .where = {{ReportColumn::end_user, "jane"}}}),
            (Lines{"a 50001", "b 300"}));
  EXPECT_EQ(report({.by = {}, .where = {{ReportColumn::end_user, "nobody"}}}), Lines());
  EXPECT_EQ(report({.by = {ReportColumn::key}}), (Lines{"a 50021", "b 4300"})) << "nothing counts twice";
}

TEST_P(LedgerOwnersTest, EndUsersBeyondAllMeasureHaveNoName) {
  std::vector<std::string> names;
  for (size_t i = 0; i < LedgerStore::kEndUsersMax + 2; ++i) names.push_back("u" + std::to_string(i));
  std::vector<LedgerRecord> records;
  for (const std::string& name : names) {
    records.push_back(record_of(1, 1, "k"));
    records.back().text(LedgerText::end_user) = name;
  }
  add(records);
  const Lines lines = report({.by = {ReportColumn::end_user}});
  ASSERT_EQ(lines.size(), LedgerStore::kEndUsersMax + 1);
  EXPECT_EQ(lines[0], " 2");
  records.resize(1);
  records[0].time += kQuarterSeconds * 1'000'000'000;
  records[0].text(LedgerText::end_user) = "late";
  add(records);
  EXPECT_EQ(report({.by = {}, .where = {{ReportColumn::end_user, "late"}}}), Lines{"1"}) << "a quarter later";
}

}  // namespace
}  // namespace llmgw::control
