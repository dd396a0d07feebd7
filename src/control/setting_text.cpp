// The wording of settings: how values are rendered, and how defaults are taken from their text.
#include <cstdio>

#include "control/setting_value.h"
#include "control/settings_binding.h"

namespace llmgw::control {

std::string quote(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if ((c >= 0 && c < ' ') || c == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04X", static_cast<unsigned>(c));
      result += escape;
    } else {
      result += c;
    }
  }
  return result += '"';
}

std::string without_user(std::string_view url) {
  const size_t scheme = url.find("://");
  const size_t at = url.rfind('@');
  if (scheme == std::string_view::npos || at == std::string_view::npos || at < scheme) return std::string(url);
  return std::string(url.substr(0, scheme + 3)) + "***" + std::string(url.substr(at));
}

std::string render_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

std::string render_list(const std::vector<std::string>& items) {
  std::string result = "[";
  for (const auto& item : items) {
    if (result.size() > 1) result += ", ";
    result += quote(item);
  }
  return result + "]";
}

std::string render_headers(const HeaderTable& headers) {
  std::string result = "{";
  for (const auto& header : headers) {
    result += result.size() > 1 ? ", " : " ";
    result += quote(header.name) + " = \"(secret)\"";
  }
  return result + " }";
}

std::string type_name(const Setting& setting) {
  switch (setting.type) {
    case SettingType::boolean: return "boolean";
    case SettingType::integer: return "integer";
    case SettingType::number: return "number";
    case SettingType::duration: return "duration";
    case SettingType::size: return "size";
    case SettingType::money: return "dollars";
    case SettingType::timestamp: return "time";
    case SettingType::text: return "string";
    case SettingType::list: return "string or list";
    case SettingType::secret: return "secret";
    case SettingType::header_table: return "table of secrets";
    case SettingType::choice: break;
  }
  std::string result;
  for (auto choice : setting.choices) {
    if (!result.empty()) result += ", ";
    result.append("`").append(choice).append("`");
  }
  return result;
}

std::string expected_form(const Setting& setting) {
  switch (setting.type) {
    case SettingType::boolean: return "true or false";
    case SettingType::integer: return "a whole number without quotes";
    case SettingType::number: return "a number without quotes";
    case SettingType::duration: return "a duration in quotes such as \"30s\"";
    case SettingType::size: return "a number of bytes or a size in quotes such as \"10MiB\"";
    case SettingType::money: return "US dollars in quotes such as \"12.50\"";
    case SettingType::timestamp: return "a time in quotes such as \"2027-01-31T12:00:00Z\"";
    case SettingType::text: return "a string in quotes";
    case SettingType::list: return "a string in quotes or a list of them";
    case SettingType::secret: return "a string in quotes, best as \"env:NAME\" or \"file:PATH\"";
    case SettingType::header_table: return "a table such as { Name = \"value\" }";
    case SettingType::choice: break;
  }
  std::string result;
  for (size_t i = 0; i < setting.choices.size(); ++i) {
    if (i > 0) result += i + 1 == setting.choices.size() ? " or " : ", ";
    result += quote(setting.choices[i]);
  }
  return result;
}

void apply_defaults(SectionId id, void* section) {
  const auto& table = section_table(id);
  const Environment none{.variable = [](const std::string&) { return std::nullopt; },
                         .read_file = [](const std::string&) -> base::Result<std::string> {
                           return base::fail(base::ErrorCode::not_found, "defaults refer to no file");
                         },
                         .directory = {}};
  for (const auto& setting : table.settings) {
    if (setting.fallback.empty()) continue;
    const auto document = parse_toml("value = " + std::string(setting.fallback));
    ConfigErrors errors;
    std::vector<std::string> files;
    Origin origin{};
    if (!document) continue;
    if (auto value = ValueReader(none, errors, files).read(setting, setting.key, document->members[0].value, origin)) {
      setting.assign(section, std::move(*value));
    }
  }
}

}  // namespace llmgw::control
