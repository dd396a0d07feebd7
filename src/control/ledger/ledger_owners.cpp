// Owners in the ledger's sums: what stands there for one, and what it is called.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "control/ledger/ledger_store.h"

namespace llmgw::control {

using base::Result;
using store::SqlStatement;
using store::SqlTransaction;

bool is_owner(ReportColumn column) {
  return column == ReportColumn::organization || column == ReportColumn::team || column == ReportColumn::user ||
         column == ReportColumn::key;
}

Result<void> LedgerStore::note_holders(std::span<const Holder> holders, int64_t until) {
  TRY(noted, session_->query("SELECT id FROM ledger_holders LIMIT 1"));
  if (!noted.empty()) return {};
  TRY(transaction, SqlTransaction::begin(*session_));
  std::vector<SqlStatement> statements;
  for (const Holder& each : holders) {
    const std::string_view kind = to_string(each.kind);
    const std::string_view name = each.name;
    const std::string_view id = each.id;
    // Several gateways may begin at once.
    statements.push_back({.sql =
                              "INSERT INTO ledger_holders (kind, name, since, until, id) VALUES ($1, $2, $3, $4, $5) "
                              "ON CONFLICT (kind, name, since) DO NOTHING",
                          .values = {kind, name, each.since, until, id}});
    // It may be gone before it has a record of its own.
    statements.push_back({.sql = "INSERT INTO ledger_names (id, kind, name) VALUES ($1, $2, $3) "
                                 "ON CONFLICT (id) DO NOTHING",
                          .values = {id, kind, name}});
    TRY_VOID(run_some(statements, kStatementsAtOnce));
  }
  TRY_VOID(run_some(statements, 1));
  return transaction.commit();
}

// What the sums may have for what a filter calls an owner by.
Result<std::vector<std::string>> LedgerStore::owners_called(const ReportFilter& filter, const PresentOwners& present) {
  std::vector<std::string> values = {filter.value};
  if (filter.exact || present.contains(filter.value)) return values;
  for (const auto& [id, owner] : present) {
    if (owner.kind == filter.column && owner.name == filter.value) values.push_back(id);
  }
  if (values.size() > 1) return values;
  TRY(rows, session_->query("SELECT id FROM ledger_names WHERE kind = $1 AND name = $2",
                            {to_string(filter.column), std::string_view(filter.value)}));
  for (size_t row = 0; row < rows.size(); ++row) {
    // What is there under another name is not meant.
    if (!present.contains(rows.text(row, 0))) values.push_back(rows.text(row, 0));
  }
  return values;
}

// Rows come with what the sums have.
Result<void> LedgerStore::name_owners(const ReportQuery& query, std::vector<ReportRow>& rows) {
  for (ReportRow& row : rows) row.owners.resize(row.names.size());
  if (std::ranges::none_of(query.by, is_owner) || rows.empty()) return {};
  std::unordered_map<std::string, std::string> last;
  TRY(names, session_->query("SELECT id, name FROM ledger_names"));
  for (size_t row = 0; row < names.size(); ++row) last[names.text(row, 0)] = names.text(row, 1);
  for (ReportRow& row : rows) {
    for (size_t i = 0; i < query.by.size(); ++i) {
      if (!is_owner(query.by[i])) continue;
      std::string& name = row.names[i];
      const PresentOwner* now = nullptr;
      if (query.present != nullptr) {
        if (const auto found = query.present->find(name); found != query.present->end()) now = &found->second;
      }
      const auto before = last.find(name);
      if (now == nullptr && before == last.end()) continue;
      row.owners[i] = {.id = name, .gone = query.present != nullptr && now == nullptr};
      name = now != nullptr ? now->name : before->second;
    }
  }
  std::ranges::sort(rows, {}, [](const ReportRow& row) { return std::tie(row.names, row.owners); });
  return {};
}

std::vector<std::vector<std::string>> names_for_people(const std::vector<ReportRow>& rows) {
  // By column and name.
  std::map<std::pair<size_t, std::string>, std::set<std::string>> ids;
  for (const ReportRow& row : rows) {
    for (size_t i = 0; i < row.owners.size(); ++i) ids[{i, row.names[i]}].insert(row.owners[i].id);
  }
  std::vector<std::vector<std::string>> names;
  for (const ReportRow& row : rows) {
    names.push_back(row.names);
    for (size_t i = 0; i < row.owners.size(); ++i) {
      const ReportRow::Owner& owner = row.owners[i];
      if (owner.id.empty() || (!owner.gone && ids[{i, row.names[i]}].size() == 1)) continue;
      names.back()[i].append(" (").append(owner.id).append(")");
    }
  }
  return names;
}

}  // namespace llmgw::control
