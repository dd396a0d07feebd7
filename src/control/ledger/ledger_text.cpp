#include "control/ledger/ledger_text.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <ostream>

#include "base/money.h"
#include "base/text.h"
#include "control/clock_time.h"
#include "control/units.h"
#include "json/writer.h"

namespace llmgw::control {
namespace {

using accounting::LedgerRecord;
using accounting::LedgerText;

struct Cell {
  std::string_view name;
  std::string text;
  bool number = false;
};

std::string time_text(int64_t nanoseconds) {
  std::string text = format_timestamp({nanoseconds / 1'000'000'000});
  char fraction[8];
  std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>(nanoseconds / 1'000'000 % 1000));
  text.replace(text.size() - 1, 1, fraction);
  return text;
}

std::string day_text(const std::string& number) {
  const auto days = base::parse_decimal(number).value_or(0);
  return format_timestamp({static_cast<int64_t>(days * 86'400)}).substr(0, 10);
}

std::vector<Cell> cells_of(const LedgerRecord& record) {
  const auto count = [](const std::optional<uint64_t>& tokens) { return tokens ? std::to_string(*tokens) : ""; };
  std::vector<Cell> cells = {{"time", time_text(record.time)}};
  for (size_t i = 0; i < static_cast<size_t>(LedgerText::charged); ++i) {
    cells.push_back({accounting::to_string(static_cast<LedgerText>(i)), std::string(record.texts[i])});
  }
  cells.push_back({"outcome", std::string(accounting::to_string(record.outcome))});
  cells.push_back({"status", std::to_string(record.status), true});
  cells.push_back({"upstream_status", std::to_string(record.upstream_status), true});
  cells.push_back({"streamed", record.streamed ? "true" : "false", true});
  cells.push_back({"retries", std::to_string(record.retries), true});
  cells.push_back({"duration_ms", std::to_string(record.duration / 1'000'000), true});
  cells.push_back({"input", count(record.usage.input), true});
  cells.push_back({"cache_read", count(record.usage.cache_read), true});
  cells.push_back({"cache_write", count(record.usage.cache_write), true});
  cells.push_back({"cache_write_1h", count(record.usage.cache_write_1h), true});
  cells.push_back({"output", count(record.usage.output), true});
  cells.push_back({"reasoning", count(record.usage.reasoning), true});
  cells.push_back({"audio_input", std::to_string(record.media.audio_input), true});
  cells.push_back({"image_input", std::to_string(record.media.image_input), true});
  cells.push_back({"audio_output", std::to_string(record.media.audio_output), true});
  cells.push_back({"image_output", std::to_string(record.media.image_output), true});
  cells.push_back({"estimated", record.estimated ? "true" : "false", true});
  cells.push_back({"nano_dollars", record.priced ? std::to_string(record.nano_dollars) : "", true});
  cells.push_back({"capped", record.capped ? "true" : "false", true});
  for (const accounting::LedgerOwner& owner : accounting::kLedgerOwners) {
    cells.push_back({accounting::to_string(owner.id), std::string(record.text(owner.id))});
  }
  for (const LedgerText which : {LedgerText::batch, LedgerText::made_batch}) {
    cells.push_back({accounting::to_string(which), std::string(record.text(which))});
  }
  return cells;
}

std::vector<Cell> cells_of(const std::vector<ReportColumn>& by, const std::vector<std::string>& names,
                           const ReportRow& row) {
  std::vector<Cell> cells;
  for (size_t i = 0; i < by.size(); ++i) {
    cells.push_back({to_string(by[i]), by[i] == ReportColumn::day ? day_text(names[i]) : names[i]});
  }
  const auto add = [&](std::string_view name, int64_t value) { cells.push_back({name, std::to_string(value), true}); };
  add("calls", row.sums.calls);
  add("failed", row.sums.failed);
  add("cancelled", row.sums.cancelled);
  add("unpriced", row.sums.unpriced);
  add("estimated", row.sums.estimated);
  add("input", row.sums.input);
  add("cache_read", row.sums.cache_read);
  add("cache_write", row.sums.cache_write);
  add("output", row.sums.output);
  add("reasoning", row.sums.reasoning);
  add("nano_dollars", row.sums.nano_dollars);
  cells.push_back({"usd", base::format_usd({row.sums.nano_dollars})});
  return cells;
}

// For programs: with ids.
std::vector<Cell> cells_with_ids(const std::vector<ReportColumn>& by, const ReportRow& row) {
  std::vector<Cell> cells = cells_of(by, row.names, row);
  for (size_t i = 0; i < by.size(); ++i) {
    for (const accounting::LedgerOwner& owner : accounting::kLedgerOwners) {
      if (accounting::to_string(owner.name) != to_string(by[i])) continue;
      cells.push_back({accounting::to_string(owner.id), row.owners[i].id});
    }
  }
  return cells;
}

// A text that begins like a formula would be one in a spreadsheet.
std::string csv_cell(const Cell& cell) {
  std::string text = cell.text;
  if (!cell.number && !text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos) {
    text.insert(0, "'");
  }
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

void write_csv(const std::vector<Cell>& cells, bool names, std::ostream& out) {
  for (size_t i = 0; i < cells.size(); ++i) {
    out << (i > 0 ? "," : "") << (names ? std::string(cells[i].name) : csv_cell(cells[i]));
  }
  out << "\r\n";
}

void write_json(const std::vector<Cell>& cells, std::ostream& out) {
  std::string text;
  json::Writer writer(text);
  writer.begin_object();
  for (const Cell& cell : cells) {
    if (!cell.number) {
      writer.member(cell.name, cell.text);
    } else {
      writer.key(cell.name).raw(cell.text.empty() ? "null" : cell.text);
    }
  }
  writer.end_object();
  out << text;
}

void write_table(const std::vector<std::vector<Cell>>& rows, std::ostream& out) {
  std::vector<size_t> widths;
  for (const Cell& cell : rows.front()) widths.push_back(cell.name.size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].text.size());
  }
  const auto put = [&](std::string_view text, size_t column, bool right, bool last) {
    const std::string blank(widths[column] - text.size(), ' ');
    out << (right ? blank : "") << text << (right || last ? "" : blank) << (last ? "\n" : "  ");
  };
  for (size_t i = 0; i < widths.size(); ++i) {
    put(rows.front()[i].name, i, rows.front()[i].number, i + 1 == widths.size());
  }
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) put(row[i].text, i, row[i].number, i + 1 == row.size());
  }
}

}  // namespace

base::Result<uint64_t> export_ledger(const std::string& data_dir, const TimeSpan& span, LedgerFormat format,
                                     std::ostream& out) {
  uint64_t written = 0;
  if (format == LedgerFormat::csv) write_csv(cells_of(LedgerRecord{}), true, out);
  TRY_VOID(visit_oldest_first(data_dir, span, [&](const LedgerRecord& record) {
    ++written;
    if (format == LedgerFormat::csv) return write_csv(cells_of(record), false, out);
    write_json(cells_of(record), out);
    out << "\n";
  }));
  return written;
}

std::expected<std::vector<ReportColumn>, std::string> parse_report_columns(std::string_view text) {
  std::vector<ReportColumn> columns;
  while (!text.empty()) {
    const std::string_view word = base::trim(text.substr(0, text.find(',')));
    text.remove_prefix(
        std::min(text.size(), text.find(',') == std::string_view::npos ? text.size() : text.find(',') + 1));
    size_t i = 0;
    while (i < kReportColumns && to_string(static_cast<ReportColumn>(i)) != word) ++i;
    if (i == kReportColumns) {
      return std::unexpected("'" + std::string(word) +
                             "' is nothing to sum by; there are day, organization, team, user, key, model, provider, "
                             "connection, tags, tag, end_user");
    }
    columns.push_back(static_cast<ReportColumn>(i));
  }
  return columns;
}

namespace {

std::expected<int64_t, std::string> moment_of(std::string_view text, const ClockTime& time,
                                              const base::TimeZone* zone) {
  const bool of_zone = !time.offset && zone != nullptr;
  const int64_t moment = of_zone ? zone->utc_of(time.seconds) : time.seconds - time.offset.value_or(0);
  if (moment >= 0) return moment;
  return std::unexpected("'" + std::string(text) + "' is before 1970");
}

std::expected<ClockTime, std::string> clock_time_of(std::string_view text) {
  std::string written(text);
  // In a query a + that was not written as %2B comes as a blank.
  constexpr size_t kOffsetBytes = std::string_view(" 01:00").size();
  constexpr size_t kTimeBytes = std::string_view("2027-01-31T12:00").size();
  if (written.size() >= kTimeBytes + kOffsetBytes && written[written.size() - kOffsetBytes] == ' ') {
    written[written.size() - kOffsetBytes] = '+';
  }
  if (const auto time = parse_clock_time(written)) return *time;
  return std::unexpected("'" + std::string(text) +
                         "' is no time; write a date (2027-01-31), a time of the time zone asked for, else of UTC "
                         "(2027-01-31T12:00), or one that says its own (2027-01-31T12:00Z, 2027-01-31T12:00:00+01:00)");
}

}  // namespace

std::expected<int64_t, std::string> parse_moment(std::string_view text, const base::TimeZone* zone) {
  const auto time = clock_time_of(text);
  if (!time) return std::unexpected(time.error());
  return moment_of(text, *time, zone);
}

std::expected<int64_t, std::string> parse_quarter(std::string_view text, const base::TimeZone* zone) {
  const auto time = clock_time_of(text);
  if (!time) return std::unexpected(time.error());
  const auto moment = moment_of(text, *time, zone);
  if (!moment) return std::unexpected(moment.error());
  const int64_t quarter = *moment / kQuarterSeconds;
  const int64_t begins = quarter * kQuarterSeconds;
  if (*moment == begins && !time->fraction) return quarter;
  return std::unexpected("sums are kept for quarters of an hour; instead of " + std::string(text) + " write " +
                         format_timestamp({begins}) + " or " + format_timestamp({begins + kQuarterSeconds}) +
                         ", or add up what `llm-gateway ledger export` has of that time");
}

std::expected<std::shared_ptr<const base::TimeZone>, std::string> parse_zone(std::string_view name) {
  if (name.empty() || name == "UTC") return std::shared_ptr<const base::TimeZone>();
  auto zone = base::TimeZone::load(name);
  if (zone) return std::make_shared<const base::TimeZone>(std::move(*zone));
  return std::unexpected("there is no time zone '" + std::string(name) +
                         "' on this machine; write a name such as Europe/Berlin (Debian's package tzdata has them)");
}

void write_report(const std::vector<ReportColumn>& by, const std::vector<ReportRow>& rows, LedgerFormat format,
                  std::ostream& out) {
  const bool for_people = format == LedgerFormat::table;
  const auto names = for_people ? names_for_people(rows) : std::vector<std::vector<std::string>>();
  std::vector<std::vector<Cell>> cells;
  for (size_t i = 0; i < rows.size(); ++i) {
    cells.push_back(for_people ? cells_of(by, names[i], rows[i]) : cells_with_ids(by, rows[i]));
  }
  if (format == LedgerFormat::csv) {
    const ReportRow none{
        .names = std::vector<std::string>(by.size()), .sums = {}, .owners = std::vector<ReportRow::Owner>(by.size())};
    write_csv(cells_with_ids(by, none), true, out);
    for (const auto& row : cells) write_csv(row, false, out);
  } else if (format == LedgerFormat::json) {
    out << "[";
    for (size_t i = 0; i < cells.size(); ++i) {
      out << (i > 0 ? ",\n " : "");
      write_json(cells[i], out);
    }
    out << "]\n";
  } else if (cells.empty()) {
    out << "no calls in that time\n";
  } else {
    write_table(cells, out);
  }
}

}  // namespace llmgw::control
