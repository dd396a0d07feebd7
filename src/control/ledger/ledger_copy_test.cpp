// A database that goes back to an older copy of itself while the ledger runs: nothing is lost, and nothing counts
// twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <mutex>
#include <thread>

#include "base/temporary_directory.h"
#include "control/ledger/ledger.h"
#include "control/ledger/ledger_text.h"
#include "store/sql/test_databases.h"

namespace llmgw::control {
namespace {

using accounting::LedgerRecord;
using accounting::LedgerText;

constexpr base::Duration kPatience = std::chrono::seconds(120);  // only a broken test waits so long
constexpr int64_t kTime = 1'800'000'000'000'000'000;

constexpr std::string_view kTables[] = {"ledger_sums",     "ledger_end_users", "ledger_charges",
                                        "ledger_segments", "ledger_names",     "ledger_holders"};

class LedgerCopyTest : public store::BothDatabases {
 protected:
  std::unique_ptr<Ledger> start(size_t workers = 1) {
    auto ledger = Ledger::start({.directory = directory_,
                                 .workers = workers,
                                 .open_database = [this] { return database_.open(); },
                                 .report =
                                     [this](std::string_view message, const base::Error&) {
                                       const std::lock_guard lock(mutex_);
                                       said_.emplace_back(message);
                                     },
                                 .wall = [] { return kTime / 1'000'000'000; },
                                 .interval = std::chrono::milliseconds(20)});
    EXPECT_TRUE(ledger);
    return std::move(*ledger);
  }
  void copy() {
    auto session = std::move(*database_.open());
    for (const std::string_view table : kTables) {
      const std::string name(table);
      ASSERT_TRUE(session->query("CREATE TABLE copy_of_" + name + " AS SELECT * FROM " + name));
    }
  }
  // At one moment, as a restore in a single transaction.
  void put_back() {
    auto session = std::move(*database_.open());
    auto transaction = store::SqlTransaction::begin(*session);
    ASSERT_TRUE(transaction);
    for (const std::string_view table : kTables) {
      const std::string name(table);
      ASSERT_TRUE(session->query("DELETE FROM " + name));
      ASSERT_TRUE(session->query("INSERT INTO " + name + " SELECT * FROM copy_of_" + name));
    }
    ASSERT_TRUE(transaction->commit());
  }
  LedgerStore store() { return std::move(*LedgerStore::open(std::move(*database_.open()))); }
  RollupSums total() {
    const auto report = store().report({.by = {}});
    EXPECT_TRUE(report);
    return report && !report->empty() ? report->front().sums : RollupSums();
  }
  int64_t charged() {
    const uint64_t identity = 7;
    const auto sums = store().charged_since({&identity, 1}, 0);
    EXPECT_TRUE(sums);
    return sums && sums->contains(identity) ? sums->at(identity) : 0;
  }
  bool said(std::string_view words) {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(said_, [&](const std::string& each) { return each.contains(words); });
  }

  base::TemporaryDirectory temporary_;
  const std::string directory_ = temporary_.path();
  std::mutex mutex_;
  std::vector<std::string> said_;
};
INSTANTIATE_TEST_SUITE_P(Databases, LedgerCopyTest,
                         testing::Values(store::SqlSession::Kind::sqlite, store::SqlSession::Kind::postgres),
                         store::database_name);

LedgerRecord record_of(std::string_view key_id, int64_t nano) {
  LedgerRecord record{.time = kTime, .status = 200, .priced = true, .usage = {}, .nano_dollars = nano, .texts = {}};
  record.text(LedgerText::id) = "r";
  record.text(LedgerText::key) = "called";
  record.text(LedgerText::key_id) = key_id;
  record.text(LedgerText::charged) = std::string_view("\x07\0\0\0\0\0\0\0", 8);
  return record;
}

TEST_P(LedgerCopyTest, WhatTheCopyLacksIsSummedUpWithTheNextRecord) {
  auto ledger = start();
  ledger->writer(0).append(record_of("vkey_1", 1));
  ASSERT_TRUE(ledger->flush(kPatience));
  copy();
  ledger->writer(0).append(record_of("vkey_2", 20));
  ASSERT_TRUE(ledger->flush(kPatience));
  for (const int64_t nano : {300, 4000}) {
    put_back();
    ledger->writer(0).append(record_of("vkey_1", nano));
    ASSERT_TRUE(ledger->flush(kPatience));
  }
  EXPECT_EQ(total().calls, 4);
  EXPECT_EQ(total().nano_dollars, 4321);
  EXPECT_EQ(charged(), 4321);
  EXPECT_TRUE(said("gone back to an older copy"));
  const auto by_key = store().report({.by = {ReportColumn::key}});
  ASSERT_TRUE(by_key);
  for (const ReportRow& row : *by_key) EXPECT_THAT(row.names, testing::ElementsAre("called")) << "names are back, too";
}

// Of a worker that gets no call any more, of files that are full and of those that an earlier process left.
TEST_P(LedgerCopyTest, WhatTheCopyLacksIsSummedUpWithoutAnotherRecord) {
  {
    auto earlier = start();
    ASSERT_TRUE(earlier->flush(kPatience));
    copy();
    earlier->writer(0).append(record_of("a", 1));
  }
  auto ledger = start(2);
  constexpr int kRecords = 30'000;
  for (int i = 0; i < kRecords; ++i) {
    while (!ledger->writer(0).append(record_of("a", 1))) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ledger->writer(1).append(record_of("a", 1));
  ASSERT_TRUE(ledger->flush(kPatience));
  ASSERT_EQ(total().calls, kRecords + 2);
  put_back();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (total().calls < kRecords + 2 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(total().calls, kRecords + 2);
  EXPECT_EQ(charged(), kRecords + 2);
  put_back();
  ledger.reset();
  ledger = start();
  ASSERT_TRUE(ledger->flush(kPatience));
  EXPECT_EQ(total().calls, kRecords + 2) << "by the next process";
}

// Dropped tables are made again: nothing waits for the next start.
TEST_P(LedgerCopyTest, TablesThatAreGoneAreMadeAndFilledFromTheFiles) {
  auto ledger = start();
  ledger->writer(0).append(record_of("a", 1));
  ASSERT_TRUE(ledger->flush(kPatience));
  {
    auto session = std::move(*database_.open());
    for (const std::string_view table : kTables) ASSERT_TRUE(session->query("DROP TABLE " + std::string(table)));
  }
  ledger->writer(0).append(record_of("a", 20));
  ASSERT_TRUE(ledger->flush(kPatience));
  EXPECT_EQ(total().nano_dollars, 21);
}

// Each step begins where the database's mark is, or is none.
TEST_P(LedgerCopyTest, SumsAreAddedOnlyWhereTheMarksAreAsBelieved) {
  LedgerStore sums = store();
  Rollup rollup;
  rollup.add(record_of("a", 5));
  const auto add = [&](std::vector<MarkMove> moves) -> std::string_view {
    const auto added = sums.add(rollup, moves);
    return added ? "added" : added.error().context;
  };
  const auto move = [](std::string name, int64_t from, int64_t to) {
    return MarkMove{.from = from, .to = {.name = std::move(name), .offset = to, .records = 1, .nano_dollars = 5}};
  };
  EXPECT_EQ(add({move("a", 0, 100)}), "added");
  EXPECT_EQ(add({move("a", 100, 200), move("b", 0, 90)}), "added");
  EXPECT_EQ(add({move("a", 100, 300)}), kMarksDiffer) << "it is behind";
  EXPECT_EQ(add({move("a", 300, 400)}), kMarksDiffer) << "it is ahead";
  EXPECT_EQ(add({move("a", 0, 100)}), kMarksDiffer) << "there is one";
  EXPECT_EQ(add({move("c", 100, 200)}), kMarksDiffer) << "there is none";
  EXPECT_EQ(add({move("b", 90, 200), move("a", 100, 200)}), kMarksDiffer) << "all or nothing";
  EXPECT_EQ(total().calls, 2);
  std::vector<MarkMove> many;
  for (int i = 0; i < 1500; ++i) many.push_back(move("n" + std::to_string(i), 0, 100));
  EXPECT_EQ(add(many), "added");
  for (MarkMove& each : many) each.from = std::exchange(each.to.offset, 200);
  EXPECT_EQ(add(many), "added");
  const auto marks = sums.marks(std::vector<std::string>{"a", "b", "c", "n1499"});
  ASSERT_TRUE(marks);
  std::map<std::string, int64_t> offsets;
  for (const SegmentMark& each : *marks) offsets[each.name] = each.offset;
  EXPECT_EQ(offsets, (std::map<std::string, int64_t>{{"a", 200}, {"b", 90}, {"n1499", 200}}));
  EXPECT_EQ(total().calls, 4);
}

}  // namespace
}  // namespace llmgw::control
