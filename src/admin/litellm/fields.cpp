#include "admin/litellm/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <optional>
#include <span>

#include "admin/api/object_view.h"
#include "base/money.h"
#include "control/units.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;

enum class Form : uint8_t { same, rate, dollars, period, duration };

struct FieldPair {
  std::string_view theirs;
  std::string_view ours;
  Form form = Form::same;
};

constexpr FieldPair kLimits[] = {{"max_budget", "budget", Form::dollars},
                                 {"budget_duration", "budget_period", Form::period},
                                 {"tpm_limit", "tpm", Form::rate},
                                 {"rpm_limit", "rpm", Form::rate},
                                 {"max_parallel_requests", "concurrency", Form::rate},
                                 {"models", "models"}};
constexpr FieldPair kKey[] = {{"key_alias", "name"}, {"key", "key"},   {"team_id", "team"},
                              {"user_id", "user"},   {"tags", "tags"}, {"duration", "expires", Form::duration},
                              {"blocked", "blocked"}};
constexpr FieldPair kTeam[] = {{"team_id", "name"}, {"organization_id", "organization"}};
constexpr FieldPair kUser[] = {{"user_id", "name"}, {"user_email", "email"}, {"teams", "teams"}};

struct PeriodPair {
  std::string_view theirs;
  std::string_view ours;
  std::string_view differs = {};  // what it is here, where that is something else
};
constexpr PeriodPair kPeriods[] = {{"1h", "hour"},
                                   {"1d", "day"},
                                   {"24h", "day"},
                                   {"7d", "week", "a week of the calendar here, from Monday on"},
                                   {"30d", "month", "a month of the calendar here"},
                                   {"1mo", "month"}};
constexpr std::string_view kPeriodDefault = "month";

bj::string_view bjs(std::string_view text) {
  return {text.data(), text.size()};
}

std::string_view view(const bj::value& value) {
  return value.is_string() ? std::string_view(value.get_string().data(), value.get_string().size())
                           : std::string_view();
}

// Names of models that mean something else there.
constexpr std::string_view kAllModels[] = {"all-team-models", "all-proxy-models"};
constexpr std::string_view kNoModels = "no-default-models";

// No list, and one of no models, means all of them there: nothing.
std::optional<bj::value> models_of(bj::value value) {
  if (!value.is_array()) return value;
  bj::array& models = value.get_array();
  const bool all = std::ranges::any_of(
      models, [](const bj::value& each) { return std::ranges::find(kAllModels, view(each)) != std::end(kAllModels); });
  if (models.empty() || all) return std::nullopt;
  models.erase(std::remove_if(models.begin(), models.end(), [](const auto& each) { return view(each) == kNoModels; }),
               models.end());
  return value;
}

// Their value as ours.
std::expected<bj::value, std::string> to_ours(const FieldPair& pair, const bj::value& value, int64_t now_ms) {
  const std::string field(pair.theirs);
  const bool is_zero = (value.is_int64() && value.get_int64() == 0) || (value.is_double() && value.get_double() == 0);
  if (pair.form == Form::rate && is_zero) {
    return std::unexpected(field +
                           ": 0 lets no call through in LiteLLM, and is no limit here; leave it out, or block "
                           "the key, or give it max_budget 0");
  }
  switch (pair.form) {
    case Form::same:
    case Form::rate: return value;
    case Form::dollars: {
      if (!value.is_number()) return std::unexpected(field + ": expected a number of US dollars");
      const std::string dollars = fmt::format("{:.9f}", value.to_number<double>());
      // None at all would be another budget than one that is very small.
      if (!is_zero && base::parse_usd(dollars) == base::NanoDollars{}) {
        return std::unexpected(field + ": the smallest budget but 0 is " + base::format_usd({1}) + " US dollars");
      }
      return bj::value(bjs(dollars));
    }
    case Form::period: {
      const auto* const found = std::ranges::find(kPeriods, view(value), &PeriodPair::theirs);
      if (found != std::end(kPeriods)) return bj::value(bj::string_view(found->ours.data(), found->ours.size()));
      return std::unexpected(
          field + ": budgets here last 1h, 1d, 7d or 30d: an hour, a day, a week or a month of the calendar");
    }
    case Form::duration: {
      const auto length = control::parse_duration(view(value));
      if (!length) return std::unexpected(field + ": expected a duration such as \"30d\"");
      const int64_t end_ms = now_ms + std::chrono::duration_cast<std::chrono::milliseconds>(*length).count();
      return bj::value(bjs(format_time_ms(end_ms)));
    }
  }
  return value;
}

std::span<const FieldPair> fields_of(LitellmKind kind) {
  switch (kind) {
    case LitellmKind::key: return kKey;
    case LitellmKind::team: return kTeam;
    case LitellmKind::user: return kUser;
  }
  return {};
}

bj::object parse(std::string_view json) {
  boost::system::error_code error;
  bj::value value = bj::parse(bjs(json), error);
  return error || !value.is_object() ? bj::object() : std::move(value.get_object());
}

}  // namespace

std::expected<TakenFields, std::string> take_fields(LitellmKind kind, std::string_view theirs, int64_t now_ms,
                                                    bool keep_null) {
  bj::object from = parse(theirs);
  bj::object fields;
  std::vector<std::string> differences;
  for (const auto pairs : {fields_of(kind), std::span<const FieldPair>(kLimits)}) {
    for (const FieldPair& pair : pairs) {
      const auto* const found = from.find(bjs(pair.theirs));
      if (found == from.end()) continue;
      if (found->value().is_null()) {
        if (keep_null) fields[bjs(pair.ours)] = nullptr;
        from.erase(found);
        continue;
      }
      auto value = to_ours(pair, found->value(), now_ms);
      if (!value) return std::unexpected(std::move(value).error());
      const auto* const period = std::ranges::find(kPeriods, view(found->value()), &PeriodPair::theirs);
      if (pair.form == Form::period && !period->differs.empty()) {
        differences.push_back(fmt::format("{}: {} is {}", pair.theirs, period->theirs, period->differs));
      }
      std::optional<bj::value> ours = std::move(*value);
      if (pair.ours == "models") ours = models_of(std::move(*ours));
      if (ours) fields[bjs(pair.ours)] = std::move(*ours);
      if (!ours && keep_null) fields[bjs(pair.ours)] = nullptr;
      from.erase(found);
    }
  }
  TakenFields taken{.fields = bj::serialize(fields), .ignored = std::move(differences)};
  for (const auto& [name, value] : from) {
    if (!value.is_null()) taken.ignored.emplace_back(name);
  }
  return taken;
}

std::string show_fields(LitellmKind kind, std::string_view ours) {
  const bj::object object = parse(ours);
  bj::object out;
  for (const auto pairs : {fields_of(kind), std::span<const FieldPair>(kLimits)}) {
    for (const FieldPair& pair : pairs) {
      const bj::value* const found = object.if_contains(bjs(pair.ours));
      bj::value& to = out[bjs(pair.theirs)];
      to = nullptr;
      if (found == nullptr) continue;
      to = *found;
      if (pair.form == Form::dollars) to = std::strtod(std::string(view(*found)).c_str(), nullptr);
      if (pair.form != Form::period) continue;
      const auto* const period = std::ranges::find(kPeriods, view(*found), &PeriodPair::ours);
      if (period != std::end(kPeriods)) to = bjs(period->theirs);
    }
  }
  if (out["models"].is_null()) out["models"] = bj::array();
  // A budget always has a period here; without one there it would be for ever.
  if (!out["max_budget"].is_null() && out["budget_duration"].is_null()) {
    out["budget_duration"] = bjs(std::ranges::find(kPeriods, kPeriodDefault, &PeriodPair::ours)->theirs);
  }
  return bj::serialize(out);
}

}  // namespace llmgw::admin
