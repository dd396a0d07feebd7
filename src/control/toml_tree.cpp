#include "control/toml_tree.h"

#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <utility>

namespace llmgw::control {
namespace {

Location location_of(const toml::source_region& source) {
  return {std::max<uint32_t>(1, source.begin.line), std::max<uint32_t>(1, source.begin.column)};
}

TomlValue convert(const toml::node& node);

TomlValue convert_table(const toml::table& table, TomlValue value) {
  value.kind = TomlKind::table;
  value.members.reserve(table.size());
  for (const auto& [key, child] : table) {
    value.members.push_back({std::string(key.str()), location_of(key.source()), convert(child)});
  }
  std::ranges::sort(value.members, [](const TomlMember& a, const TomlMember& b) {
    return a.at != b.at ? a.at < b.at : a.key < b.key;
  });
  return value;
}

TomlValue convert(const toml::node& node) {
  TomlValue value;
  value.at = location_of(node.source());
  if (const auto* table = node.as_table()) return convert_table(*table, std::move(value));
  if (const auto* array = node.as_array()) {
    value.kind = TomlKind::array;
    value.items.reserve(array->size());
    for (const auto& item : *array) value.items.push_back(convert(item));
  } else if (const auto* text = node.as_string()) {
    value.kind = TomlKind::string;
    value.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.kind = TomlKind::integer;
    value.integer = integer->get();
  } else if (const auto* number = node.as_floating_point()) {
    value.kind = TomlKind::number;
    value.number = number->get();
  } else if (const auto* boolean = node.as_boolean()) {
    value.kind = TomlKind::boolean;
    value.boolean = boolean->get();
  }
  return value;
}

// The parser quotes what it saw. One character is a help; more could be a piece of a secret written without quotes.
std::string without_values(std::string_view description) {
  std::string result;
  while (!description.empty()) {
    const size_t open = description.find('\'');
    const size_t close = open == std::string_view::npos ? open : description.find('\'', open + 1);
    if (close == std::string_view::npos) {
      result += description.substr(0, open);
      break;
    }
    const auto quoted = description.substr(open, close + 1 - open);
    result += description.substr(0, open);
    const bool one_character = quoted.size() <= 3 || (quoted.size() == 4 && quoted[1] == '\\');
    result += one_character ? quoted : std::string_view("'...'");
    description.remove_prefix(close + 1);
  }
  return result;
}

}  // namespace

std::string_view kind_name(TomlKind kind) {
  switch (kind) {
    case TomlKind::table: return "a table";
    case TomlKind::array: return "an array";
    case TomlKind::string: return "a string";
    case TomlKind::integer: return "an integer";
    case TomlKind::number: return "a number";
    case TomlKind::boolean: return "a boolean";
    case TomlKind::other: return "a date or time";
  }
  return "a value";
}

std::expected<TomlValue, ConfigError> parse_toml(std::string_view text) {
  if (text.size() > kConfigBytesMax) return std::unexpected(ConfigError{{}, "the file is larger than 16 MiB"});
  try {
    return convert_table(toml::parse(text), {});
  } catch (const toml::parse_error& error) {
    return std::unexpected(
        ConfigError{location_of(error.source()), "not TOML: " + without_values(error.description())});
  } catch (const std::exception&) {
    return std::unexpected(ConfigError{{}, "not TOML, and the parser could not say where"});
  }
}

}  // namespace llmgw::control
