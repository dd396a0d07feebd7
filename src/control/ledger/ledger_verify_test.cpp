#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/temporary_directory.h"
#include "control/ledger/ledger.h"
#include "control/ledger/ledger_text.h"
#include "store/sql/test_databases.h"

namespace llmgw::control {
namespace {

using accounting::LedgerRecord;
using accounting::LedgerText;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr base::Duration kPatience = std::chrono::seconds(120);  // only a broken test waits so long
constexpr int64_t kTime = 1'800'000'000'000'000'000;             // 2027-01-15T08:00:00Z

LedgerRecord record_of(int64_t nano, int64_t quarter = 0) {
  LedgerRecord record{.time = kTime + quarter * kQuarterSeconds * 1'000'000'000,
                      .status = 200,
                      .priced = true,
                      .usage = {},
                      .nano_dollars = nano,
                      .texts = {}};
  record.text(LedgerText::id) = "r";
  record.text(LedgerText::key) = "k";
  record.text(LedgerText::charged) = std::string_view("\x07\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0", 16);
  return record;
}

class LedgerVerifyTest : public store::BothDatabases {
 protected:
  std::unique_ptr<Ledger> start(size_t workers = 1) {
    auto ledger = Ledger::start({.directory = directory_,
                                 .workers = workers,
                                 .open_database = [this] { return database_.open(); },
                                 .wall = [] { return kTime / 1'000'000'000; },
                                 .interval = std::chrono::milliseconds(10)});
    EXPECT_TRUE(ledger);
    return std::move(*ledger);
  }
  LedgerStore store() { return std::move(*LedgerStore::open(std::move(*database_.open()))); }
  std::vector<std::string> faults(bool shared = false) {
    LedgerStore sums = store();
    const auto check = verify_ledger(directory_, sums, shared, std::chrono::hours(1));
    EXPECT_TRUE(check);
    return check ? check->faults : std::vector<std::string>{"it cannot be read"};
  }
  void run(const std::string& sql) {
    auto session = std::move(*database_.open());
    ASSERT_TRUE(session->query(sql)) << sql;
  }

  base::TemporaryDirectory temporary_;
  const std::string directory_ = temporary_.path();
};
INSTANTIATE_TEST_SUITE_P(Databases, LedgerVerifyTest,
                         testing::Values(store::SqlSession::Kind::sqlite, store::SqlSession::Kind::postgres),
                         store::database_name);

TEST_P(LedgerVerifyTest, ChangedSumsAreFaults) {
  {
    auto ledger = start();
    ledger->writer(0).append(record_of(1'000'000'000));
    ledger->writer(0).append(record_of(2'000'000'000));
    ledger->writer(0).append(record_of(4'000'000'000, 1));
    ASSERT_TRUE(ledger->flush(kPatience));
  }
  EXPECT_THAT(faults(), IsEmpty());
  run("UPDATE ledger_sums SET nano_dollars = nano_dollars + 1000000000 WHERE calls = 1");
  EXPECT_THAT(faults(),
              testing::ElementsAre(HasSubstr("the sums have 3 calls of $8.00 in all, but 3 of $7.00 were summed up")));
  run("UPDATE ledger_sums SET nano_dollars = nano_dollars - 1000000000 WHERE calls = 2");
  EXPECT_THAT(faults(), testing::ElementsAre(HasSubstr(
                            "the quarter of an hour from 2027-01-15T08:00:00Z have 2 calls of $2.00, but 2 of $3.00")))
      << "the totals are the same";
  run("UPDATE ledger_sums SET nano_dollars = nano_dollars + 1000000000 WHERE calls = 2");
  run("UPDATE ledger_sums SET nano_dollars = nano_dollars - 1000000000 WHERE calls = 1");
  EXPECT_THAT(faults(), IsEmpty());
  run("UPDATE ledger_charges SET nano_dollars = nano_dollars - 1 WHERE identity = 8");
  EXPECT_THAT(faults(), testing::ElementsAre(HasSubstr("have $5.999999999 that budgets paid, but $6.00"),
                                             HasSubstr("have $7.999999999 that budgets paid, but $8.00")));
  run("UPDATE ledger_charges SET nano_dollars = nano_dollars + 1 WHERE identity = 8");
  run("DELETE FROM ledger_sums");
  EXPECT_THAT(faults(), Contains(HasSubstr("the sums have 0 calls of $0.00 in all, but 3 of $7.00")));
  EXPECT_THAT(faults(), testing::SizeIs(3));
  for (const std::string& path : ledger_segments(directory_)) std::filesystem::remove(path);
  EXPECT_THAT(faults(true), Contains(HasSubstr("the sums have 0 calls"))) << "also of what is elsewhere";
}

// Each look at a finished batch may have left a record, and the sums have it once.
TEST_P(LedgerVerifyTest, BatchesThatAreRepeatedAreNoFault) {
  const auto batch_of = [](int64_t nano, std::string_view model, int64_t quarter) {
    LedgerRecord record = record_of(nano, quarter);
    record.text(LedgerText::provider) = "openai";
    record.text(LedgerText::upstream_model) = model;
    record.text(LedgerText::batch) = "b1";
    return record;
  };
  for (int64_t turn = 0; turn < 2; ++turn) {
    auto ledger = start();
    ledger->writer(0).append(record_of(1'000'000'000, turn));
    for (int64_t i = 0; i < 2; ++i) ledger->writer(0).append(batch_of(5'000'000'000, "m", turn + i));
    ledger->writer(0).append(batch_of(3'000'000'000, "n", turn));
    ASSERT_TRUE(ledger->flush(kPatience));
  }
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_THAT(faults(true), IsEmpty());
  run("UPDATE ledger_sums SET nano_dollars = nano_dollars - 1 WHERE nano_dollars > 0");
  EXPECT_THAT(faults(), Contains(HasSubstr(" in all, but 4 of $10.00 were summed up")));
}

TEST_P(LedgerVerifyTest, ManyQuartersAreCounted) {
  {
    auto ledger = start();
    for (int64_t i = 0; i < 30; ++i) ledger->writer(0).append(record_of(1, i));
    ASSERT_TRUE(ledger->flush(kPatience));
  }
  run("UPDATE ledger_sums SET calls = 0");
  const auto found = faults();
  EXPECT_EQ(found.size(), 12u);
  EXPECT_THAT(found, Contains("the sums of 20 more quarters lack something, too"));
}

// A gateway forgets the marks of files that it removed; what was summed up from them is still known.
TEST_P(LedgerVerifyTest, ForgottenSegmentsAreInTheTotals) {
  LedgerStore sums = store();
  Rollup rollup;
  rollup.add(record_of(5));
  rollup.add(record_of(6));
  const auto mark = [](std::string name, int64_t nano) {
    return MarkMove{.to = {.name = std::move(name), .offset = 100, .records = 1, .nano_dollars = nano}};
  };
  ASSERT_TRUE(sums.add(rollup, std::vector<MarkMove>{mark("1-1-0.seg", 5), mark("2-1-0.seg", 6)}));
  ASSERT_TRUE(sums.forget("1-1-0.seg"));
  ASSERT_TRUE(sums.forget("1-1-0.seg"));
  ASSERT_TRUE(sums.forget("never-there"));
  const auto totals = sums.totals();
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->records, 2);
  EXPECT_EQ(totals->read_nano_dollars, 11);
  EXPECT_TRUE(totals->of_all_segments);
  EXPECT_THAT(faults(), IsEmpty());
  EXPECT_EQ(sums.marks()->size(), 1u);
  run("UPDATE ledger_sums SET calls = calls + 1");
  EXPECT_THAT(faults(), testing::SizeIs(1));
  // An older version's: what it had forgotten nobody knows.
  run("DELETE FROM ledger_segments WHERE name = 'forgotten'");
  EXPECT_THAT(faults(), IsEmpty());
  ASSERT_TRUE(sums.forget("2-1-0.seg"));
  EXPECT_FALSE(store().totals()->of_all_segments) << "what was not known from the start is not known";
}

TEST_P(LedgerVerifyTest, WhatIsSummedUpMeanwhileIsNoFault) {
  auto ledger = start(2);
  ASSERT_TRUE(ledger->flush(kPatience)) << "who opens the database first makes its tables";
  std::atomic<bool> done = false;
  std::thread worker([&] {
    for (int64_t i = 0; !done; ++i) {
      ledger->writer(static_cast<size_t>(i % 2)).append(record_of(1 + i % 7, i % 3));
      if (i % 50 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  for (int i = 0; i < 12; ++i) EXPECT_THAT(faults(i % 2 == 0), IsEmpty());
  done = true;
  worker.join();
  ASSERT_TRUE(ledger->flush(kPatience));
  EXPECT_THAT(faults(), IsEmpty());
}

}  // namespace
}  // namespace llmgw::control
