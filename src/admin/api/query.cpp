#include "admin/api/query.h"

#include <algorithm>

#include "base/query_text.h"

namespace llmgw::admin {
namespace {

std::string expected_of(const Parameter& parameter) {
  switch (parameter.kind) {
    case Parameter::Kind::flag: return "expected true or false";
    case Parameter::Kind::number:
      if (parameter.most == UINT64_MAX) {
        return "expected a whole number, " + std::to_string(parameter.least) + " or larger";
      }
      return "expected a whole number from " + std::to_string(parameter.least) + " to " +
             std::to_string(parameter.most);
    case Parameter::Kind::text: break;
  }
  return "has a broken %-escape";
}

bool fits(const Parameter& parameter, std::string_view value) {
  if (parameter.kind == Parameter::Kind::flag) return value == "true" || value == "false";
  if (parameter.kind == Parameter::Kind::text) return true;
  const auto number = base::parse_decimal(value);
  return number && *number >= parameter.least && *number <= parameter.most;
}

std::string unknown(const std::string& name, std::span<const Parameter> known) {
  constexpr size_t kShownMax = 64;
  std::string text = "there is no parameter '" + name.substr(0, kShownMax) + "' here";
  for (size_t i = 0; i < known.size(); ++i) {
    text += i == 0 ? "; it takes " : i + 1 == known.size() ? " and " : ", ";
    text += known[i].name;
  }
  return known.empty() ? text + "; it takes none" : text;
}

}  // namespace

std::optional<std::string> query_problem(std::string_view query, std::span<const Parameter> known) {
  uint64_t seen = 0;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto name = base::decode_query_text(pair.substr(0, equals));
    const auto found = std::ranges::find(known, name.value_or(""), &Parameter::name);
    if (found == known.end()) return unknown(name.value_or(std::string(pair.substr(0, equals))), known);
    const uint64_t bit = uint64_t{1} << static_cast<size_t>(found - known.begin());
    if ((seen & bit) != 0) return std::string(found->name) + ": stands twice";
    seen |= bit;
    const auto value = base::decode_query_text(pair.substr(std::min(equals + 1, pair.size())));
    if (!value || !fits(*found, *value)) return std::string(found->name) + ": " + expected_of(*found);
  }
  return std::nullopt;
}

std::string Query::text(std::string_view name) const {
  std::string_view left = query_;
  while (!left.empty()) {
    const size_t end = left.find('&');
    const std::string_view pair = left.substr(0, end);
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos && base::decode_query_text(pair.substr(0, equals)) == name) {
      return base::decode_query_text(pair.substr(equals + 1)).value_or("");
    }
    left = end == std::string_view::npos ? std::string_view() : left.substr(end + 1);
  }
  return {};
}

std::optional<uint64_t> Query::number(std::string_view name) const {
  return base::parse_decimal(text(name));
}

}  // namespace llmgw::admin
