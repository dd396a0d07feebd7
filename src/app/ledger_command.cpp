#include "app/ledger_command.h"

#include <CLI/CLI.hpp>
#include <array>
#include <filesystem>
#include <iostream>
#include <memory>

#include "admin/api/object_view.h"
#include "app/commands.h"
#include "app/service/config_path.h"
#include "app/service/service.h"
#include "app/usage/usage.h"
#include "base/money.h"
#include "control/databases.h"
#include "control/ledger/ledger.h"
#include "control/ledger/ledger_text.h"
#include "control/ledger/present_owners.h"
#include "control/objects/store_access.h"
#include "control/settings.h"
#include "control/units.h"
#include "store/sql/postgres_message.h"

namespace llmgw::app {
namespace {

using control::ReportColumn;

struct LedgerArguments {
  Target target;
  std::string from;
  std::string to;
  std::string by = "key,model";
  std::string zone;
  std::array<std::string, control::kReportColumns> only;  // by column
  std::string format;
};

control::LedgerFormat format_of(std::string_view word, control::LedgerFormat otherwise) {
  if (word == "json") return control::LedgerFormat::json;
  if (word == "csv") return control::LedgerFormat::csv;
  return otherwise;
}

int complain(const std::string& message, int status) {
  std::cerr << "llm-gateway: " << message << "\n";
  return status;
}

std::string describe(const base::Error& error) {
  std::string text = std::string(error.context) + ": " + std::string(base::to_string(error.code));
  // Empty where it is another database's error.
  if (const std::string said = store::last_postgres_message(); !said.empty()) text += ": " + said;
  return text;
}

// With --data-dir alone the sums are in a file there.
std::expected<DataPlaces, std::string> places_of(const Target& target) {
  if (!target.data_dir.empty()) {
    return DataPlaces{
        .data_dir = target.data_dir,
        .store = control::default_section<control::StoreSettings>(control::SectionId::store),
        .ledger_retention = control::default_section<control::LedgerSettings>(control::SectionId::ledger).retention};
  }
  const auto path = choose_config_path(target.config, real_path_environment());
  if (!path) return std::unexpected(path.error());
  return data_places_of(path->path);
}

std::expected<control::TimeSpan, std::string> span_of(const LedgerArguments& arguments,
                                                      const base::TimeZone* zone = nullptr) {
  control::TimeSpan span;
  for (const auto& [text, bound] : {std::pair(&arguments.from, &span.from), std::pair(&arguments.to, &span.to)}) {
    if (text->empty()) continue;
    const auto time = control::parse_moment(*text, zone);
    if (!time) return std::unexpected(time.error());
    *bound = *time;
  }
  if (!arguments.to.empty() && span.to <= span.from) return std::unexpected("--to is not after --from");
  return span;
}

// Opens the sums; a command that only reads makes no database.
std::expected<control::LedgerStore, std::string> open_store(const DataPlaces& places) {
  const control::LedgerAccess ledger = control::ledger_access(places.store, places.data_dir);
  if (!ledger.shared && !std::filesystem::exists(ledger.place)) {
    return std::unexpected("there is no ledger in " + places.data_dir + "; a gateway that serves from it makes one");
  }
  auto session = ledger.open_database();
  if (!session) return std::unexpected(ledger.place + ": " + describe(session.error()));
  auto store = control::LedgerStore::open(std::move(*session));
  if (!store) return std::unexpected(ledger.place + ": " + describe(store.error()));
  return std::move(*store);
}

// An owner's name means the file's before the store's, as for a gateway.
control::ReportFilter filter_of(const DataPlaces& places, ReportColumn column, const std::string& value) {
  const control::ObjectKind* const kind = control::find_kind(control::to_string(column));
  const bool of_file = control::is_owner(column) && places.config != nullptr && kind != nullptr &&
                       admin::file_has(*places.config, *kind, value);
  return {.column = column, .value = value, .exact = of_file};
}

// Who owners are now: what the store says, if there is one.
std::expected<std::shared_ptr<const control::PresentOwners>, std::string> owners_of(const DataPlaces& places,
                                                                                    const control::ReportQuery& query) {
  auto objects = control::open_objects(places.store, places.data_dir);
  if (!objects) return std::unexpected("the store's objects cannot be read: " + describe(objects.error()));
  if (!*objects) return std::make_shared<const control::PresentOwners>();
  auto present = control::present_owners(**objects, query);
  if (!present) return std::unexpected("the store's objects cannot be read: " + describe(present.error()));
  return std::move(*present);
}

int run_report(const LedgerArguments& arguments) {
  const auto places = places_of(arguments.target);
  if (!places) return complain(places.error(), kExitUsage);
  const auto columns = control::parse_report_columns(arguments.by);
  if (!columns) return complain(columns.error(), kExitUsage);
  const auto zone = control::parse_zone(arguments.zone);
  if (!zone) return complain(zone.error(), kExitUsage);
  const auto span = span_of(arguments, zone->get());
  if (!span) return complain(span.error(), kExitUsage);
  control::ReportQuery query{.by = *columns, .zone = *zone};
  for (const auto& [text, bound] :
       {std::pair(&arguments.from, &query.from_quarter), std::pair(&arguments.to, &query.to_quarter)}) {
    if (text->empty()) continue;
    const auto quarter = control::parse_quarter(*text, zone->get());
    if (!quarter) return complain(quarter.error(), kExitUsage);
    *bound = *quarter;
  }
  auto store = open_store(*places);
  if (!store) return complain(store.error(), kExitFailed);
  for (size_t i = 0; i < arguments.only.size(); ++i) {
    if (arguments.only[i].empty()) continue;
    query.where.push_back(filter_of(*places, static_cast<ReportColumn>(i), arguments.only[i]));
  }
  auto present = owners_of(*places, query);
  if (!present) return complain(present.error(), kExitFailed);
  query.present = std::move(*present);
  const auto rows = store->report(query);
  if (!rows) return complain(describe(rows.error()), kExitFailed);
  control::write_report(*columns, *rows, format_of(arguments.format, control::LedgerFormat::table), std::cout);
  return kExitOk;
}

int run_export(const LedgerArguments& arguments) {
  const auto places = places_of(arguments.target);
  if (!places) return complain(places.error(), kExitUsage);
  const auto span = span_of(arguments);
  if (!span) return complain(span.error(), kExitUsage);
  const auto format = format_of(arguments.format, control::LedgerFormat::csv);
  const auto written = control::export_ledger(places->data_dir, *span, format, std::cout);
  if (!written) return complain(describe(written.error()), kExitFailed);
  std::cout.flush();
  return std::cout ? kExitOk : complain("the output cannot be written", kExitFailed);
}

int run_verify(const LedgerArguments& arguments) {
  const auto places = places_of(arguments.target);
  if (!places) return complain(places.error(), kExitUsage);
  auto store = open_store(*places);
  if (!store) return complain(store.error(), kExitFailed);
  const bool shared = control::ledger_access(places->store, places->data_dir).shared;
  const auto check = control::verify_ledger(places->data_dir, *store, shared, places->ledger_retention);
  if (!check) return complain(describe(check.error()), kExitFailed);
  std::cout << check->segments << " segments, " << check->records << " records, $"
            << base::format_usd({check->nano_dollars}) << "; " << check->waiting << " not yet summed up\n";
  for (const std::string& fault : check->faults) std::cout << "fault: " << fault << "\n";
  if (check->faults.empty()) std::cout << "no fault found\n";
  return check->faults.empty() ? kExitOk : kExitFailed;
}

}  // namespace

void add_ledger_command(CLI::App& app, const char* config_help, std::function<int()>& run) {
  CLI::App* ledger = app.add_subcommand("ledger", "What calls used and cost: reports, all records, a check");
  ledger->require_subcommand(1);
  auto arguments = std::make_shared<LedgerArguments>();
  const auto add = [&](const char* name, const char* help, int (*command)(const LedgerArguments&)) {
    CLI::App* added = ledger->add_subcommand(name, help);
    added->add_option("--config,-c", arguments->target.config, config_help)->type_name("FILE");
    added->add_option("--data-dir", arguments->target.data_dir, "server.data_dir, to do without the configuration")
        ->type_name("DIR");
    added->callback([=, &run] { run = [=] { return command(*arguments); }; });
    return added;
  };
  const auto add_span = [&](CLI::App* command) {
    command
        ->add_option("--from,--since", arguments->from,
                     "First moment: 2027-01-31, 2027-01-31T12:00 (both of UTC) or 2027-01-31T12:00:00+01:00")
        ->type_name("TIME");
    command->add_option("--to,--until", arguments->to, "First moment that is not meant any more")->type_name("TIME");
  };
  CLI::App* report = add("report", "Calls, tokens and dollars, summed up", &run_report);
  add_span(report);
  report
      ->add_option("--by", arguments->by,
                   "What to sum by: day, organization, team, user, key, model, provider, connection, tags (all of a "
                   "call together), tag (each: a call with three counts in three rows), end_user (who the client said "
                   "the call was for)")
      ->capture_default_str()
      ->type_name("NAMES");
  for (const ReportColumn column :
       {ReportColumn::organization, ReportColumn::team, ReportColumn::user, ReportColumn::key, ReportColumn::model,
        ReportColumn::provider, ReportColumn::connection}) {
    const std::string name(control::to_string(column));
    report
        ->add_option("--" + name, arguments->only[static_cast<size_t>(column)],
                     "Only calls of this " + name + (control::is_owner(column) ? ", by its name or id" : ""))
        ->type_name("NAME");
  }
  report
      ->add_option("--end-user", arguments->only[static_cast<size_t>(ReportColumn::end_user)],
                   "Only calls for this end user")
      ->type_name("NAME");
  report->add_option("--tag", arguments->only[static_cast<size_t>(ReportColumn::tag)], "Only calls that have this tag")
      ->type_name("TAG");
  report
      ->add_option("--tz", arguments->zone,
                   "Time zone of days, and of --from and --to where they say none; without it UTC")
      ->type_name("ZONE");
  expect_one_of(report->add_option("--format,-f", arguments->format, "For people (the default) or for programs"),
                {"table", "csv", "json"});
  report->footer(
      "\nExamples:\n  llm-gateway ledger report --by team,model --from 2027-01-01 --to 2027-02-01\n"
      "  llm-gateway ledger report --by day,key --format csv > january.csv\n"
      "  llm-gateway ledger report --by tag,day --team search --tz Europe/Berlin\n"
      "Times are those at which a quarter of an hour begins: sums know no others.");
  CLI::App* records = add("export", "Every record that is kept, oldest first", &run_export);
  add_span(records);
  expect_one_of(records->add_option("--format,-f", arguments->format, "csv is the default; json: an object a line"),
                {"csv", "json"});
  add("verify", "Read all records and compare them with the sums", &run_verify)
      ->footer("\nExit status 1 if anything is missing, damaged or counted otherwise.");
}

}  // namespace llmgw::app
