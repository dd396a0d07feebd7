#include "simulator/faults.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <type_traits>

#include "base/text.h"

namespace llmgw::simulator {

namespace {

using Parsed = std::expected<void, FaultSyntaxError>;

std::unexpected<FaultSyntaxError> wrong(std::string message) {
  return std::unexpected(FaultSyntaxError{std::move(message)});
}

std::optional<double> parse_number(std::string_view text) {
  double number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size() || !std::isfinite(number) || number < 0) return {};
  return number;
}

// "250ms", "2s", "1.5s", "250" (milliseconds).
std::optional<base::Duration> parse_duration(std::string_view text) {
  double to_ms = 1;
  if (text.ends_with("ms")) {
    text.remove_suffix(2);
  } else if (text.ends_with('s')) {
    text.remove_suffix(1);
    to_ms = 1000;
  }
  const auto number = parse_number(text);
  if (!number || *number * to_ms > std::chrono::duration<double, std::milli>(kFaultDelayMax).count()) return {};
  return base::Duration(std::llround(*number * to_ms * 1e6));
}

std::optional<Pace> parse_pace(std::string_view text) {
  if (text.empty()) return Pace{};
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {};
  const auto bytes = base::parse_decimal(text.substr(0, colon));
  const auto interval = parse_duration(text.substr(colon + 1));
  if (!bytes || *bytes == 0 || *bytes > UINT32_MAX || !interval) return {};
  return Pace{static_cast<uint32_t>(*bytes), *interval};
}

struct KindName {
  std::string_view name;
  FaultKind kind;
  bool takes_after;
};
constexpr KindName kKinds[]{
    {"reset", FaultKind::reset, true},
    {"hang", FaultKind::hang, true},
    {"cut", FaultKind::cut, true},
    {"truncate", FaultKind::cut, true},
    {"error-event", FaultKind::error_event, true},
    {"garbage", FaultKind::garbage, false},
    {"garbage-json", FaultKind::garbage_json, true},
};

Parsed set_kind(const KindName& kind, std::string_view value, FaultPlan& plan) {
  if (plan.kind != FaultKind::none) return wrong("only one of reset, hang, cut, error-event, garbage, garbage-json");
  plan.kind = kind.kind;
  if (value.empty()) return {};
  const bool after = kind.takes_after && value.starts_with("after:");
  const auto tokens = after ? base::parse_decimal(value.substr(6)) : std::nullopt;
  if (!tokens) return wrong(std::string(kind.name) + (kind.takes_after ? " takes =after:N" : " takes no value"));
  plan.after = static_cast<size_t>(*tokens);
  return {};
}

Parsed set_finish(std::string_view value, FaultPlan& plan) {
  if (value == "content_filter") {
    plan.answer.finish = Finish::content_filter;
  } else if (value == "length") {
    plan.answer.finish = Finish::length;
  } else {
    return wrong("finish takes content_filter or length");
  }
  return {};
}

Parsed set_status(std::string_view value, FaultPlan& plan) {
  const auto status = base::parse_decimal(value);
  if (!status || *status < 400 || *status > 599) return wrong("status takes a number from 400 to 599");
  plan.status = static_cast<int>(*status);
  return {};
}

template <class T, class Source>
Parsed set(T& place, const Source& parsed, std::string_view name, std::string_view takes) {
  if (!parsed) return wrong(std::string(name) + " takes " + std::string(takes));
  if constexpr (std::is_convertible_v<const Source&, T>) {
    place = parsed;
  } else {
    place = *parsed;
  }
  return {};
}

Parsed set_item(std::string_view name, std::string_view value, FaultPlan& plan) {
  for (const KindName& kind : kKinds) {
    if (name == kind.name) return set_kind(kind, value, plan);
  }
  if (name == "status") return set_status(value, plan);
  if (name == "retry-after") return set(plan.retry_after_seconds, parse_number(value), name, "seconds");
  if (name == "delay") return set(plan.delay, parse_duration(value), name, "a time of at most an hour, as 200ms or 2s");
  if (name == "drip") return set(plan.drip, parse_pace(value), name, "BYTES:TIME, as 1:1s");
  if (name == "slow-head") return set(plan.slow_head, parse_pace(value), name, "BYTES:TIME, as 1:100ms");
  if (name == "close-idle") {
    return set(plan.close_idle, value.empty() ? base::Duration::zero() : parse_duration(value), name, "a time");
  }
  if (name == "tokens") return set(plan.answer.tokens, base::parse_decimal(value), name, "a number");
  if (name == "finish") return set_finish(value, plan);
  if (name == "early") {
    plan.early = true;
    return value.empty() ? Parsed{} : wrong("early takes no value");
  }
  return wrong("unknown fault '" + std::string(name) + "'");
}

Parsed set_rule_item(std::string_view name, std::string_view value, FaultRule& rule) {
  if (name == "p") {
    const auto probability = parse_number(value);
    if (!probability || *probability > 1) return wrong("p takes a number from 0 to 1");
    rule.probability = *probability;
  } else if (name == "times") {
    return set(rule.times, base::parse_decimal(value), name, "a number");
  } else if (name == "skip") {
    return set(rule.skip, base::parse_decimal(value), name, "a number");
  } else if (name == "model") {
    rule.model = value;
  } else if (name == "path") {
    rule.path = value;
  } else {
    return set_item(name, value, rule.plan);
  }
  return {};
}

// Calls `take(name, value)` for every item.
template <class Take>
Parsed for_each_item(std::string_view text, Take take) {
  if (text.size() > kFaultTextBytesMax) return wrong("a fault is at most 1024 bytes long");
  size_t items = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size());
    const std::string_view item = base::trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (item.empty()) continue;
    const size_t equals = std::min(item.find('='), item.size());
    const std::string_view value = item.substr(std::min(equals + 1, item.size()));
    if (Parsed taken = take(base::trim(item.substr(0, equals)), base::trim(value)); !taken) return taken;
    ++items;
  }
  return items > 0 ? Parsed{} : wrong("no fault is named");
}

}  // namespace

std::expected<FaultPlan, FaultSyntaxError> parse_fault_plan(std::string_view text) {
  FaultPlan plan;
  const Parsed parsed = for_each_item(
      text, [&plan](std::string_view name, std::string_view value) { return set_item(name, value, plan); });
  if (!parsed) return std::unexpected(parsed.error());
  return plan;
}

std::expected<FaultRule, FaultSyntaxError> parse_fault_rule(std::string_view text) {
  FaultRule rule;
  rule.text = base::trim(text);
  const Parsed parsed = for_each_item(
      text, [&rule](std::string_view name, std::string_view value) { return set_rule_item(name, value, rule); });
  if (!parsed) return std::unexpected(parsed.error());
  if (rule.plan.early && !rule.model.empty()) return wrong("early comes before the model is known: no model=");
  return rule;
}

std::expected<void, FaultSyntaxError> FaultRules::add(std::string_view lines) {
  std::vector<FaultRule> added;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    std::string_view line = base::trim(lines.substr(0, end));
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (line.empty() || line.starts_with('#')) continue;
    auto rule = parse_fault_rule(line);
    if (!rule) return wrong("'" + std::string(line) + "': " + rule.error().message);
    added.push_back(std::move(*rule));
  }
  if (rules_.size() + added.size() > kFaultRulesMax) return wrong("more than 256 rules");
  std::move(added.begin(), added.end(), std::back_inserter(rules_));
  return {};
}

std::optional<FaultPlan> FaultRules::choose(const Question& question) {
  for (FaultRule& rule : rules_) {
    if (rule.plan.early != question.before_body) continue;
    if (rule.path.empty() ? question.control : !question.path.starts_with(rule.path)) continue;
    if (!rule.model.empty() && rule.model != question.model) continue;
    if (rule.times == 0u || !rng_.chance(rule.probability)) continue;
    if (rule.skip > 0) {
      --rule.skip;
      continue;
    }
    if (rule.times) --*rule.times;
    return rule.plan;
  }
  return std::nullopt;
}

std::string FaultRules::list() const {
  std::string text;
  for (const FaultRule& rule : rules_) {
    text += rule.text;
    if (rule.times) text += "  # " + std::to_string(*rule.times) + " left";
    if (rule.skip > 0) text += "  # " + std::to_string(rule.skip) + " to skip";
    text += '\n';
  }
  return text;
}

}  // namespace llmgw::simulator
