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

}  // namespace
}  // namespace llmgw::control
