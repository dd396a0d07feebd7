#include "admin/spend/spend_report.h"

#include <filesystem>
#include <sstream>
#include <vector>

#include "admin/api/object_edit.h"
#include "admin/api/object_view.h"
#include "admin/api/query.h"
#include "admin/spend/spender.h"
#include "control/ledger/ledger_text.h"
#include "control/ledger/present_owners.h"
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
                               {"tag", ReportColumn::tag},
                               {"end_user", ReportColumn::end_user}};

// Whether it is a name of something that there is. Models and providers are called as they were at the time.
bool is_known(const ApiContext& context, const control::ReportFilter& filter) {
  const control::ObjectKind* const kind = control::find_kind(to_string(filter.column));
  if (kind == nullptr || filter.column == ReportColumn::model) return true;
  const auto found = find_object(context, *kind, filter.value);
  return found || found.error().status != 404 || file_has(context.file, *kind, filter.value);
}

// What the parameter of a column says. Connections and models go by names, and are called by their ids, too.
control::ReportFilter filter_of(const ApiContext& context, ReportColumn column, const std::string& id_or_name) {
  const control::ObjectKind* const kind = control::find_kind(to_string(column));
  if (control::is_owner(column)) {
    return {.column = column, .value = id_or_name, .exact = file_has(context.file, *kind, id_or_name)};
  }
  if (kind == nullptr || !control::is_object_id(*kind, id_or_name)) return {.column = column, .value = id_or_name};
  const auto object = context.store.get(id_or_name);
  return {.column = column, .value = object && *object ? (*object)->name : id_or_name};
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
    if (!text.empty()) report.where.push_back(filter_of(context, filter.column, text));
  }
  if (may == Access::own_team) {
    const auto team = own_team(context, request.actor);
    if (!team) return team.error();
    report.where.push_back(team->filter());
  }
  auto present = control::present_owners(context.store, report);
  if (!present) return store_failed(present.error());
  report.present = std::move(*present);
  // Names that nothing has now may be those of what was removed, which the ledger remembers.
  std::vector<control::ReportQuery> unknown;
  for (size_t i = 0; may == Access::granted && i < report.where.size(); ++i) {
    if (is_known(context, report.where[i])) continue;
    unknown.push_back({.by = {}, .where = {report.where[i]}, .present = report.present});
  }
  ApiAnswer answer;
  answer.rest = [ledger = ledger_of(context.file), report = std::move(report),
                 unknown = std::move(unknown)](const std::stop_token&) -> ApiAnswer {
    for (const control::ReportQuery& each : unknown) {
      const auto any = read_sums(ledger, each);
      if (!any) return any.error();
      if (!any->empty()) continue;
      const control::ReportFilter& wanted = each.where.front();
      return api_error(404, "not_found",
                       "there is no " + std::string(to_string(wanted.column)) + " " + in_quotes(wanted.value) +
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
