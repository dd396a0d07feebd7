// The ledger for people and programs: records and reports as CSV (RFC 4180), JSON and tables. Command line only.
#pragma once

#include <cstdint>
#include <expected>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "control/ledger/ledger_merge.h"
#include "control/ledger/ledger_store.h"

namespace llmgw::control {

enum class LedgerFormat : uint8_t { table, csv, json };

// All records of the span, the oldest first: CSV with a line of names, or a JSON object a line.
base::Result<uint64_t> export_ledger(const std::string& data_dir, const TimeSpan& span, LedgerFormat format,
                                     std::ostream& out);

struct LedgerCheck {
  uint64_t segments = 0;
  uint64_t records = 0;
  int64_t nano_dollars = 0;
  uint64_t waiting = 0;             // records that are not yet in the sums
  std::vector<std::string> faults;  // sentences
};
// Reads every segment and compares it with what the database says was taken from it, the sums with what the segments
// that are there come to, by quarter of an hour, and with what the database says of all. `shared`: other gateways'
// segments are in the database, too, whose files are elsewhere. A file that is gone is a fault for as long as it should
// be kept. Gateways may run meanwhile.
base::Result<LedgerCheck> verify_ledger(const std::string& data_dir, LedgerStore& store, bool shared,
                                        base::Duration retention);

// "team,model,day"
std::expected<std::vector<ReportColumn>, std::string> parse_report_columns(std::string_view text);
// Seconds since 1970 of a time as people write it: "2027-01-31", its first midnight, "2027-01-31 12:00", both in the
// zone (null: UTC), or "2027-01-31T12:00:00.250+01:00", of which the fraction is left out.
std::expected<int64_t, std::string> parse_moment(std::string_view text, const base::TimeZone* zone);
// The quarter of an hour that begins at such a moment. The error: the moment is inside one, of which the sums do not
// know more; it names those around it.
std::expected<int64_t, std::string> parse_quarter(std::string_view text, const base::TimeZone* zone);
// The zone of that name, null for UTC and none.
std::expected<std::shared_ptr<const base::TimeZone>, std::string> parse_zone(std::string_view name);
void write_report(const std::vector<ReportColumn>& by, const std::vector<ReportRow>& rows, LedgerFormat format,
                  std::ostream& out);

}  // namespace llmgw::control
