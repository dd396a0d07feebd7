#include "control/ledger/ledger_store.h"

#include <algorithm>
#include <array>

#include "base/saturating.h"
#include "base/text.h"

namespace llmgw::control {

using base::Result;
using store::SqlRows;
using store::SqlSession;
using store::SqlStatement;
using store::SqlTransaction;
using store::SqlValue;

namespace {

// Names of people's and models' columns are words of SQL in places. Those of owners hold ids, too: see RollupKey.
constexpr std::array<std::string_view, 10> kTables = {
    "CREATE TABLE IF NOT EXISTS ledger_sums (quarter BIGINT NOT NULL, organization_name TEXT NOT NULL, "
    "team_name TEXT NOT NULL, user_name TEXT NOT NULL, key_name TEXT NOT NULL, model_name TEXT NOT NULL, "
    "provider_name TEXT NOT NULL, connection_name TEXT NOT NULL, tags TEXT NOT NULL, calls BIGINT NOT NULL, "
    "failed BIGINT NOT NULL, cancelled BIGINT NOT NULL, unpriced BIGINT NOT NULL, estimated BIGINT NOT NULL, "
    "input BIGINT NOT NULL, cache_read BIGINT NOT NULL, cache_write BIGINT NOT NULL, output BIGINT NOT NULL, "
    "reasoning BIGINT NOT NULL, nano_dollars BIGINT NOT NULL, PRIMARY KEY (quarter, organization_name, team_name, "
    "user_name, key_name, model_name, provider_name, connection_name, tags))",
    "CREATE TABLE IF NOT EXISTS ledger_end_users (quarter BIGINT NOT NULL, organization_name TEXT NOT NULL, "
    "team_name TEXT NOT NULL, user_name TEXT NOT NULL, key_name TEXT NOT NULL, model_name TEXT NOT NULL, "
    "provider_name TEXT NOT NULL, connection_name TEXT NOT NULL, tags TEXT NOT NULL, end_user TEXT NOT NULL, "
    "calls BIGINT NOT NULL, failed BIGINT NOT NULL, cancelled BIGINT NOT NULL, unpriced BIGINT NOT NULL, "
    "estimated BIGINT NOT NULL, input BIGINT NOT NULL, cache_read BIGINT NOT NULL, cache_write BIGINT NOT NULL, "
    "output BIGINT NOT NULL, reasoning BIGINT NOT NULL, nano_dollars BIGINT NOT NULL, PRIMARY KEY (quarter, "
    "organization_name, team_name, user_name, key_name, model_name, provider_name, connection_name, tags, end_user))",
    "CREATE TABLE IF NOT EXISTS ledger_charges (identity BIGINT NOT NULL, quarter BIGINT NOT NULL, "
    "nano_dollars BIGINT NOT NULL, PRIMARY KEY (identity, quarter))",
    "CREATE TABLE IF NOT EXISTS ledger_segments (name TEXT PRIMARY KEY, read_to BIGINT NOT NULL, "
    "records BIGINT NOT NULL, nano_dollars BIGINT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS ledger_sums_key ON ledger_sums (key_name, quarter)",
    "CREATE TABLE IF NOT EXISTS ledger_names (id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS ledger_holders (kind TEXT NOT NULL, name TEXT NOT NULL, since BIGINT NOT NULL, "
    "until BIGINT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (kind, name, since))",
    "CREATE INDEX IF NOT EXISTS ledger_holders_id ON ledger_holders (id)",
    "CREATE TABLE IF NOT EXISTS ledger_batches (id TEXT PRIMARY KEY, quarter BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS ledger_batch_makers (id TEXT PRIMARY KEY, quarter BIGINT NOT NULL, "
    "organization_name TEXT NOT NULL, team_name TEXT NOT NULL, user_name TEXT NOT NULL, key_name TEXT NOT NULL, "
    "tags TEXT NOT NULL, end_user TEXT NOT NULL, charged TEXT NOT NULL)"};

// "sum = its own and the new one", INT64_MAX at most: PostgreSQL refuses what passes it, SQLite makes it a float.
std::string add_sql(std::string_view table, std::string_view sum) {
  const std::string own = std::string(table) + "." + std::string(sum);
  const std::string more = "excluded." + std::string(sum);
  return std::string(sum) + " = CASE WHEN " + own + " > 9223372036854775807 - " + more +
         " THEN 9223372036854775807 ELSE " + own + " + " + more + " END";
}

// Adds to a table whose primary key these columns are, in their order.
std::string add_sums_sql(std::string_view table, std::string_view columns) {
  std::string sums;
  std::string updates;
  for (const RollupSum& sum : kRollupSums) {
    sums.append(", ").append(sum.name);
    updates += (updates.empty() ? "" : ", ") + add_sql(table, sum.name);
  }
  const auto count = 1 + static_cast<size_t>(std::ranges::count(columns, ',')) + kRollupSums.size();
  std::string values;
  for (size_t i = 1; i <= count; ++i) values.append(i == 1 ? "$" : ", $").append(std::to_string(i));
  return "INSERT INTO " + std::string(table) + " (" + std::string(columns) + sums + ") VALUES (" + values +
         ") ON CONFLICT (" + std::string(columns) + ") DO UPDATE SET " + updates;
}

constexpr std::string_view kSumColumns =
    "quarter, organization_name, team_name, user_name, key_name, model_name, provider_name, connection_name, tags";

const std::string& add_to_sums() {
  static const std::string kSql = add_sums_sql("ledger_sums", kSumColumns);
  return kSql;
}

const std::string& add_to_end_users() {
  static const std::string kSql = add_sums_sql("ledger_end_users", std::string(kSumColumns) + ", end_user");
  return kSql;
}

const std::string& add_charge_sql() {
  static const std::string kSql =
      "INSERT INTO ledger_charges (identity, quarter, nano_dollars) VALUES ($1, $2, $3) ON CONFLICT (identity, "
      "quarter) DO UPDATE SET " +
      add_sql("ledger_charges", "nano_dollars");
  return kSql;
}

constexpr std::string_view kSelectMarks = "SELECT name, read_to, records, nano_dollars FROM ledger_segments";

constexpr std::string_view kWriteName =
    "INSERT INTO ledger_names (id, kind, name) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET name = excluded.name";
// More names than these are written once more.
constexpr size_t kWrittenNamesMax = 20'000;

constexpr size_t kIdentitiesAtOnce = 500;
// SQLite takes conditions of up to a thousand parts.
constexpr size_t kMarksAtOnce = 100;

// `end_user`: null where the table has none.
std::vector<SqlValue> values_of(const RollupKey& key, const std::string* end_user, const RollupSums& sums) {
  std::vector<SqlValue> values = {key.quarter};
  for (const std::string* const name :
       {&key.organization, &key.team, &key.user, &key.key, &key.model, &key.provider, &key.connection, &key.tags}) {
    values.emplace_back(std::string_view(*name));
  }
  if (end_user != nullptr) values.emplace_back(std::string_view(*end_user));
  for (const RollupSum& sum : kRollupSums) values.emplace_back(sums.*sum.member);
  return values;
}

SegmentMark mark_of(const SqlRows& rows, size_t row) {
  return {.name = rows.text(row, 0),
          .offset = rows.integer(row, 1),
          .records = rows.integer(row, 2),
          .nano_dollars = rows.integer(row, 3)};
}

}  // namespace

std::string LedgerStore::sum_sql(std::string_view column) {
  const std::string name(column);
  return "CAST(COALESCE(SUM(" + name + " >> 32), 0) AS BIGINT), CAST(COALESCE(SUM(" + name +
         " & 4294967295), 0) AS BIGINT)";
}

int64_t LedgerStore::sum_of(const store::SqlRows& rows, size_t row, size_t column) {
  const int64_t upper = base::multiply_saturating(rows.integer(row, column), int64_t{1} << 32);
  return base::add_saturating(upper, rows.integer(row, column + 1));
}

Result<LedgerStore> LedgerStore::open(std::unique_ptr<SqlSession> session) {
  // Nothing is made where all is there: a database that is read-only can be read.
  TRY(made, store::all_made(*session, kTables));
  if (made) return LedgerStore(std::move(session));
  for (const std::string_view table : kTables) TRY_VOID(session->query(table));
  // Where nothing was summed up yet, nothing was forgotten. (Asked for first: an INSERT waits for others that write.)
  TRY(begun, session->query("SELECT 1 FROM ledger_segments UNION ALL SELECT 1 FROM ledger_sums LIMIT 1"));
  if (begun.empty()) {
    TRY_VOID(
        session->query("INSERT INTO ledger_segments (name, read_to, records, nano_dollars) SELECT $1, 0, 0, 0 "
                       "WHERE NOT EXISTS (SELECT 1 FROM ledger_sums) ON CONFLICT (name) DO NOTHING",
                       {kForgottenSegments}));
  }
  return LedgerStore(std::move(session));
}

Result<void> LedgerStore::run_some(std::vector<SqlStatement>& statements, size_t enough) {
  if (statements.size() < enough) return {};
  TRY_VOID(session_->run_all(statements));
  statements.clear();
  return {};
}

// "7,8".
std::string text_of(const std::vector<uint64_t>& identities) {
  std::string text;
  for (const uint64_t each : identities) text.append(text.empty() ? "" : ",").append(std::to_string(each));
  return text;
}

std::vector<uint64_t> identities_in(std::string_view text) {
  std::vector<uint64_t> identities;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    if (const auto identity = base::parse_decimal(text.substr(0, end))) identities.push_back(*identity);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return identities;
}

// The first who says to have made a batch has made it: providers make ids.
Result<void> LedgerStore::note_makers(const Rollup& rollup) {
  for (const auto& [id, part] : rollup.makers()) {
    const std::string charged = text_of(part.charged);
    const RollupKey& key = part.key;
    TRY_VOID(session_->query(
        "INSERT INTO ledger_batch_makers (id, quarter, organization_name, team_name, user_name, key_name, tags, "
        "end_user, charged) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
        {std::string_view(id), key.quarter, std::string_view(key.organization), std::string_view(key.team),
         std::string_view(key.user), std::string_view(key.key), std::string_view(key.tags),
         std::string_view(part.end_user), std::string_view(charged)}));
  }
  return {};
}

// Two statements for many marks: the old ones go, and the new ones come where none are. Of two that move the same mark
// at once the second waits for the first one's end, and then finds neither what it believed.
Result<void> LedgerStore::move_marks(std::span<const MarkMove> moves) {
  const auto place = [](std::vector<SqlValue>& values, const SqlValue& value) {
    values.push_back(value);
    return "$" + std::to_string(values.size());
  };
  while (!moves.empty()) {
    const auto batch = moves.first(std::min(moves.size(), kMarksAtOnce));
    moves = moves.subspan(batch.size());
    std::string old_ones;
    std::vector<SqlValue> old_values;
    std::string new_ones;
    std::vector<SqlValue> new_values;
    for (const auto& [from, to] : batch) {
      const std::string_view name = to.name;
      if (from > 0) {
        old_ones.append(old_ones.empty() ? "(name = " : " OR (name = ").append(place(old_values, name));
        old_ones.append(" AND read_to = ").append(place(old_values, from)).append(")");
      }
      new_ones.append(new_ones.empty() ? "(" : ", (").append(place(new_values, name));
      for (const int64_t number : {to.offset, to.records, to.nano_dollars}) {
        new_ones.append(", ").append(place(new_values, number));
      }
      new_ones += ")";
    }
    if (!old_values.empty()) {
      TRY(gone, session_->query("DELETE FROM ledger_segments WHERE " + old_ones, store::SqlValues(old_values)));
      if (gone.changed != static_cast<int64_t>(old_values.size() / 2)) {
        return base::fail(base::ErrorCode::invalid_argument, kMarksDiffer);
      }
    }
    TRY(made, session_->query("INSERT INTO ledger_segments (name, read_to, records, nano_dollars) VALUES " + new_ones +
                                  " ON CONFLICT (name) DO NOTHING",
                              store::SqlValues(new_values)));
    if (made.changed != static_cast<int64_t>(batch.size())) {
      return base::fail(base::ErrorCode::invalid_argument, kMarksDiffer);
    }
  }
  return {};
}

Result<void> LedgerStore::give_to_maker(RollupPart& batch) {
  TRY(maker, session_->query("SELECT organization_name, team_name, user_name, key_name, tags, end_user, charged FROM "
                             "ledger_batch_makers WHERE id = $1",
                             {std::string_view(batch.maker)}));
  if (maker.empty()) return {};
  RollupKey& key = batch.key;
  size_t column = 0;
  for (std::string* const text : {&key.organization, &key.team, &key.user, &key.key, &key.tags, &batch.end_user}) {
    *text = maker.text(0, column++);
  }
  batch.charged = identities_in(maker.text(0, column));
  return {};
}

// Of several gateways that see a batch at once one gets its row; the others wait for it to end.
Result<std::vector<RollupPart>> LedgerStore::take_batches(Rollup& rollup) {
  TRY_VOID(note_makers(rollup));
  std::vector<RollupPart> taken;
  for (const auto& [key, part] : rollup.batches()) {
    TRY(row, session_->query("INSERT INTO ledger_batches (id, quarter) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING "
                             "RETURNING quarter",
                             {std::string_view(key), part.key.quarter}));
    if (row.empty()) continue;
    taken.push_back(part);
    TRY_VOID(give_to_maker(taken.back()));
  }
  for (const RollupPart& part : taken) rollup.take_batch(part);
  TRY_VOID(note_repeated(rollup, taken));
  return taken;
}

Result<void> LedgerStore::note_repeated(const Rollup& rollup, const std::vector<RollupPart>& taken) {
  RollupSums once;
  for (const RollupPart& part : taken) once += part.sums;
  const RollupSums& all = rollup.batch_records();
  if (all.calls == once.calls) return {};
  TRY_VOID(
      session_->query("INSERT INTO ledger_segments (name, read_to, records, nano_dollars) VALUES ($1, 0, $2, $3) "
                      "ON CONFLICT (name) DO UPDATE SET records = ledger_segments.records + excluded.records, "
                      "nano_dollars = ledger_segments.nano_dollars + excluded.nano_dollars",
                      {kRepeatedBatches, once.calls - all.calls, once.nano_dollars - all.nano_dollars}));
  return {};
}

Result<std::vector<RollupPart>> LedgerStore::add(Rollup& rollup, std::span<const MarkMove> moves) {
  TRY(transaction, SqlTransaction::begin(*session_));
  TRY_VOID(move_marks(moves));
  TRY(batches, take_batches(rollup));
  std::vector<SqlStatement> statements;
  for (const auto& [key, sums] : rollup.sums()) {
    statements.push_back({.sql = add_to_sums(), .values = values_of(key, nullptr, sums)});
    TRY_VOID(run_some(statements, kStatementsAtOnce));
  }
  for (const auto& [of, sums] : rollup.end_users()) {
    const auto& [key, end_user] = of;
    if (!takes_end_user(key.quarter, end_user)) continue;
    statements.push_back({.sql = add_to_end_users(), .values = values_of(key, &end_user, sums)});
    TRY_VOID(run_some(statements, kStatementsAtOnce));
  }
  for (const auto& [of, nano] : rollup.charges()) {
    statements.push_back({.sql = add_charge_sql(), .values = {static_cast<int64_t>(of.first), of.second, nano}});
    TRY_VOID(run_some(statements, kStatementsAtOnce));
  }
  for (const auto& [id, owner] : rollup.names()) {
    if (const auto written = written_names_.find(id); written != written_names_.end() && written->second == owner.name)
      continue;
    statements.push_back(
        {.sql = kWriteName, .values = {std::string_view(id), owner.kind, std::string_view(owner.name)}});
    TRY_VOID(run_some(statements, kStatementsAtOnce));
  }
  TRY_VOID(run_some(statements, 1));
  TRY_VOID(transaction.commit());
  if (written_names_.size() > kWrittenNamesMax) written_names_.clear();
  for (const auto& [id, owner] : rollup.names()) written_names_.insert_or_assign(id, owner.name);
  return batches;
}

bool LedgerStore::takes_end_user(int64_t quarter, const std::string& end_user) {
  if (quarter > end_users_quarter_) {
    end_users_quarter_ = quarter;
    end_users_.clear();
  }
  if (end_users_.contains(end_user)) return true;
  return end_users_.size() < kEndUsersMax && end_users_.insert(end_user).second;
}

Result<std::optional<SegmentMark>> LedgerStore::mark(std::string_view segment) {
  TRY(rows, session_->query(std::string(kSelectMarks) + " WHERE name = $1", {segment}));
  if (rows.empty()) return std::optional<SegmentMark>();
  return std::optional(mark_of(rows, 0));
}

Result<std::vector<SegmentMark>> LedgerStore::marks() {
  TRY(rows, session_->query(std::string(kSelectMarks) + " WHERE name NOT IN ($1, $2) ORDER BY name",
                            {kForgottenSegments, kRepeatedBatches}));
  std::vector<SegmentMark> marks;
  for (size_t row = 0; row < rows.size(); ++row) marks.push_back(mark_of(rows, row));
  return marks;
}

Result<std::vector<SegmentMark>> LedgerStore::marks(std::span<const std::string> segments) {
  std::vector<SegmentMark> marks;
  while (!segments.empty()) {
    const auto batch = segments.first(std::min(segments.size(), kMarksAtOnce));
    segments = segments.subspan(batch.size());
    std::vector<SqlValue> values;
    std::string list;
    for (const std::string& name : batch) {
      values.emplace_back(std::string_view(name));
      list.append(list.empty() ? "$" : ", $").append(std::to_string(values.size()));
    }
    TRY(rows, session_->query(std::string(kSelectMarks) + " WHERE name IN (" + list + ")", store::SqlValues(values)));
    for (size_t row = 0; row < rows.size(); ++row) marks.push_back(mark_of(rows, row));
  }
  return marks;
}

Result<void> LedgerStore::forget(std::string_view segment) {
  TRY(transaction, SqlTransaction::begin(*session_));
  TRY(rows, session_->query("DELETE FROM ledger_segments WHERE name = $1 RETURNING records, nano_dollars", {segment}));
  if (!rows.empty()) {
    TRY_VOID(
        session_->query("UPDATE ledger_segments SET records = records + $1, nano_dollars = CASE WHEN nano_dollars "
                        "> 9223372036854775807 - $2 THEN 9223372036854775807 ELSE nano_dollars + $2 END "
                        "WHERE name = $3",
                        {rows.integer(0, 0), rows.integer(0, 1), kForgottenSegments}));
  }
  return transaction.commit();
}

Result<std::unordered_map<uint64_t, int64_t>> LedgerStore::charged_since(std::span<const uint64_t> identities,
                                                                         int64_t quarter) {
  std::unordered_map<uint64_t, int64_t> charged;
  while (!identities.empty()) {
    const auto batch = identities.first(std::min(identities.size(), kIdentitiesAtOnce));
    identities = identities.subspan(batch.size());
    std::vector<SqlValue> values = {quarter};
    std::string list;
    for (const uint64_t identity : batch) {
      values.emplace_back(static_cast<int64_t>(identity));
      list.append(list.empty() ? "$" : ", $").append(std::to_string(values.size()));
    }
    const std::string sql = "SELECT identity, " + sum_sql("nano_dollars") +
                            " FROM ledger_charges WHERE quarter >= $1 AND identity IN (" + list + ") GROUP BY identity";
    TRY(rows, session_->query(sql, store::SqlValues(values)));
    for (size_t row = 0; row < rows.size(); ++row) {
      charged[static_cast<uint64_t>(rows.integer(row, 0))] = sum_of(rows, row, 1);
    }
  }
  return charged;
}

Result<void> LedgerStore::hand_over(std::span<const Handover> handovers) {
  TRY(transaction, SqlTransaction::begin(*session_));
  std::vector<SqlStatement> statements;
  for (const Handover& each : handovers) {
    // Of two that take rows away at once only one gets them.
    TRY(rows, session_->query("DELETE FROM ledger_charges WHERE identity = $1 AND quarter >= $2 "
                              "RETURNING quarter, nano_dollars",
                              {static_cast<int64_t>(each.from), each.quarter}));
    for (size_t row = 0; row < rows.size(); ++row) {
      statements.push_back({.sql = add_charge_sql(),
                            .values = {static_cast<int64_t>(each.to), rows.integer(row, 0), rows.integer(row, 1)}});
    }
  }
  TRY_VOID(session_->run_all(statements));
  return transaction.commit();
}

}  // namespace llmgw::control
