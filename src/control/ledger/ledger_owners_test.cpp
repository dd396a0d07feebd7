#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/temporary_directory.h"
#include "control/ledger/ledger.h"
#include "control/test_support.h"

namespace llmgw::control {
namespace {

using accounting::LedgerRecord;
using accounting::LedgerText;

constexpr base::Duration kPatience = std::chrono::seconds(120);  // only a broken test waits so long
constexpr int64_t kNow = 1'800'000'000;
constexpr std::string_view kKeyId = "vkey_1";
constexpr std::string_view kTeamId = "team_1";

// A team and a key of the store, of which older records know the names alone.
std::shared_ptr<const Snapshot> snapshot_of_store() {
  auto config = TestWorld{}.load(
      "[[connections]]\nname = \"c\"\nprovider = \"vllm\"\nendpoint = \"http://c\"\n[[models]]\nname = \"m\"\n"
      "connection = \"c\"\n[[teams]]\nname = \"t\"\n[[keys]]\nname = \"k\"\nkey = \"12345678\"\nteam = \"t\"\n"
      "[[keys]]\nname = \"of-the-file\"\nkey = \"23456789\"\n");
  EXPECT_TRUE(config) << format_errors(config.error(), "t");
  config->keys[0].id = kKeyId;
  config->keys[0].named_since = kNow - kQuarterSeconds;
  config->teams[0].id = kTeamId;
  config->teams[0].named_since = 1;
  return *build_snapshot(*config, {});
}

TEST(LedgerOwners, WhatOlderVersionsWroteDownIsTheHoldersFromTheFirstStart) {
  const base::TemporaryDirectory directory;
  const auto open = [&] { return store::open_sqlite(ledger_database(directory.path())); };
  auto ledger = *Ledger::start({.directory = directory.path(),
                                .open_database = open,
                                .wall = [] { return kNow; },
                                .interval = std::chrono::milliseconds(20)});
  const auto call = [&](std::string_view key, std::string_view team, int64_t time) {
    LedgerRecord record{.time = time * 1'000'000'000, .usage = {}, .texts = {}};
    record.text(LedgerText::key) = key;
    record.text(LedgerText::team) = team;
    while (!ledger->writer(0).append(record)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  call("k", "t", kNow - 2 * kQuarterSeconds);  // of another of the name
  call("k", "t", kNow);
  call("k", "t", kNow + 3600);  // of a gateway that is upgraded later
  call("k", "t", kNow + 7 * 86'400);
  call("of-the-file", "", kNow);
  ASSERT_TRUE(ledger->flush(kPatience));
  ledger->restore_budgets(snapshot_of_store());
  ASSERT_TRUE(ledger->flush(kPatience));
  auto store = LedgerStore::open(*open());
  const auto calls = [&](ReportColumn by) {
    std::map<std::string, int64_t> calls;
    const auto rows = store->report({.by = {by}});
    EXPECT_TRUE(rows);
    for (const ReportRow& row : *rows) calls[row.names[0] + " " + row.owners[0].id] += row.sums.calls;
    return calls;
  };
  using Calls = std::map<std::string, int64_t>;
  EXPECT_EQ(calls(ReportColumn::key), (Calls{{"k ", 2}, {"k vkey_1", 2}, {"of-the-file ", 1}}));
  EXPECT_EQ(calls(ReportColumn::team), (Calls{{" ", 1}, {"t ", 1}, {"t team_1", 3}}));
}

}  // namespace
}  // namespace llmgw::control
