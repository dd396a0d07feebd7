#include "control/ledger/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/temporary_directory.h"
#include "control/ledger/ledger_merge.h"
#include "control/ledger/ledger_reader.h"
#include "control/ledger/ledger_text.h"
#include "control/test_support.h"

namespace llmgw::control {
namespace {

using accounting::CallOutcome;
using accounting::LedgerRecord;
using accounting::LedgerText;

constexpr base::Duration kPatience = std::chrono::seconds(120);  // only a broken test waits so long
constexpr int64_t kTime = 1'800'000'000'000'000'000;

class LedgerTest : public testing::Test {
 protected:
  std::unique_ptr<Ledger> start(size_t workers = 1) {
    auto ledger = Ledger::start({.directory = directory_,
                                 .workers = workers,
                                 .open_database = [this] { return open(); },
                                 .wall =
                                     [this] {
                                       if (happens_.exchange(false)) at_wall_();
                                       return kTime / 1'000'000'000;
                                     },
                                 .interval = std::chrono::milliseconds(20)});
    EXPECT_TRUE(ledger);
    return ledger ? std::move(*ledger) : nullptr;
  }
  base::Result<std::unique_ptr<store::SqlSession>> open() {
    if (database_is_gone_) return base::fail(base::ErrorCode::refused, "gone");
    return store::open_sqlite(ledger_database(directory_));
  }
  RollupSums total() {
    auto store = LedgerStore::open(std::move(*store::open_sqlite(ledger_database(directory_))));
    const auto report = store->report({.by = {}});
    EXPECT_TRUE(report);
    return report && !report->empty() ? report->front().sums : RollupSums();
  }

  base::TemporaryDirectory temporary_;
  const std::string directory_ = temporary_.path();
  std::atomic<bool> database_is_gone_ = false;
  // What happens when the ledger asks for the time: once, when it is allowed to.
  std::function<void()> at_wall_;
  std::atomic<bool> happens_ = false;
};

LedgerRecord record_of(std::string_view key, int64_t nano, std::string_view charged = {}) {
  LedgerRecord record{.time = kTime, .status = 200, .priced = true, .usage = {}, .nano_dollars = nano, .texts = {}};
  record.usage.input = 10;
  record.usage.output = 5;
  record.text(LedgerText::id) = "r";
  record.text(LedgerText::key) = key;
  record.text(LedgerText::model) = "gpt-4o";
  record.text(LedgerText::charged) = charged;
  return record;
}

TEST_F(LedgerTest, RecordsAreSummedUp) {
  auto ledger = start(2);
  EXPECT_TRUE(ledger->writer(0).append(record_of("a", 100)));
  EXPECT_TRUE(ledger->writer(1).append(record_of("b", 20)));
  EXPECT_TRUE(ledger->writer(1).append(record_of("b", 3)));
  ASSERT_TRUE(ledger->flush(kPatience));
  const RollupSums sums = total();
  EXPECT_EQ(sums.calls, 3);
  EXPECT_EQ(sums.nano_dollars, 123);
  EXPECT_EQ(sums.input, 30);
  auto store = LedgerStore::open(std::move(*open()));
  const auto report = store->report({.by = {ReportColumn::key, ReportColumn::day}});
  ASSERT_TRUE(report);
  ASSERT_EQ(report->size(), 2u);
  EXPECT_THAT((*report)[0].names, testing::ElementsAre("a", "20833"));
  EXPECT_EQ((*report)[1].sums.nano_dollars, 23);
  EXPECT_TRUE(store->report({.by = {}, .from_quarter = kTime / 1'000'000'000 / kQuarterSeconds + 1})->empty());
}

TEST_F(LedgerTest, EveryRecordOnceOverManySegments) {
  constexpr int kRecords = 40'000;
  {
    auto ledger = start();
    for (int i = 0; i < kRecords; ++i) {
      while (!ledger->writer(0).append(record_of("key-" + std::to_string(i % 100), 1))) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    }
    ASSERT_TRUE(ledger->flush(kPatience));
    EXPECT_EQ(total().calls, kRecords);
  }
  // A new process finds everything done; unused files are gone, and the last one has no unused end.
  EXPECT_EQ(total().calls, kRecords);
  for (const auto& path : ledger_segments(directory_)) EXPECT_GT(std::filesystem::file_size(path), 1000u) << path;
  auto again = start();
  ASSERT_TRUE(again->flush(kPatience));
  EXPECT_EQ(total().calls, kRecords);
}

TEST_F(LedgerTest, WithoutADatabaseRecordsWait) {
  database_is_gone_ = true;
  auto ledger = start();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(ledger->writer(0).append(record_of("a", 1)));
  EXPECT_FALSE(ledger->flush(std::chrono::milliseconds(300)));
  EXPECT_GT(ledger->waiting_bytes(), 0u);
  database_is_gone_ = false;
  EXPECT_TRUE(ledger->flush(kPatience));
  EXPECT_EQ(total().calls, 100);
  EXPECT_EQ(ledger->waiting_bytes(), 0u);
}

TEST_F(LedgerTest, WithoutRoomOnTheDiskRecordsStayInMemory) {
  auto ledger = start();
  ASSERT_TRUE(ledger->flush(kPatience));
  // No new segment can be made where a file stands in the directory's place.
  const std::string directory = ledger_directory(directory_);
  std::filesystem::rename(directory, directory + ".away");
  std::ofstream(directory).put('x');
  int appended = 0;
  // Through the segment at hand, the spare, and into memory.
  for (; appended < 100'000; ++appended) {
    while (!ledger->writer(0).append(record_of("a", 1))) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::filesystem::remove(directory);
  std::filesystem::rename(directory + ".away", directory);
  // Two more segments' worth, so that the last ones in memory are full and find their way.
  for (int i = 0; i < 80'000; ++i, ++appended) {
    while (!ledger->writer(0).append(record_of("a", 1))) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_TRUE(ledger->flush(kPatience));
  EXPECT_EQ(total().calls, appended);
}

// As if the disk were full: no segment can be made where a file stands in the directory's place.
class FullDisk {
 public:
  explicit FullDisk(std::string directory) : directory_(std::move(directory)) {
    std::filesystem::rename(directory_, directory_ + ".away");
    std::ofstream(directory_).put('x');
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    std::filesystem::remove(directory_);
    std::filesystem::rename(directory_ + ".away", directory_);
  }

 private:
  const std::string directory_;
};

// Appends until records are in memory alone; how many were.
int fill_into_memory(Ledger& ledger) {
  int appended = 0;
  for (; ledger.in_memory() == 0 || appended % 100 != 0; ++appended) {
    while (!ledger.writer(0).append(record_of("a", 1))) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return appended;
}

void wait_for_room(Ledger& ledger) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (ledger.in_memory() > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(ledger.in_memory(), 0u);
}

TEST_F(LedgerTest, WhatIsInMemoryGetsAFileWithoutAnotherCall) {
  auto ledger = start();
  ASSERT_TRUE(ledger->flush(kPatience));
  std::optional<FullDisk> full(std::in_place, ledger_directory(directory_));
  int appended = fill_into_memory(*ledger);
  EXPECT_FALSE(ledger->flush(std::chrono::milliseconds(500)));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (ledger->waiting_bytes() == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_GT(ledger->waiting_bytes(), 0u);
  full.reset();
  wait_for_room(*ledger);
  for (int i = 0; i < 10; ++i, ++appended) {
    EXPECT_TRUE(ledger->writer(0).append(record_of("a", 1)));
    EXPECT_EQ(ledger->in_memory(), 0u) << "the worker is back to files";
  }
  ASSERT_TRUE(ledger->flush(kPatience));
  EXPECT_EQ(total().calls, appended);
}

TEST_F(LedgerTest, AtTheEndWhatIsInMemoryWaitsForRoomAndWhatIsLostIsSaid) {
  std::vector<std::string> said;
  const auto begin = [&] {
    auto ledger =
        Ledger::start({.directory = directory_,
                       .open_database = [this] { return open(); },
                       .report = [&](std::string_view message, const base::Error&) { said.emplace_back(message); },
                       .wall = [] { return kTime / 1'000'000'000; },
                       .interval = std::chrono::milliseconds(20)});
    EXPECT_TRUE(ledger && (*ledger)->flush(kPatience));
    return std::move(*ledger);
  };
  auto ledger = begin();
  int appended = 0;
  {
    const FullDisk full(ledger_directory(directory_));
    appended = fill_into_memory(*ledger);
    ledger->workers_ended();
    EXPECT_GT(ledger->in_memory(), 0u);
  }
  wait_for_room(*ledger);
  ledger.reset();
  EXPECT_THAT(said, testing::Not(testing::Contains(testing::HasSubstr("lost"))));
  ledger = begin();
  EXPECT_EQ(total().calls, appended);
  {
    const FullDisk full(ledger_directory(directory_));
    fill_into_memory(*ledger);
    const std::string lost = std::to_string(ledger->in_memory()) + " records of the ledger are lost";
    ledger.reset();
    EXPECT_THAT(said, testing::Contains(testing::HasSubstr(lost)));
  }
}

TEST_F(LedgerTest, ALostFileIsAFaultForAsLongAsItShouldBeKept) {
  start()->writer(0).append(record_of("a", 5));
  ASSERT_TRUE(start()->flush(kPatience));
  auto store = LedgerStore::open(std::move(*open()));
  const auto faults = [&](bool shared, base::Duration retention = std::chrono::hours(1)) {
    const auto check = verify_ledger(directory_, *store, shared, retention);
    EXPECT_TRUE(check);
    return check ? check->faults : std::vector<std::string>();
  };
  EXPECT_THAT(faults(false), testing::IsEmpty());
  const std::string path = ledger_segments(directory_).front();
  std::filesystem::rename(path, path + ".away");
  EXPECT_THAT(faults(false), testing::ElementsAre(testing::HasSubstr("is not there, and 1 records")));
  EXPECT_THAT(faults(true), testing::ElementsAre(testing::HasSubstr("is not there, and 1 records")));
  EXPECT_THAT(faults(false, base::Duration(0)), testing::IsEmpty());
  std::filesystem::rename(path + ".away", path);
  const std::string another = std::to_string(base::real_wall_now().time_since_epoch().count()) + "-" + "4711-0.seg";
  Rollup of_another;
  of_another.add(record_of("b", 0));
  ASSERT_TRUE(store->add(of_another, std::vector<MarkMove>{{.to = {.name = another, .offset = 100, .records = 1}}}));
  EXPECT_THAT(faults(true), testing::IsEmpty()) << "another gateway's, whose files are elsewhere";
  EXPECT_THAT(faults(false), testing::ElementsAre(testing::HasSubstr(another)));
}

// What another process wrote before it was killed, at whatever moment that was.
TEST_F(LedgerTest, AKilledProcessLeavesItsRecords) {
  int progress[2];
  ASSERT_EQ(pipe(progress), 0);
  const pid_t child = fork();
  if (child == 0) {
    std::filesystem::create_directories(ledger_directory(directory_));
    accounting::LedgerWriter writer;
    for (uint64_t i = 0;; ++i) {
      if (writer.wants_spare()) {
        auto segment = accounting::Segment::create(ledger_directory(directory_) + "/" + std::to_string(i) + ".seg", 1);
        writer.give_spare(std::move(*segment));
      }
      if (!writer.append(record_of("a", 1))) _exit(1);
      // Only what was appended is told.
      if (write(progress[1], "x", 1) != 1) _exit(1);
    }
  }
  close(progress[1]);
  size_t told = 0;
  char bytes[4096];
  while (told < 20'000) told += static_cast<size_t>(read(progress[0], bytes, sizeof bytes));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  for (ssize_t got = 0; (got = read(progress[0], bytes, sizeof bytes)) > 0;) told += static_cast<size_t>(got);
  close(progress[0]);
  auto ledger = start();
  ASSERT_TRUE(ledger->flush(kPatience));
  const auto found = static_cast<size_t>(total().calls);
  EXPECT_GE(found, told);
  EXPECT_LE(found, told + 1) << "appended, but the word of it did not get out";
}

TEST_F(LedgerTest, BudgetsAreRestored) {
  const auto config = TestWorld{}.load(
      "[[connections]]\nname = \"c\"\nprovider = \"vllm\"\nendpoint = \"http://c\"\n[[models]]\nname = \"m\"\n"
      "connection = \"c\"\n[[keys]]\nname = \"k\"\nkey = \"12345678\"\nbudget = \"1.00\"\nbudget_period = \"day\"\n");
  ASSERT_TRUE(config) << format_errors(config.error(), "t");
  auto snapshot = build_snapshot(*config, {});
  const Scope& scope = (*snapshot)->scopes[0];
  const std::string identity(reinterpret_cast<const char*>(&scope.identity), sizeof scope.identity);
  {
    auto ledger = start();
    ledger->writer(0).append(record_of("k", 400, identity));
    LedgerRecord yesterday = record_of("k", 70'000, identity);
    yesterday.time -= int64_t{24} * 3600 * 1'000'000'000;
    ledger->writer(0).append(yesterday);
    ledger->writer(0).append(record_of("k", 9));  // not of a budget
    ASSERT_TRUE(ledger->flush(kPatience));
  }
  {
    auto ledger = start();
    ledger->restore_budgets(*snapshot);
    EXPECT_EQ(scope.meter->charged.load(), 400);
  }
  // The database is away at the start: the budget hears of it when it is back, and what was charged meanwhile counts
  // too.
  scope.meter->charged = 0;
  database_is_gone_ = true;
  auto ledger = start();
  ledger->restore_budgets(*snapshot);
  EXPECT_EQ(admission::spent(*scope.meter), 0);
  scope.meter->charged += 50;
  ledger->writer(0).append(record_of("k", 50, identity));
  database_is_gone_ = false;
  ASSERT_TRUE(ledger->flush(kPatience));
  EXPECT_EQ(admission::spent(*scope.meter), 450);
  EXPECT_EQ(scope.meter->charged.load(), 50) << "what other gateways are told of";
  EXPECT_EQ(total().nano_dollars, 70'000 + 400 + 9 + 50) << "each record once";
}

// What a batch costs is its budget's once, though its calls write a record whenever they have not heard of it.
TEST_F(LedgerTest, ABatchIsChargedToItsBudgetOnce) {
  const auto config = TestWorld{}.load(
      "[[connections]]\nname = \"c\"\nprovider = \"vllm\"\nendpoint = \"http://c\"\n[[models]]\nname = \"m\"\n"
      "connection = \"c\"\n[[keys]]\nname = \"k\"\nkey = \"12345678\"\nbudget = \"1.00\"\nbudget_period = \"day\"\n");
  ASSERT_TRUE(config) << format_errors(config.error(), "t");
  auto snapshot = build_snapshot(*config, {});
  const Scope& scope = (*snapshot)->scopes[0];
  const std::string identity(reinterpret_cast<const char*>(&scope.identity), sizeof scope.identity);
  LedgerRecord batch = record_of("k", 400, identity);
  batch.text(LedgerText::batch) = "batch_1";
  for (int start_number = 0; start_number < 2; ++start_number) {
    scope.meter->charged = 0;
    auto ledger = start(2);
    ledger->restore_budgets(*snapshot);
    ledger->writer(0).append(batch);
    ledger->writer(1).append(batch);
    ASSERT_TRUE(ledger->flush(kPatience));
    ledger->writer(0).append(batch);
    ASSERT_TRUE(ledger->flush(kPatience));
    EXPECT_EQ(admission::spent(*scope.meter), 400) << start_number;
    EXPECT_EQ(total().nano_dollars, 400);
    EXPECT_EQ(total().calls, 1);
  }
  auto store = LedgerStore::open(std::move(*open()));
  const auto check = verify_ledger(directory_, *store, false, std::chrono::hours(24));
  ASSERT_TRUE(check);
  EXPECT_TRUE(check->faults.empty()) << check->faults.front();
  EXPECT_EQ(check->records, 6);
}

TEST_F(LedgerTest, ABudgetOfAnotherPeriodHasSpentWhatTheLedgerKnowsOfThat) {
  constexpr int64_t kDay = int64_t{24} * 3600 * 1'000'000'000;
  admission::MeterTable meters;
  const auto snapshot_of = [&](const std::string& period) {
    const auto config = TestWorld{}.load(
        "[[connections]]\nname = \"c\"\nprovider = \"vllm\"\nendpoint = \"http://c\"\n[[models]]\nname = \"m\"\n"
        "connection = \"c\"\n[[keys]]\nname = \"k\"\nkey = \"12345678\"\nbudget = \"1.00\"\nbudget_period = \"" +
        period + "\"\n");
    EXPECT_TRUE(config) << format_errors(config.error(), "t");
    return *build_snapshot(*config, {.hash_key = {1, 2}, .meters = &meters});
  };
  const auto by_day = snapshot_of("day");
  const Scope& scope = by_day->scopes.at(0);
  const std::string identity(reinterpret_cast<const char*>(&scope.identity), sizeof scope.identity);
  auto ledger = start();
  ledger->restore_budgets(by_day);
  // As a call does it: the meter is charged, and the record is written.
  const auto spend = [&](int64_t nano, int64_t ago) {
    LedgerRecord record = record_of("k", nano, identity);
    record.time -= ago;
    ledger->writer(0).append(record);
  };
  admission::roll(*scope.meter, scope.compiled().period, kTime / 1'000'000'000);
  spend(70'000, kDay);
  spend(400, 0);
  admission::charge(*scope.meter, 400);
  ledger->change_periods(snapshot_of("month"));
  ASSERT_TRUE(ledger->flush(kPatience));
  EXPECT_EQ(admission::spent(*scope.meter), 70'400);
  ledger->change_periods(by_day);
  ASSERT_TRUE(ledger->flush(kPatience));
  EXPECT_EQ(admission::spent(*scope.meter), 400);
  // A call that ends while the database is asked.
  at_wall_ = [&] {
    spend(30, 0);
    admission::charge(*scope.meter, 30);
  };
  happens_ = true;
  ledger->change_periods(snapshot_of("month"));
  ASSERT_TRUE(ledger->flush(kPatience));
  EXPECT_EQ(admission::spent(*scope.meter), 70'430);
  ledger->change_periods(by_day);
  ASSERT_TRUE(ledger->flush(kPatience));
  EXPECT_EQ(admission::spent(*scope.meter), 430);
  EXPECT_EQ(total().nano_dollars, 70'430) << "each record once";
  // The database is away: the old period goes on until it is back.
  database_is_gone_ = true;
  ledger.reset();
  ledger = start();
  ledger->change_periods(snapshot_of("month"));
  EXPECT_FALSE(ledger->flush(std::chrono::milliseconds(300)));
  EXPECT_EQ(admission::spent(*scope.meter), 430);
  database_is_gone_ = false;
  ASSERT_TRUE(ledger->flush(kPatience));
  EXPECT_EQ(admission::spent(*scope.meter), 70'430);
}

// Older gateways wrote sums down under names. What stands there since an object of the store was made is its own, and
// stays so under another name and beside another object that gets the old one.
TEST_F(LedgerTest, WhatWasChargedByNameIsHandedOverToTheObject) {
  const auto config = TestWorld{}.load(
      "[[connections]]\nname = \"c\"\nprovider = \"vllm\"\nendpoint = \"http://c\"\n[[models]]\nname = \"m\"\n"
      "connection = \"c\"\n[[keys]]\nname = \"k\"\nkey = \"12345678\"\nbudget = \"1.00\"\n");
  ASSERT_TRUE(config) << format_errors(config.error(), "t");
  constexpr int64_t kQuarterMs = kQuarterSeconds * 1000;
  constexpr int64_t kMadeMs = kTime / 1'000'000 / kQuarterMs * kQuarterMs - kQuarterMs + 1000;
  const auto snapshot_of = [&](const std::string& id, const std::string& name, int64_t since = kMadeMs / 1000) {
    control::Config of_store = *config;
    of_store.keys[0].id = id;
    of_store.keys[0].name = name;
    of_store.keys[0].named_since = since;
    return *build_snapshot(of_store, {});
  };
  const auto restored = [this](const std::shared_ptr<const Snapshot>& snapshot) {
    start()->restore_budgets(snapshot);
    return snapshot->scopes.at(0).meter->charged.load();
  };
  const std::string id = "key_1";
  const auto snapshot = snapshot_of(id, "k");
  const Scope& scope = snapshot->scopes.at(0);
  ASSERT_EQ(scope.identity, scope_identity(ScopeKind::key, id));
  ASSERT_EQ(scope.identity_by_name, scope_identity(ScopeKind::key, "k"));
  const auto bytes = [](const uint64_t& identity) {
    return std::string(reinterpret_cast<const char*>(&identity), sizeof identity);
  };
  {
    auto ledger = start();
    const std::string own = bytes(scope.identity);
    const std::string by_name = bytes(scope.identity_by_name);
    ledger->writer(0).append(record_of("k", 400, own));
    ledger->writer(0).append(record_of("k", 30, by_name));
    LedgerRecord soon_after = record_of("k", 5, by_name);
    soon_after.time = (kMadeMs + 1) * 1'000'000;
    ledger->writer(0).append(soon_after);
    LedgerRecord of_another = record_of("k", 7, by_name);
    of_another.time = (kMadeMs - kQuarterMs) * 1'000'000;
    ledger->writer(0).append(of_another);
    ASSERT_TRUE(ledger->flush(kPatience));
  }
  EXPECT_EQ(restored(snapshot_of("key_3", "k", kMadeMs / 1000 + 2 * kQuarterSeconds)), 0) << "it got the name later";
  EXPECT_EQ(restored(snapshot), 435);
  EXPECT_EQ(restored(snapshot_of(id, "k")), 435) << "once";
  EXPECT_EQ(restored(snapshot_of(id, "renamed")), 435);
  EXPECT_EQ(restored(snapshot_of("key_2", "k")), 0) << "another of its name";
}

TEST_F(LedgerTest, VeryManyBudgetsOfSeveralPeriodsAreRestored) {
  constexpr int kKeys = 1203;
  std::string text =
      "[[connections]]\nname = \"c\"\nprovider = \"vllm\"\nendpoint = \"http://c\"\n[[models]]\nname = \"m\"\n"
      "connection = \"c\"\n";
  for (int i = 0; i < kKeys; ++i) {
    const std::string number = std::to_string(10'000 + i);
    text += "[[keys]]\nname = \"k" + number + "\"\nkey = \"123456789-" + number + "\"\nbudget = \"1.00\"\n" +
            (i % 2 == 0 ? "budget_period = \"day\"\n" : "budget_period = \"month\"\n");
  }
  const auto config = TestWorld{}.load(text);
  ASSERT_TRUE(config) << format_errors(config.error(), "t");
  auto snapshot = build_snapshot(*config, {});
  ASSERT_EQ((*snapshot)->scopes.size(), size_t{kKeys});
  {
    auto ledger = start();
    for (const Scope& scope : (*snapshot)->scopes) {
      const std::string identity(reinterpret_cast<const char*>(&scope.identity), sizeof scope.identity);
      ledger->writer(0).append(record_of(scope.name, 7, identity));
      LedgerRecord yesterday = record_of(scope.name, 100, identity);
      yesterday.time -= int64_t{24} * 3600 * 1'000'000'000;
      ledger->writer(0).append(yesterday);
    }
    ASSERT_TRUE(ledger->flush(kPatience));
  }
  auto ledger = start();
  ledger->restore_budgets(*snapshot);
  for (const Scope& scope : (*snapshot)->scopes) {
    const bool by_day = scope.limits().budget_period == admission::BudgetPeriod::day;
    EXPECT_EQ(scope.meter->charged.load(), by_day ? 7 : 107) << scope.name;
  }
}

TEST_F(LedgerTest, NewestRecordsAndChosenSums) {
  auto ledger = start(2);
  for (int i = 0; i < 5; ++i) {
    LedgerRecord record = record_of(i % 2 == 0 ? "even" : "odd", 10 + i);
    record.time += i;
    record.text(LedgerText::team) = i < 3 ? "first" : "second";
    ledger->writer(i % 2).append(record);  // a file each
  }
  const auto newest = [&](size_t limit, std::string_view key) {
    std::string costs;
    const auto found = newest_records(
        directory_, limit, [&](const LedgerRecord& each) { return key.empty() || each.text(LedgerText::key) == key; },
        [&](const LedgerRecord& each) { costs += std::to_string(each.nano_dollars) + " "; });
    EXPECT_TRUE(found);
    return costs + (found->more ? "and more" : "");
  };
  EXPECT_EQ(newest(10, ""), "14 13 12 11 10 ");
  EXPECT_EQ(newest(2, ""), "14 13 and more");
  EXPECT_EQ(newest(10, "odd"), "13 11 ");
  EXPECT_EQ(newest(10, "nobody"), "");
  ASSERT_TRUE(ledger->flush(kPatience));
  auto store = LedgerStore::open(std::move(*open()));
  const auto of_first = store->report({.by = {ReportColumn::key}, .where = {{ReportColumn::team, "first"}}});
  ASSERT_TRUE(of_first);
  ASSERT_EQ(of_first->size(), 2u);
  EXPECT_EQ((*of_first)[0].sums.nano_dollars, 10 + 12);
  EXPECT_EQ((*of_first)[1].sums.nano_dollars, 11);
  const auto one =
      store->report({.by = {}, .where = {{ReportColumn::team, "second"}, {ReportColumn::key, "odd' OR '1' = '1"}}});
  ASSERT_TRUE(one);
  EXPECT_TRUE(one->empty());
}

TEST_F(LedgerTest, ACallCountsInEachOfItsTags) {
  auto ledger = start();
  const auto call = [&](std::string_view tags, int64_t nano) {
    LedgerRecord record = record_of("k", nano);
    record.text(LedgerText::tags) = tags;
    ledger->writer(0).append(record);
  };
  call("run:1,search", 1);
  call("search", 10);
  call("", 100);
  call("research,100%", 1000);
  ASSERT_TRUE(ledger->flush(kPatience));
  auto store = LedgerStore::open(std::move(*open()));
  const auto sums = [&](const ReportQuery& query) {
    std::map<std::string, int64_t> sums;
    const auto rows = store->report(query);
    EXPECT_TRUE(rows);
    for (const ReportRow& row : *rows) sums[row.names.empty() ? "all" : row.names[0]] = row.sums.nano_dollars;
    return sums;
  };
  using Sums = std::map<std::string, int64_t>;
  EXPECT_EQ(sums({.by = {ReportColumn::tag}}),
            (Sums{{"", 100}, {"100%", 1000}, {"research", 1000}, {"run:1", 1}, {"search", 11}}));
  const auto only = [](std::string tag) {
    return ReportQuery{.by = {}, .where = {{ReportColumn::tag, std::move(tag)}}};
  };
  EXPECT_EQ(sums(only("search")), (Sums{{"all", 11}})) << "not research";
  EXPECT_EQ(sums(only("SEARCH")), Sums());
  EXPECT_EQ(sums(only("100%")), (Sums{{"all", 1000}}));
  EXPECT_EQ(sums(only("%")), Sums());
  EXPECT_EQ(sums({.by = {ReportColumn::tags}, .where = {{ReportColumn::tag, "search"}}}),
            (Sums{{"run:1,search", 1}, {"search", 10}}));
  EXPECT_EQ(sums({.by = {ReportColumn::tag}, .where = {{ReportColumn::tag, "search"}, {ReportColumn::tag, "run:1"}}}),
            (Sums{{"run:1", 1}, {"search", 1}}))
      << "both";
}

TEST_F(LedgerTest, DaysAreThoseOfATimeZone) {
  auto ledger = start();
  // 2027-01-15 at 08:00 and at 23:15, of UTC.
  ledger->writer(0).append(record_of("k", 1));
  LedgerRecord late = record_of("k", 10);
  late.time += (15 * 3600 + 900) * 1'000'000'000LL;
  ledger->writer(0).append(late);
  ASSERT_TRUE(ledger->flush(kPatience));
  auto store = LedgerStore::open(std::move(*open()));
  const auto days = [&](std::string_view zone) {
    std::string text;
    const auto rows = store->report({.by = {ReportColumn::day}, .zone = *parse_zone(zone)});
    EXPECT_TRUE(rows);
    for (const ReportRow& row : *rows) text += row.names[0] + ":" + std::to_string(row.sums.nano_dollars) + " ";
    return text;
  };
  EXPECT_EQ(days("UTC"), "20833:11 ");
  EXPECT_EQ(days("Europe/Berlin"), "20833:1 20834:10 ");
  EXPECT_EQ(days("Pacific/Honolulu"), "20832:1 20833:10 ");
  EXPECT_FALSE(parse_zone("Europe/Atlantis"));
  const auto berlin = *parse_zone("Europe/Berlin");
  EXPECT_EQ(parse_moment("2027-01-16", nullptr), 20'834 * 86'400);
  EXPECT_EQ(parse_moment("2027-01-16", berlin.get()), 20'834 * 86'400 - 3600);
  EXPECT_EQ(parse_moment("2027-01-16T00:00:00Z", berlin.get()), 20'834 * 86'400);
  EXPECT_EQ(parse_moment("2027-01-16T12:30", nullptr), 20'834 * 86'400 + 45'000);
  EXPECT_EQ(parse_moment("2027-01-16 12:30:00", berlin.get()), 20'834 * 86'400 + 45'000 - 3600);
  EXPECT_EQ(parse_moment("2027-01-16T12:30Z", berlin.get()), 20'834 * 86'400 + 45'000);
  EXPECT_EQ(parse_moment("2027-01-16T12:30:00.250+02:00", berlin.get()), 20'834 * 86'400 + 45'000 - 7200)
      << "as exports write it";
  EXPECT_EQ(parse_moment("2027-01-16T12:30:00 02:00", berlin.get()), 20'834 * 86'400 + 45'000 - 7200)
      << "as it comes in a query";
  for (const char* text : {"tomorrow", "2027-01-16T", "2027-01-16T12", "2027-01-16T25:00", "2027-01-16T12:30:00.",
                           "2027-01-16T12:30+1", "2027-01-16T12:30:00.5 x", "1970-01-01T00:00+01:00", "16.01.2027"}) {
    EXPECT_FALSE(parse_moment(text, nullptr)) << text;
  }
}

// A span that begins or ends inside a quarter would have calls that it should not, or lack some.
TEST(LedgerTimes, ReportsAreOfWholeQuarters) {
  EXPECT_EQ(parse_quarter("2027-01-16T00:15:00Z", nullptr), 20'834 * 96 + 1);
  EXPECT_EQ(parse_quarter("2027-01-16", (*parse_zone("Europe/Berlin")).get()), 20'834 * 96 - 4);
  EXPECT_THAT(parse_quarter("2027-01-16T23:59:59Z", nullptr).error(),
              testing::HasSubstr("write 2027-01-16T23:45:00Z or 2027-01-17T00:00:00Z"));
  EXPECT_EQ(parse_quarter("2027-01-16T00:15:00.000Z", nullptr), 20'834 * 96 + 1);
  EXPECT_THAT(parse_quarter("2027-01-16T00:15:00.500Z", nullptr).error(), testing::HasSubstr("quarters of an hour"));
  EXPECT_THAT(parse_quarter("tomorrow", nullptr).error(), testing::HasSubstr("is no time"));
}

// However they end, calls of a model that a pattern serves stand in one line; names that nobody knows in the pattern's.
TEST_F(LedgerTest, CallsOfAPatternAreSummedByTheirModel) {
  auto ledger = start();
  const auto call = [&](std::string_view model, CallOutcome outcome, uint16_t status) {
    LedgerRecord record = record_of("k", 1);
    record.text(LedgerText::model) = "claude-*";
    record.text(LedgerText::upstream_model) = model;
    record.outcome = outcome;
    record.upstream_status = status;
    ledger->writer(0).append(record);
  };
  call("claude-x", CallOutcome::completed, 200);
  call("claude-x", CallOutcome::failed, 529);
  call("claude-x", CallOutcome::failed, 0);
  call("claude-x", CallOutcome::cut, 200);
  call("claude-made-up", CallOutcome::failed, 404);
  ASSERT_TRUE(ledger->flush(kPatience));
  auto store = LedgerStore::open(std::move(*open()));
  const auto rows = store->report({.by = {ReportColumn::model}});
  ASSERT_TRUE(rows);
  std::map<std::string, std::pair<int64_t, int64_t>> calls_and_failures;
  for (const ReportRow& row : *rows) calls_and_failures[row.names[0]] = {row.sums.calls, row.sums.failed};
  EXPECT_THAT(calls_and_failures, testing::UnorderedElementsAre(testing::Pair("claude-x", testing::Pair(4, 3)),
                                                                testing::Pair("claude-*", testing::Pair(1, 1))));
}

// Of three workers, one of whom went on to a second segment while the others wrote to their first.
TEST_F(LedgerTest, ExportIsOldestFirstOverAllSegments) {
  std::filesystem::create_directories(ledger_directory(directory_));
  const auto segment = [&](std::string_view name, std::initializer_list<int> times) {
    auto made = accounting::Segment::create(ledger_directory(directory_) + "/" + std::string(name) + ".seg", kTime);
    ASSERT_TRUE(made);
    for (const int time : times) {
      LedgerRecord record = record_of("k", time);
      record.time += time * 1'000'000'000LL;
      std::array<char, accounting::kLedgerRecordBytesMax> bytes;
      ASSERT_TRUE((*made)->append({bytes.data(), accounting::encode(record, bytes)}));
    }
  };
  segment("1-a-0", {1, 5, 9, 12});
  segment("1-a-1", {2, 3, 11});
  segment("1-a-2", {});
  segment("4-a-1", {11, 13});
  segment("9-b-0", {4});  // written out late: it had waited for room on the disk
  const auto seen = [&](TimeSpan span) {
    std::vector<int64_t> costs;
    EXPECT_TRUE(visit_oldest_first(directory_, span,
                                   [&](const LedgerRecord& record) { costs.push_back(record.nano_dollars); }));
    return costs;
  };
  EXPECT_THAT(seen({}), testing::ElementsAre(1, 2, 3, 4, 5, 9, 11, 11, 12, 13));
  constexpr int64_t kSeconds = kTime / 1'000'000'000;
  EXPECT_THAT(seen({.from = kSeconds + 3, .to = kSeconds + 12}), testing::ElementsAre(3, 4, 5, 9, 11, 11));
  std::ostringstream out;
  EXPECT_EQ(export_ledger(directory_, {}, LedgerFormat::json, out), 10u);
  EXPECT_LT(out.str().find("\"nano_dollars\":4,"), out.str().find("\"nano_dollars\":5,"));
}

TEST_F(LedgerTest, OldFilesGoTheirSumsStay) {
  auto ledger = start();
  for (int i = 0; i < 90'000; ++i) {
    while (!ledger->writer(0).append(record_of("a", 1))) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_TRUE(ledger->flush(kPatience));
  const size_t files = ledger_segments(directory_).size();
  ASSERT_GT(files, 2u);
  ledger->set_limits(base::Duration(1), UINT64_MAX);
  const base::Instant limit = base::real_now() + kPatience;
  while (ledger_segments(directory_).size() > 2 && base::real_now() < limit) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_LE(ledger_segments(directory_).size(), 2u) << "the segment at hand and the spare";
  EXPECT_EQ(total().calls, 90'000);
}

}  // namespace
}  // namespace llmgw::control
