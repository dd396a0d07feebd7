// Reports out of the ledger's sums. What the database has in other rows than a report wants them, single tags and days
// of a time zone, is asked for in its own rows and summed up here.
#include <algorithm>
#include <array>
#include <map>

#include "base/text.h"
#include "control/ledger/ledger_store.h"

namespace llmgw::control {

using base::Result;
using store::SqlValue;

namespace {

constexpr int64_t kDaySeconds = 86'400;

// The column of each ReportColumn; of a day the number, made a date afterwards.
constexpr std::array<std::string_view, kReportColumns> kColumns = {
    "quarter / 96",  "organization_name", "team_name", "user_name", "key_name", "model_name",
    "provider_name", "connection_name",   "tags",      "tags",      "end_user"};

// Databases refuse patterns of many thousands; a longer tag is looked for in all rows.
constexpr size_t kPatternBytesMax = 512;

// A text in which LIKE takes every character for itself.
std::string like_text(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '!') escaped += '!';
    escaped += c;
  }
  return escaped;
}

bool has_tag(std::string_view tags, std::string_view wanted) {
  while (!tags.empty()) {
    const size_t end = std::min(tags.find(','), tags.size());
    if (tags.substr(0, end) == wanted) return true;
    tags.remove_prefix(std::min(tags.size(), end + 1));
  }
  return false;
}

int64_t day_of(int64_t quarter, const base::TimeZone& zone) {
  const int64_t utc = quarter * kQuarterSeconds;
  const int64_t local = utc + zone.offset_at(utc);
  return (local >= 0 ? local : local - kDaySeconds + 1) / kDaySeconds;
}

// Rows by name: days, whose numbers have one length for centuries, as well.
using Groups = std::map<std::vector<std::string>, RollupSums>;

class Regrouping {
 public:
  explicit Regrouping(const ReportQuery& query) : query_(query) {}

  // A row of the database's: names as asked for, and all tags.
  void add(ReportRow row, std::string_view tags) {
    for (const ReportFilter& filter : query_.where) {
      if (filter.column == ReportColumn::tag && !has_tag(tags, filter.value)) return;
    }
    size_t tag = query_.by.size();
    for (size_t i = 0; i < query_.by.size(); ++i) {
      if (query_.by[i] == ReportColumn::tag) tag = i;
      if (query_.by[i] != ReportColumn::day || query_.zone == nullptr) continue;
      const auto quarter = static_cast<int64_t>(base::parse_decimal(row.names[i]).value_or(0));
      row.names[i] = std::to_string(day_of(quarter, *query_.zone));
    }
    if (tag == query_.by.size()) {
      groups_[row.names] += row.sums;
      return;
    }
    do {
      const size_t end = std::min(tags.find(','), tags.size());
      row.names[tag] = tags.substr(0, end);
      groups_[row.names] += row.sums;
      tags.remove_prefix(std::min(tags.size(), end + 1));
    } while (!tags.empty());
  }

  std::vector<ReportRow> rows() const {
    std::vector<ReportRow> rows;
    for (const auto& [names, sums] : groups_) rows.push_back({.names = names, .sums = sums});
    return rows;
  }

 private:
  const ReportQuery& query_;
  Groups groups_;
};

bool names_tag(const ReportQuery& query) {
  return std::ranges::find(query.by, ReportColumn::tag) != query.by.end() ||
         std::ranges::find(query.where, ReportColumn::tag, &ReportFilter::column) != query.where.end();
}

bool names_end_user(const ReportQuery& query) {
  return std::ranges::find(query.by, ReportColumn::end_user) != query.by.end() ||
         std::ranges::find(query.where, ReportColumn::end_user, &ReportFilter::column) != query.where.end();
}

// Where the sums are. Those of end users are in a table of their own, and in the other, too, where there is no name:
// from that they are taken away.
std::string source_sql(const ReportQuery& query) {
  if (!names_end_user(query)) return "ledger_sums";
  std::string names =
      "quarter, organization_name, team_name, user_name, key_name, model_name, provider_name, connection_name, tags";
  std::string sums;
  std::string negative;
  for (const RollupSum& sum : kRollupSums) {
    sums.append(", ").append(sum.name);
    negative.append(", -").append(sum.name).append(" AS ").append(sum.name);
  }
  return "(SELECT " + names + ", '' AS end_user" + sums + " FROM ledger_sums UNION ALL SELECT " + names +
         ", '' AS end_user" + negative + " FROM ledger_end_users UNION ALL SELECT " + names + ", end_user" + sums +
         " FROM ledger_end_users) AS ledger_sums";
}

// What a column has. An owner's name is the id of who held it then, where records have no ids; they end with the last
// holder's time, and what is younger need not be looked up.
std::string value_sql(ReportColumn column) {
  std::string name(kColumns[static_cast<size_t>(column)]);
  if (!is_owner(column)) return name;
  return "CASE WHEN quarter < (SELECT MAX(until) FROM ledger_holders) THEN COALESCE((SELECT id FROM ledger_holders "
         "WHERE kind = '" +
         std::string(to_string(column)) + "' AND ledger_holders.name = ledger_sums." + name +
         " AND since <= quarter AND until > quarter ORDER BY since DESC LIMIT 1), " + name + ") ELSE " + name + " END";
}

// The first of a statement's columns: those asked for, and where single tags matter all of a row's.
std::vector<std::string> names_of(const ReportQuery& query) {
  std::vector<std::string> names;
  for (const ReportColumn column : query.by) {
    const bool quarter = column == ReportColumn::day && query.zone != nullptr;
    names.push_back(quarter ? "quarter" : value_sql(column));
  }
  if (names_tag(query)) names.emplace_back("tags");
  return names;
}

// An owner's column has one of these values. Names under which they may stand are looked for first: there is an index
// of keys' names.
std::string owner_condition(ReportColumn column, const std::vector<std::string>& owners,
                            std::vector<SqlValue>& values) {
  std::string list;
  std::string each;
  for (const std::string& owner : owners) {
    values.emplace_back(std::string_view(owner));
    const std::string place = "$" + std::to_string(values.size());
    list.append(list.empty() ? "" : ", ").append(place);
    each.append(" UNION SELECT CAST(").append(place).append(" AS TEXT)");
  }
  const std::string name(kColumns[static_cast<size_t>(column)]);
  return " AND " + name + " IN (SELECT name FROM ledger_holders WHERE kind = '" + std::string(to_string(column)) +
         "' AND id IN (" + list + ")" + each + ") AND " + value_sql(column) + " IN (" + list + ")";
}

// `owners`: by filter, of those that are about one.
std::string statement(const ReportQuery& query, const std::vector<std::string>& names,
                      const std::vector<std::vector<std::string>>& owners, std::vector<std::string>& patterns,
                      std::vector<SqlValue>& values) {
  std::string sql = "SELECT ";
  std::string groups;
  for (size_t i = 0; i < names.size(); ++i) {
    sql.append(names[i]).append(", ");
    groups.append(i == 0 ? "" : ", ").append(std::to_string(i + 1));
  }
  for (const RollupSum& sum : kRollupSums) {
    sql.append(&sum == kRollupSums.data() ? "" : ", ").append(LedgerStore::sum_sql(sum.name));
  }
  sql.append(" FROM ").append(source_sql(query)).append(" WHERE quarter >= $1 AND quarter < $2");
  values = {query.from_quarter, query.to_quarter};
  patterns.reserve(query.where.size());
  for (size_t i = 0; i < query.where.size(); ++i) {
    const ReportColumn column = query.where[i].column;
    const std::string& wanted = query.where[i].value;
    if (is_owner(column)) {
      sql += owner_condition(column, owners[i], values);
      continue;
    }
    if (column == ReportColumn::tag && wanted.size() > kPatternBytesMax) continue;
    const std::string_view value = column == ReportColumn::tag
                                       ? std::string_view(patterns.emplace_back("%" + like_text(wanted) + "%"))
                                       : std::string_view(wanted);
    values.emplace_back(value);
    const std::string number = std::to_string(values.size());
    sql.append(" AND ").append(kColumns[static_cast<size_t>(column)]);
    // What is more than the tag is sorted out afterwards.
    sql.append(column == ReportColumn::tag ? " LIKE $" + number + " ESCAPE '!'" : " = $" + number);
  }
  if (!groups.empty()) sql.append(" GROUP BY ").append(groups).append(" ORDER BY ").append(groups);
  return sql;
}

}  // namespace

std::string_view to_string(ReportColumn column) {
  static constexpr std::array<std::string_view, kReportColumns> kNames = {
      "day", "organization", "team", "user", "key", "model", "provider", "connection", "tags", "tag", "end_user"};
  return kNames[static_cast<size_t>(column)];
}

Result<std::vector<ReportRow>> LedgerStore::report(const ReportQuery& query) {
  const auto names = names_of(query);
  std::vector<std::string> patterns;
  std::vector<SqlValue> values;
  static const PresentOwners kNobody;
  std::vector<std::vector<std::string>> owners(query.where.size());
  for (size_t i = 0; i < query.where.size(); ++i) {
    if (!is_owner(query.where[i].column)) continue;
    TRY(called, owners_called(query.where[i], query.present != nullptr ? *query.present : kNobody));
    owners[i] = std::move(called);
  }
  const std::string sql = statement(query, names, owners, patterns, values);
  TRY(rows, session_->query(sql, store::SqlValues(values)));
  const bool by_day = std::ranges::find(query.by, ReportColumn::day) != query.by.end();
  const bool as_it_is = !names_tag(query) && !(by_day && query.zone != nullptr);
  Regrouping regrouping(query);
  std::vector<ReportRow> report;
  for (size_t row = 0; row < rows.size(); ++row) {
    ReportRow read;
    for (size_t i = 0; i < query.by.size(); ++i) read.names.push_back(rows.text(row, i));
    for (size_t i = 0; i < kRollupSums.size(); ++i) {
      read.sums.*kRollupSums[i].member = LedgerStore::sum_of(rows, row, names.size() + 2 * i);
    }
    // Without records a sum over everything is one row of nothing.
    // Nor is one without a name of end users where all calls have one.
    if (read.sums.calls == 0 && (names.empty() || names_end_user(query))) continue;
    if (as_it_is) {
      report.push_back(std::move(read));
    } else {
      regrouping.add(std::move(read), names_tag(query) ? rows.text(row, query.by.size()) : std::string());
    }
  }
  if (!as_it_is) report = regrouping.rows();
  TRY_VOID(name_owners(query, report));
  return report;
}

}  // namespace llmgw::control
