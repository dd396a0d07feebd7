#include "control/ledger/ledger_store.h"

#include <array>
#include <map>

namespace llmgw::control {

using base::Result;
using store::SqlRows;
using store::SqlSession;
using store::SqlTransaction;
using store::SqlValue;

namespace {

// Names of people's and models' columns are words of SQL in places.
constexpr std::array<std::string_view, 4> kTables = {
    "CREATE TABLE IF NOT EXISTS ledger_sums (quarter BIGINT NOT NULL, organization_name TEXT NOT NULL, "
    "team_name TEXT NOT NULL, user_name TEXT NOT NULL, key_name TEXT NOT NULL, model_name TEXT NOT NULL, "
    "provider_name TEXT NOT NULL, connection_name TEXT NOT NULL, tags TEXT NOT NULL, calls BIGINT NOT NULL, "
    "failed BIGINT NOT NULL, cancelled BIGINT NOT NULL, unpriced BIGINT NOT NULL, estimated BIGINT NOT NULL, "
    "input BIGINT NOT NULL, cache_read BIGINT NOT NULL, cache_write BIGINT NOT NULL, output BIGINT NOT NULL, "
    "reasoning BIGINT NOT NULL, nano_dollars BIGINT NOT NULL, PRIMARY KEY (quarter, organization_name, team_name, "
    "user_name, key_name, model_name, provider_name, connection_name, tags))",
    "CREATE TABLE IF NOT EXISTS ledger_charges (identity BIGINT NOT NULL, quarter BIGINT NOT NULL, "
    "nano_dollars BIGINT NOT NULL, PRIMARY KEY (identity, quarter))",
    "CREATE TABLE IF NOT EXISTS ledger_segments (name TEXT PRIMARY KEY, read_to BIGINT NOT NULL, "
    "records BIGINT NOT NULL, nano_dollars BIGINT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS ledger_sums_key ON ledger_sums (key_name, quarter)"};

constexpr std::string_view kAddSums =
    "INSERT INTO ledger_sums (quarter, organization_name, team_name, user_name, key_name, model_name, provider_name, "
    "connection_name, tags, calls, failed, cancelled, unpriced, estimated, input, cache_read, cache_write, output, "
    "reasoning, nano_dollars) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, "
    "$18, $19, $20) ON CONFLICT (quarter, organization_name, team_name, user_name, key_name, model_name, "
    "provider_name, connection_name, tags) DO UPDATE SET calls = ledger_sums.calls + excluded.calls, "
    "failed = ledger_sums.failed + excluded.failed, cancelled = ledger_sums.cancelled + excluded.cancelled, "
    "unpriced = ledger_sums.unpriced + excluded.unpriced, estimated = ledger_sums.estimated + excluded.estimated, "
    "input = ledger_sums.input + excluded.input, cache_read = ledger_sums.cache_read + excluded.cache_read, "
    "cache_write = ledger_sums.cache_write + excluded.cache_write, output = ledger_sums.output + excluded.output, "
    "reasoning = ledger_sums.reasoning + excluded.reasoning, "
    "nano_dollars = ledger_sums.nano_dollars + excluded.nano_dollars";

constexpr std::string_view kAddCharge =
    "INSERT INTO ledger_charges (identity, quarter, nano_dollars) VALUES ($1, $2, $3) ON CONFLICT (identity, quarter) "
    "DO UPDATE SET nano_dollars = ledger_charges.nano_dollars + excluded.nano_dollars";

constexpr std::string_view kMoveMark =
    "INSERT INTO ledger_segments (name, read_to, records, nano_dollars) VALUES ($1, $2, $3, $4) ON CONFLICT (name) "
    "DO UPDATE SET read_to = excluded.read_to, records = excluded.records, nano_dollars = excluded.nano_dollars";

constexpr std::string_view kSelectMarks = "SELECT name, read_to, records, nano_dollars FROM ledger_segments";

// The column of each ReportColumn; of a day the number, made a date afterwards.
constexpr std::array<std::string_view, kReportColumns> kColumns = {"quarter / 96",  "organization_name", "team_name",
                                                                   "user_name",     "key_name",          "model_name",
                                                                   "provider_name", "connection_name",   "tags"};

SegmentMark mark_of(const SqlRows& rows, size_t row) {
  return {.name = rows.text(row, 0),
          .offset = rows.integer(row, 1),
          .records = rows.integer(row, 2),
          .nano_dollars = rows.integer(row, 3)};
}

}  // namespace

std::string_view to_string(ReportColumn column) {
  static constexpr std::array<std::string_view, kReportColumns> kNames = {
      "day", "organization", "team", "user", "key", "model", "provider", "connection", "tags"};
  return kNames[static_cast<size_t>(column)];
}

Result<LedgerStore> LedgerStore::open(std::unique_ptr<SqlSession> session) {
  for (const std::string_view table : kTables) TRY_VOID(session->query(table));
  return LedgerStore(std::move(session));
}

Result<void> LedgerStore::add_sums(const RollupKey& key, const RollupSums& sums) {
  const std::array<SqlValue, 20> values = {key.quarter,
                                           std::string_view(key.organization),
                                           std::string_view(key.team),
                                           std::string_view(key.user),
                                           std::string_view(key.key),
                                           std::string_view(key.model),
                                           std::string_view(key.provider),
                                           std::string_view(key.connection),
                                           std::string_view(key.tags),
                                           sums.calls,
                                           sums.failed,
                                           sums.cancelled,
                                           sums.unpriced,
                                           sums.estimated,
                                           sums.input,
                                           sums.cache_read,
                                           sums.cache_write,
                                           sums.output,
                                           sums.reasoning,
                                           sums.nano_dollars};
  TRY_VOID(session_->query(kAddSums, values));
  return {};
}

Result<void> LedgerStore::add(const Rollup& rollup, const std::vector<SegmentMark>& marks) {
  TRY(transaction, SqlTransaction::begin(*session_));
  for (const auto& [key, sums] : rollup.sums()) TRY_VOID(add_sums(key, sums));
  for (const auto& [of, nano] : rollup.charges()) {
    TRY_VOID(session_->query(kAddCharge, {static_cast<int64_t>(of.first), of.second, nano}));
  }
  for (const SegmentMark& mark : marks) {
    TRY_VOID(session_->query(kMoveMark, {std::string_view(mark.name), mark.offset, mark.records, mark.nano_dollars}));
  }
  return transaction.commit();
}

Result<std::optional<SegmentMark>> LedgerStore::mark(std::string_view segment) {
  TRY(rows, session_->query(std::string(kSelectMarks) + " WHERE name = $1", {segment}));
  if (rows.empty()) return std::optional<SegmentMark>();
  return std::optional(mark_of(rows, 0));
}

Result<std::vector<SegmentMark>> LedgerStore::marks() {
  TRY(rows, session_->query(std::string(kSelectMarks) + " ORDER BY name"));
  std::vector<SegmentMark> marks;
  for (size_t row = 0; row < rows.size(); ++row) marks.push_back(mark_of(rows, row));
  return marks;
}

Result<void> LedgerStore::forget(std::string_view segment) {
  TRY_VOID(session_->query("DELETE FROM ledger_segments WHERE name = $1", {segment}));
  return {};
}

Result<int64_t> LedgerStore::charged_since(uint64_t identity, int64_t quarter) {
  TRY(rows, session_->query("SELECT CAST(COALESCE(SUM(nano_dollars), 0) AS BIGINT) FROM ledger_charges "
                            "WHERE identity = $1 AND quarter >= $2",
                            {static_cast<int64_t>(identity), quarter}));
  return rows.integer(0, 0);
}

Result<std::vector<ReportRow>> LedgerStore::report(const ReportQuery& query) {
  std::string columns;
  std::string groups;
  for (size_t i = 0; i < query.by.size(); ++i) {
    columns.append(kColumns[static_cast<size_t>(query.by[i])]).append(", ");
    groups.append(i == 0 ? " GROUP BY " : ", ").append(std::to_string(i + 1));
  }
  std::string sql = "SELECT " + columns;
  static constexpr std::array<std::string_view, 11> kSums = {"calls",     "failed",    "cancelled",   "unpriced",
                                                             "estimated", "input",     "cache_read",  "cache_write",
                                                             "output",    "reasoning", "nano_dollars"};
  for (const std::string_view sum : kSums) {
    sql.append(sum == kSums[0] ? "" : ", ").append("CAST(COALESCE(SUM(").append(sum).append("), 0) AS BIGINT)");
  }
  sql.append(" FROM ledger_sums WHERE quarter >= $1 AND quarter < $2");
  std::vector<SqlValue> values = {query.from_quarter, query.to_quarter};
  for (const auto& [column, name] : query.where) {
    values.emplace_back(std::string_view(name));
    sql.append(" AND ").append(kColumns[static_cast<size_t>(column)]).append(" = $" + std::to_string(values.size()));
  }
  sql.append(groups);
  if (!groups.empty()) sql.append(" ORDER BY ").append(groups.substr(10));
  TRY(rows, session_->query(sql, store::SqlValues(values)));
  std::vector<ReportRow> report;
  for (size_t row = 0; row < rows.size(); ++row) {
    ReportRow& to = report.emplace_back();
    size_t column = 0;
    for (; column < query.by.size(); ++column) to.names.push_back(rows.text(row, column));
    for (int64_t RollupSums::* const sum :
         {&RollupSums::calls, &RollupSums::failed, &RollupSums::cancelled, &RollupSums::unpriced,
          &RollupSums::estimated, &RollupSums::input, &RollupSums::cache_read, &RollupSums::cache_write,
          &RollupSums::output, &RollupSums::reasoning, &RollupSums::nano_dollars}) {
      to.sums.*sum = rows.integer(row, column++);
    }
  }
  // Without records a sum over everything is one row of nothing.
  if (query.by.empty() && !report.empty() && report.front().sums.calls == 0) report.clear();
  return report;
}

}  // namespace llmgw::control
