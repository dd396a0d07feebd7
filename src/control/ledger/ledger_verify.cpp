// The check of the ledger: what its files hold, what their marks say was summed up from them, and what the sums have.
#include <algorithm>
#include <filesystem>
#include <map>

#include "accounting/ledger_segment.h"
#include "base/money.h"
#include "base/saturating.h"
#include "base/text.h"
#include "control/ledger/ledger.h"
#include "control/ledger/ledger_text.h"
#include "control/units.h"

namespace llmgw::control {
namespace {

using base::Result;

// Of quarters that differ; more are counted.
constexpr size_t kQuartersNamed = 10;

// "<made, ns>-<id>-<worker>.seg"
struct SegmentName {
  explicit SegmentName(std::string_view name) {
    const size_t first = name.find('-');
    const size_t second = first == std::string_view::npos ? first : name.find('-', first + 1);
    if (second == std::string_view::npos) return;
    made_ns = static_cast<int64_t>(base::parse_decimal(name.substr(0, first)).value_or(0));
    id = base::parse_decimal(name.substr(first + 1, second - first - 1)).value_or(0);
  }
  int64_t made_ns = 0;
  uint64_t id = 0;
};

std::string dollars(int64_t nano) {
  return "$" + base::format_usd({nano});
}

// Marks of segments whose files are gone: the gateway takes a mark away when it has removed the file.
Result<void> find_lost(const std::string& data_dir, LedgerStore& store, bool shared, base::Duration retention,
                       LedgerCheck& check) {
  TRY(marks, store.marks());
  const uint64_t own = ledger_id(data_dir);
  const int64_t oldest = (base::real_wall_now().time_since_epoch() - retention).count();
  for (const SegmentMark& mark : marks) {
    const SegmentName name(mark.name);
    if (mark.records == 0 || name.made_ns < oldest || (shared && name.id != own)) continue;
    if (std::filesystem::exists(ledger_directory(data_dir) + "/" + mark.name)) continue;
    TRY(still, store.mark(mark.name));
    if (!still) continue;
    check.faults.push_back(mark.name + " is not there, and " + std::to_string(mark.records) + " records of " +
                           dollars(mark.nano_dollars) + " were summed up from it");
  }
  return {};
}

void add_to(QuarterTotals& totals, const accounting::LedgerRecord& record) {
  const int64_t nano = sums_of(record).nano_dollars;
  const size_t payers = record.text(accounting::LedgerText::charged).size() / sizeof(uint64_t);
  ++totals.calls;
  totals.nano_dollars = base::add_saturating(totals.nano_dollars, nano);
  for (size_t i = 0; i < payers; ++i) totals.charged = base::add_saturating(totals.charged, nano);
}

// Reads a file, and compares what is before its mark with that. What was summed up goes to `summed`, too.
Result<void> check_file(const std::string& path, LedgerStore& store, std::map<int64_t, QuarterTotals>& summed,
                        LedgerCheck& check) {
  // The mark first: a gateway that runs may move it on while the file is read, and back only when an older copy of the
  // database is put back.
  const std::string name = std::filesystem::path(path).filename();
  TRY(mark, store.mark(name));
  TRY(file, accounting::read_segment(path));
  SegmentMark found;
  uint64_t unreadable = 0;
  const int64_t read_to = mark ? mark->offset : 0;
  int64_t at = accounting::kSegmentHeadBytes;
  const auto scan = accounting::scan_segment(file.bytes, accounting::kSegmentHeadBytes, [&](std::string_view payload) {
    const auto record = accounting::decode(payload);
    if (!record) ++unreadable;
    ++check.records;
    if (record) check.nano_dollars = base::add_saturating(check.nano_dollars, record->nano_dollars);
    if (at < read_to && record) {
      ++found.records;
      found.nano_dollars = base::add_saturating(found.nano_dollars, record->nano_dollars);
      // A batch is summed up once, for its maker and at the time of its first record, which may be elsewhere.
      if (accounting::batch_key(*record).empty()) {
        add_to(summed[record->time / 1'000'000'000 / kQuarterSeconds], *record);
      }
    } else {
      ++check.waiting;
    }
    at += static_cast<int64_t>(accounting::kFrameHeadBytes + ((payload.size() + 7) & ~size_t{7}));
  });
  ++check.segments;
  // A spare that has not been begun has its head, but for a moment.
  if (!scan.valid && !file.live) check.faults.push_back(name + " is not a segment of the ledger");
  if (scan.torn && !file.live) check.faults.push_back(name + " has a torn end: what was written last is lost");
  if (unreadable > 0) check.faults.push_back(name + " holds " + std::to_string(unreadable) + " unreadable records");
  if (mark && (found.records != mark->records || found.nano_dollars != mark->nano_dollars)) {
    check.faults.push_back(name + " holds " + std::to_string(found.records) + " records of " +
                           dollars(found.nano_dollars) + ", but " + std::to_string(mark->records) + " of " +
                           dollars(mark->nano_dollars) + " were summed up");
  }
  return {};
}

// No quarter's sums are less than what was summed up from the files that are there: sums only grow, and those that are
// asked for after the marks have all that the marks say. They may be more, of files that are gone or elsewhere.
Result<void> check_quarters(LedgerStore& store, const std::map<int64_t, QuarterTotals>& summed, LedgerCheck& check) {
  TRY(quarters, store.quarters());
  size_t lacking = 0;
  for (const auto& [quarter, read] : summed) {
    const QuarterTotals& has = quarters[quarter];
    const bool sums_lack = has.calls < read.calls || has.nano_dollars < read.nano_dollars;
    if (!sums_lack && has.charged >= read.charged) continue;
    if (++lacking > kQuartersNamed) continue;
    std::string fault = "the sums of the quarter of an hour from " + format_timestamp({quarter * kQuarterSeconds});
    if (sums_lack) {
      fault += " have " + std::to_string(has.calls) + " calls of " + dollars(has.nano_dollars) + ", but " +
               std::to_string(read.calls) + " of " + dollars(read.nano_dollars);
    } else {
      fault += " have " + dollars(has.charged) + " that budgets paid, but " + dollars(read.charged);
    }
    check.faults.push_back(fault + " were summed up from the files here");
  }
  if (lacking <= kQuartersNamed) return {};
  check.faults.push_back("the sums of " + std::to_string(lacking - kQuartersNamed) +
                         " more quarters lack something, too");
  return {};
}

// All gateways' sums, and all that was summed up.
Result<void> check_totals(LedgerStore& store, LedgerCheck& check) {
  TRY(totals, store.totals());
  // Sums stay at the largest number, on either side after other steps.
  const bool countable = totals.nano_dollars < INT64_MAX && totals.read_nano_dollars < INT64_MAX;
  const bool less = totals.calls < totals.records || (countable && totals.nano_dollars < totals.read_nano_dollars);
  const bool more = totals.calls > totals.records || (countable && totals.nano_dollars > totals.read_nano_dollars);
  if (!less && !(more && totals.of_all_segments)) return {};
  check.faults.push_back("the sums have " + std::to_string(totals.calls) + " calls of " + dollars(totals.nano_dollars) +
                         " in all, but " + std::to_string(totals.records) + " of " + dollars(totals.read_nano_dollars) +
                         " were summed up");
  return {};
}

}  // namespace

Result<LedgerCheck> verify_ledger(const std::string& data_dir, LedgerStore& store, bool shared,
                                  base::Duration retention) {
  LedgerCheck check;
  TRY_VOID(find_lost(data_dir, store, shared, retention, check));
  std::map<int64_t, QuarterTotals> summed;
  for (const std::string& path : ledger_segments(data_dir)) TRY_VOID(check_file(path, store, summed, check));
  TRY_VOID(check_quarters(store, summed, check));
  TRY_VOID(check_totals(store, check));
  return check;
}

Result<std::map<int64_t, QuarterTotals>> LedgerStore::quarters() {
  std::map<int64_t, QuarterTotals> quarters;
  TRY(sums, session_->query("SELECT quarter, " + sum_sql("calls") + ", " + sum_sql("nano_dollars") +
                            " FROM ledger_sums GROUP BY quarter"));
  for (size_t row = 0; row < sums.size(); ++row) {
    QuarterTotals& totals = quarters[sums.integer(row, 0)];
    totals.calls = sum_of(sums, row, 1);
    totals.nano_dollars = sum_of(sums, row, 3);
  }
  TRY(charges, session_->query("SELECT quarter, " + sum_sql("nano_dollars") + " FROM ledger_charges GROUP BY quarter"));
  for (size_t row = 0; row < charges.size(); ++row) {
    quarters[charges.integer(row, 0)].charged = sum_of(charges, row, 1);
  }
  return quarters;
}

// One statement, which sees all tables as they are at one moment.
Result<LedgerTotals> LedgerStore::totals() {
  const std::string nano = sum_sql("nano_dollars");
  TRY(rows, session_->query("SELECT * FROM (SELECT " + sum_sql("calls") + ", " + nano +
                                " FROM ledger_sums) AS sums, (SELECT " + sum_sql("records") + ", " + nano +
                                " FROM ledger_segments) AS marks, (SELECT COUNT(*) FROM ledger_segments WHERE name = "
                                "$1) AS forgotten",
                            {kForgottenSegments}));
  if (rows.empty()) return LedgerTotals();
  return LedgerTotals{.calls = sum_of(rows, 0, 0),
                      .nano_dollars = sum_of(rows, 0, 2),
                      .records = sum_of(rows, 0, 4),
                      .read_nano_dollars = sum_of(rows, 0, 6),
                      .of_all_segments = rows.integer(0, 8) > 0};
}

}  // namespace llmgw::control
