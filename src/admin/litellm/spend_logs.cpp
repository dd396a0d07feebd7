#include "admin/litellm/spend_logs.h"

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "admin/api/object_lookup.h"
#include "admin/api/object_view.h"
#include "admin/api/query.h"
#include "admin/spend/spend_report.h"
#include "base/saturating.h"
#include "base/text.h"
#include "control/ledger/ledger_reader.h"
#include "control/ledger/ledger_text.h"
#include "control/ledger/present_owners.h"
#include "control/units.h"
#include "json/writer.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using accounting::CallOutcome;
using accounting::LedgerRecord;
using accounting::LedgerText;
using control::ReportColumn;

constexpr int64_t kDaySeconds = 86'400;
constexpr int64_t kDaysMax = 3660;  // ten years: a row each
constexpr double kNanoDollars = 1e9;

bj::string bjs(std::string_view text) {
  return bj::string(text.data(), text.size());
}

std::string day_text(int64_t day) {
  return control::format_timestamp({day * kDaySeconds}).substr(0, 10);
}

// What calls are wanted.
struct Wanted {
  std::vector<Spender> spenders;  // all of them
  std::string request;            // empty: whatever
  int64_t from = 0;               // seconds since 1970
  int64_t to = INT64_MAX;
  int64_t first_day = 0;                                 // number since 1970, in the zone
  int64_t last_day = 0;                                  // not included
  std::shared_ptr<const base::TimeZone> zone = nullptr;  // null: UTC
  std::shared_ptr<const control::PresentOwners> present = nullptr;

  bool matches(const LedgerRecord& record) const {
    const int64_t time = record.time / 1'000'000'000;
    return time >= from && time < to && (request.empty() || record.text(LedgerText::id) == request) &&
           std::ranges::all_of(spenders, [&](const Spender& each) { return each.made(record); });
  }
};

void write_tags(json::Writer& writer, std::string_view tags) {
  writer.key("request_tags").begin_array();
  while (!tags.empty()) {
    const size_t comma = std::min(tags.find(','), tags.size());
    writer.value(tags.substr(0, comma));
    tags.remove_prefix(std::min(tags.size(), comma + 1));
  }
  writer.end_array();
}

// Everything of the prompt counts as such there, cached or not.
void write_row(json::Writer& writer, const LedgerRecord& record) {
  const auto text = [&](LedgerText which) { return record.text(which); };
  const chat::Usage& usage = record.usage;
  const uint64_t prompt = usage.total_input().value_or(0);
  const uint64_t completion = usage.output.value_or(0);
  constexpr int64_t kMillisecond = 1'000'000;
  writer.begin_object();
  writer.member("request_id", text(LedgerText::id)).member("call_type", text(LedgerText::operation));
  const bool has_id = !text(LedgerText::key_id).empty();
  writer.member("api_key", text(has_id ? LedgerText::key_id : LedgerText::key));
  writer.key("spend").raw(bj::serialize(bj::value(static_cast<double>(record.nano_dollars) / kNanoDollars)));
  writer.member("total_tokens", base::add_saturating(prompt, completion)).member("prompt_tokens", prompt);
  writer.member("completion_tokens", completion);
  writer.member("startTime", format_time_ms((record.time - record.duration) / kMillisecond));
  writer.member("endTime", format_time_ms(record.time / kMillisecond));
  writer.member("model", text(LedgerText::upstream_model)).member("model_group", text(LedgerText::asked_model));
  writer.member("custom_llm_provider", text(LedgerText::provider)).member("api_base", text(LedgerText::connection));
  writer.member("user", text(LedgerText::user)).member("end_user", text(LedgerText::end_user));
  writer.member("team_id", text(LedgerText::team)).member("organization_id", text(LedgerText::organization));
  writer.member("cache_hit", "False");
  write_tags(writer, text(LedgerText::tags));
  writer.member("status", record.outcome == CallOutcome::completed ? "success" : "failure");
  writer.key("metadata").begin_object().member("user_api_key_alias", text(LedgerText::key));
  writer.member("user_api_key_team_id", text(LedgerText::team)).member("unpriced", !record.priced);
  writer.member("estimated", record.estimated).member("capped", record.capped).end_object().end_object();
}

ApiAnswer single_calls(const std::string& data_dir, const Wanted& wanted) {
  std::string body;
  json::Writer writer(body);
  writer.begin_array();
  const auto found = control::newest_records(
      data_dir, kSpendRowsMax, [&](const LedgerRecord& record) { return wanted.matches(record); },
      [&](const LedgerRecord& record) { write_row(writer, record); });
  if (!found) {
    return api_error(503, "ledger", "the ledger's files cannot be read: " + std::string(found.error().context));
  }
  writer.end_array();
  ApiAnswer answer{.status = 200, .body = std::move(body)};
  if (found->more) answer.headers.emplace_back("x-llm-gateway-more", "true");
  return answer;
}

control::ReportQuery query_of_days(const Wanted& wanted) {
  control::ReportQuery query{.by = {ReportColumn::day, ReportColumn::key, ReportColumn::user, ReportColumn::model},
                             .from_quarter = wanted.from / control::kQuarterSeconds,
                             .to_quarter = wanted.to / control::kQuarterSeconds,
                             .zone = wanted.zone,
                             .present = wanted.present};
  for (const Spender& each : wanted.spenders) query.where.push_back(each.filter());
  return query;
}

// {"startTime": day, "spend", "users": {...}, "models": {...}, "<key>": spend}, one a day, also of days without calls.
ApiAnswer days(const control::LedgerAccess& ledger, const Wanted& wanted) {
  const auto rows = read_sums(ledger, query_of_days(wanted));
  if (!rows) return rows.error();
  struct Day {
    int64_t all = 0;
    std::map<std::string, int64_t> keys, users, models;
  };
  std::map<int64_t, Day> by_day;
  for (int64_t day = wanted.first_day; day < wanted.last_day; ++day) by_day[day];
  const auto names = control::names_for_people(*rows);
  for (size_t i = 0; i < rows->size(); ++i) {
    const control::ReportRow& row = (*rows)[i];
    Day& day = by_day[static_cast<int64_t>(base::parse_decimal(row.names[0]).value_or(0))];
    const int64_t spent = row.sums.nano_dollars;
    const std::string& key = row.owners[1].id.empty() ? row.names[1] : row.owners[1].id;
    for (int64_t* const sum : {&day.all, &day.keys[key], &day.users[names[i][2]], &day.models[row.names[3]]}) {
      *sum = base::add_saturating(*sum, spent);
    }
  }
  const auto dollars = [](int64_t nano) { return static_cast<double>(nano) / kNanoDollars; };
  bj::array out;
  for (const auto& [number, day] : by_day) {
    bj::object users;
    bj::object models;
    bj::object shown;
    for (const auto& [name, spent] : day.keys) shown[bjs(name)] = dollars(spent);
    for (const auto& [name, spent] : day.users) users[bjs(name)] = dollars(spent);
    for (const auto& [name, spent] : day.models) models[bjs(name)] = dollars(spent);
    shown["startTime"] = bjs(day_text(number));
    shown["spend"] = dollars(day.all);
    shown["users"] = std::move(users);
    shown["models"] = std::move(models);
    out.push_back(std::move(shown));
  }
  return {.status = 200, .body = bj::serialize(out)};
}

// Its number since 1970.
std::expected<int64_t, ApiAnswer> date_of(const Query& query, std::string_view parameter) {
  const std::string text = query.text(parameter);
  // A time after the date is taken as the date, as there.
  const auto time = control::parse_timestamp(text.substr(0, 10));
  if (time) return time->seconds / kDaySeconds;
  return std::unexpected(
      api_error(400, "invalid_request", std::string(parameter) + ": '" + text + "' is no date such as 2027-01-31"));
}

}  // namespace

ApiAnswer spend_logs(const ApiContext& context, const ApiRequest& request, const std::optional<Spender>& key) {
  const Access may = access(request.actor.role, Action::read, kSpend);
  if (may == Access::denied) {
    return api_error(403, "forbidden",
                     "the role " + std::string(role_name(request.actor.role)) + " may not read what was spent");
  }
  const Query query(request.query);
  Wanted wanted{.spenders = {}, .request = query.text("request_id")};
  if (key) wanted.spenders.push_back(*key);
  if (const std::string user = query.text("user_id"); !user.empty()) {
    auto spender = find_spender(context, ReportColumn::user, user);
    if (!spender) return spender.error();
    wanted.spenders.push_back(std::move(*spender));
  }
  if (may == Access::own_team) {
    auto team = own_team(context, request.actor);
    if (!team) return team.error();
    wanted.spenders.push_back(std::move(*team));
  }
  const bool spanned = !query.text("start_date").empty() && !query.text("end_date").empty();
  if (spanned) {
    const auto from = date_of(query, "start_date");
    const auto last = date_of(query, "end_date");
    if (!from || !last) return from ? last.error() : from.error();
    auto zone = control::parse_zone(query.text("tz"));
    if (!zone) return api_error(400, "invalid_request", "tz: " + zone.error());
    wanted.zone = std::move(*zone);
    wanted.first_day = *from;
    wanted.last_day = *last + 1;
    if (wanted.last_day <= wanted.first_day || wanted.last_day - wanted.first_day > kDaysMax) {
      return api_error(400, "invalid_request", "end_date: expected a date from start_date on, at most ten years later");
    }
    const auto midnight = [&](int64_t day) {
      return wanted.zone == nullptr ? day * kDaySeconds : wanted.zone->utc_of(day * kDaySeconds);
    };
    wanted.from = midnight(wanted.first_day);
    wanted.to = midnight(wanted.last_day);
  }
  const bool summed = spanned && query.text("summarize") != "false" && wanted.request.empty();
  ApiAnswer answer;
  if (!summed) {
    answer.rest = [ledger = ledger_of(context.file), wanted = std::move(wanted)](const std::stop_token&) {
      return single_calls(ledger.data_dir, wanted);
    };
    return answer;
  }
  auto present = control::present_owners(context.store, query_of_days(wanted));
  if (!present) return store_failed(present.error());
  wanted.present = std::move(*present);
  answer.rest = [ledger = ledger_of(context.file), wanted = std::move(wanted)](const std::stop_token&) {
    return days(ledger, wanted);
  };
  return answer;
}

ApiAnswer with_spend(const ApiContext& context, const Actor& actor, ApiAnswer answer, const Spender& spender,
                     const std::string& inside) {
  if (answer.status >= 400) return answer;
  control::ReportQuery query{.by = {}, .where = {spender.filter()}};
  if (access(actor.role, Action::read, kSpend) == Access::own_team) {
    const auto team = own_team(context, actor);
    if (!team) return team.error();
    query.where.push_back(team->filter());
  }
  ApiAnswer whole;
  whole.rest = [ledger = ledger_of(context.file), query = std::move(query), inside,
                answer = std::move(answer)](const std::stop_token&) {
    const auto rows = read_sums(ledger, query);
    if (!rows) return rows.error();
    ApiAnswer out = answer;
    bj::value body = bj::parse(out.body);
    bj::object& object = body.get_object();
    bj::object& into = inside.empty() ? object : object[bjs(inside)].get_object();
    into["spend"] = rows->empty() ? 0.0 : static_cast<double>(rows->front().sums.nano_dollars) / kNanoDollars;
    out.body = bj::serialize(body);
    return out;
  };
  return whole;
}

}  // namespace llmgw::admin
