#include "admin/spend/spend_report.h"

#include <filesystem>
#include <sstream>
#include <vector>

#include "admin/api/object_edit.h"
#include "admin/api/object_view.h"
#include "admin/api/query.h"
#include "control/ledger/ledger_text.h"
#include "control/units.h"

namespace llmgw::admin {
namespace {

using control::ReportColumn;

struct Filter {
  std::string_view parameter;
  ReportColumn column;
};
constexpr Filter kFilters[] = {{"organization", ReportColumn::organization},
                               {"team", ReportColumn::team},
                               {"user", ReportColumn::user},
                               {"key", ReportColumn::key},
                               {"model", ReportColumn::model},
                               {"provider", ReportColumn::provider},
                               {"connection", ReportColumn::connection},
                               {"tag", ReportColumn::tag}};

// Whether it is a name of something that there is. Models and providers are called as they were at the time.
bool is_known(const ApiContext& context, const std::pair<ReportColumn, std::string>& filter) {
  const auto& [column, name] = filter;
  const control::ObjectKind* const kind = control::find_kind(to_string(column));
  if (kind == nullptr || column == ReportColumn::model) return true;
  const auto found = find_object(context, *kind, name);
  return found || found.error().status != 404 || file_has(context.file, *kind, name);
}

}  // namespace

control::LedgerAccess ledger_of(const control::Config& file) {
  return control::ledger_access(file.store, file.server.data_dir);
}

std::expected<std::vector<control::ReportRow>, ApiAnswer> read_sums(const control::LedgerAccess& ledger,
                                                                    const control::ReportQuery& query) {
  // Who only reads makes no database.
  if (!ledger.shared && !std::filesystem::exists(ledger.place)) return std::vector<control::ReportRow>();
  auto session = ledger.open_database();
  if (!session) return std::unexpected(store_failed(session.error()));
  auto store = control::LedgerStore::open(std::move(*session));
  if (!store) return std::unexpected(store_failed(store.error()));
  auto rows = store->report(query);
  if (!rows) return std::unexpected(store_failed(rows.error()));
  return std::move(*rows);
}

std::string ledger_name(const ApiContext& context, std::string_view kind, const std::string& id_or_name) {
  const control::ObjectKind* const of = control::find_kind(kind);
  if (of == nullptr || !control::is_object_id(*of, id_or_name)) return id_or_name;
  const auto object = context.store.get(id_or_name);
  return object && *object ? (*object)->name : id_or_name;
}

ApiAnswer report_spend(const ApiContext& context, const ApiRequest& request) {
  const Access may = access(request.actor.role, Action::read, kSpend);
  if (may == Access::denied) {
    return api_error(403, "forbidden",
                     "the role " + std::string(role_name(request.actor.role)) + " may not read what was spent");
  }
  std::vector<Parameter> known{{"by"}, {"from"}, {"to"}, {"tz"}};
  for (const Filter& filter : kFilters) known.push_back({filter.parameter});
  if (const auto problem = query_problem(request.query, known)) return api_error(400, "invalid_request", *problem);
  const Query query(request.query);
  const auto by = control::parse_report_columns(query.text("by"));
  if (!by) return api_error(400, "invalid_request", "by: " + by.error());
  auto zone = control::parse_zone(query.text("tz"));
  if (!zone) return api_error(400, "invalid_request", "tz: " + zone.error());
  control::ReportQuery report{.by = *by, .zone = std::move(*zone)};
  for (const auto& [name, bound] : {std::pair("from", &report.from_quarter), std::pair("to", &report.to_quarter)}) {
    const std::string text = query.text(name);
    if (text.empty()) continue;
    const auto quarter = control::parse_quarter(text, report.zone.get());
    if (!quarter) return api_error(400, "invalid_request", std::string(name) + ": " + quarter.error());
    *bound = *quarter;
  }
  for (const Filter& filter : kFilters) {
    const std::string text = query.text(filter.parameter);
    if (!text.empty()) report.where.emplace_back(filter.column, ledger_name(context, filter.parameter, text));
  }
  if (may == Access::own_team) {
    report.where.emplace_back(ReportColumn::team, ledger_name(context, "team", request.actor.team));
  }
  // Names that nothing has now may be those of what was removed, which the ledger remembers.
  std::vector<control::ReportQuery> unknown;
  for (size_t i = 0; may == Access::granted && i < report.where.size(); ++i) {
    if (is_known(context, report.where[i])) continue;
    unknown.push_back({.by = {}, .where = {report.where[i]}});
  }
  ApiAnswer answer;
  answer.rest = [ledger = ledger_of(context.file), report = std::move(report),
                 unknown = std::move(unknown)](const std::stop_token&) -> ApiAnswer {
    for (const control::ReportQuery& each : unknown) {
      const auto any = read_sums(ledger, each);
      if (!any) return any.error();
      if (!any->empty()) continue;
      const auto& [column, name] = each.where.front();
      return api_error(404, "not_found",
                       "there is no " + std::string(to_string(column)) + " " + in_quotes(name) +
                           ", and the ledger has no call of one");
    }
    const auto rows = read_sums(ledger, report);
    if (!rows) return rows.error();
    std::ostringstream out;
    control::write_report(report.by, *rows, control::LedgerFormat::json, out);
    return {.status = 200, .body = R"({"object":"list","has_more":false,"data":)" + out.str() + "}"};
  };
  return answer;
}

}  // namespace llmgw::admin
