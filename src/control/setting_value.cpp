#include "control/setting_value.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "base/text.h"
#include "control/settings_binding.h"
#include "providers/header_policy.h"

namespace llmgw::control {
namespace {

constexpr int64_t kNanosecondsPerMillisecond = 1'000'000;

bool is_variable_name(std::string_view name) {
  const auto word = [](char c) {
    return base::is_digit(c) || (base::to_lower(c) >= 'a' && base::to_lower(c) <= 'z') || c == '_';
  };
  return !name.empty() && name.size() <= 256 && !base::is_digit(name[0]) && std::ranges::all_of(name, word);
}

bool is_control(char c) {
  return (c >= 0 && c < ' ') || c == 0x7f;
}

bool is_visible_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f; });
}

std::string format_bound(const Setting& setting, int64_t bound) {
  switch (setting.type) {
    case SettingType::duration: return format_duration(Duration(bound * kNanosecondsPerMillisecond));
    case SettingType::size: return format_size({static_cast<uint64_t>(bound)});
    default: return std::to_string(bound);
  }
}

base::Result<std::string> read_whole_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::unexpected(base::Error{base::ErrorCode::io, "reading a referenced file", errno});
  std::string text(kReferencedFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return base::fail(base::ErrorCode::io, "input or output error");
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kReferencedFileBytesMax) return base::fail(base::ErrorCode::too_large, "larger than 64 KiB");
  return text;
}

}  // namespace

bool is_header_name(std::string_view name) {
  const auto token = [](char c) {
    return base::is_digit(c) || (base::to_lower(c) >= 'a' && base::to_lower(c) <= 'z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !name.empty() && name.size() <= 128 && std::ranges::all_of(name, token);
}

Environment real_environment(std::string_view config_path) {
  const size_t slash = config_path.rfind('/');
  return {.variable = [](const std::string& name) -> std::optional<std::string> {
            const char* value = std::getenv(name.c_str());
            return value == nullptr ? std::nullopt : std::optional<std::string>(value);
          },
          .read_file = read_whole_file,
          .directory = slash == std::string_view::npos ? std::string(".") : std::string(config_path.substr(0, slash))};
}

std::string reason(const base::Error& error) {
  return error.os_error != 0 ? std::generic_category().message(error.os_error) : std::string(error.context);
}

std::string resolve_path(const Environment& environment, std::string_view path) {
  if (path.starts_with('/') || environment.directory.empty()) return std::string(path);
  return environment.directory + "/" + std::string(path);
}

std::nullopt_t ValueReader::fault(Location at, std::string_view message) {
  errors_.add(at, std::string(name_).append(": ").append(message));
  return std::nullopt;
}

std::nullopt_t ValueReader::wrong_type(const TomlValue& value) {
  return fault(value.at, "expected " + expected_form(*setting_) + ", found " + std::string(kind_name(value.kind)));
}

bool ValueReader::in_range(const TomlValue& value, int64_t number) {
  if (number >= setting_->min && number <= setting_->max) return true;
  const bool open = setting_->max == std::numeric_limits<int64_t>::max();
  fault(value.at, "out of range; write " + std::string(open ? "at least " : "something from ") +
                      format_bound(*setting_, setting_->min) +
                      (open ? "" : " to " + format_bound(*setting_, setting_->max)));
  return false;
}

std::optional<SettingValue> ValueReader::read_boolean(const TomlValue& value) {
  if (value.kind == TomlKind::string) return fault(value.at, "expected true or false without quotes, found a string");
  if (value.kind != TomlKind::boolean) return wrong_type(value);
  return value.boolean;
}

std::optional<SettingValue> ValueReader::read_integer(const TomlValue& value) {
  if (value.kind != TomlKind::integer) return wrong_type(value);
  if (!in_range(value, value.integer)) return std::nullopt;
  return value.integer;
}

std::optional<SettingValue> ValueReader::read_number(const TomlValue& value) {
  const bool whole = value.kind == TomlKind::integer;
  if (!whole && value.kind != TomlKind::number) return wrong_type(value);
  const double number = whole ? static_cast<double>(value.integer) : value.number;
  if (!std::isfinite(number) || number < static_cast<double>(setting_->min) ||
      number > static_cast<double>(setting_->max)) {
    in_range(value, setting_->min - 1);
    return std::nullopt;
  }
  return number;
}

std::optional<SettingValue> ValueReader::read_duration(const TomlValue& value) {
  if (value.kind != TomlKind::string) return wrong_type(value);
  const auto duration = parse_duration(value.text);
  if (!duration) {
    return fault(value.at, "not a duration; write a whole number with ms, s, m, h or d, such as \"30s\"");
  }
  if (!in_range(value, duration->count() / kNanosecondsPerMillisecond)) return std::nullopt;
  return duration->count();
}

std::optional<SettingValue> ValueReader::read_size(const TomlValue& value) {
  if (value.kind == TomlKind::integer) {
    if (!in_range(value, value.integer)) return std::nullopt;
    return value.integer;
  }
  if (value.kind != TomlKind::string) return wrong_type(value);
  const auto size = parse_size(value.text);
  if (!size)
    return fault(value.at, "not a size; write a number of bytes, or one with KiB, MiB or GiB, such as \"10MiB\"");
  const auto bytes = static_cast<int64_t>(size->bytes);
  if (!in_range(value, bytes)) return std::nullopt;
  return bytes;
}

// A whole number of dollars needs no quotes; of a fraction TOML's numbers would make another.
std::optional<SettingValue> ValueReader::read_money(const TomlValue& value) {
  if (value.kind != TomlKind::integer && value.kind != TomlKind::string) return wrong_type(value);
  const auto amount = base::parse_usd(value.kind == TomlKind::integer ? std::to_string(value.integer) : value.text);
  if (!amount) {
    return fault(value.at, "not an amount; write US dollars with at most nine decimals, such as \"12.50\"");
  }
  return amount->nano;
}

std::optional<SettingValue> ValueReader::read_timestamp(const TomlValue& value) {
  if (value.kind != TomlKind::string) return wrong_type(value);
  const auto time = parse_timestamp(value.text);
  if (!time) {
    return fault(value.at, "not a time; write a date and time with its zone, such as \"2027-01-31T12:00:00Z\"");
  }
  return time->seconds;
}

std::optional<SettingValue> ValueReader::read_choice(const TomlValue& value) {
  if (value.kind != TomlKind::string) return wrong_type(value);
  const auto found = std::ranges::find(setting_->choices, std::string_view(value.text));
  if (found != setting_->choices.end()) return static_cast<int64_t>(found - setting_->choices.begin());
  const auto near = base::closest(value.text, setting_->choices);
  return fault(value.at, "no such choice; write " + expected_form(*setting_) +
                             (near.empty() ? "" : " (did you mean " + quote(near) + "?)"));
}

namespace {

bool is_shell_variable(std::string_view text) {
  if (!text.starts_with('$')) return false;
  text.remove_prefix(1);
  if (text.starts_with('{') && text.ends_with('}')) return is_variable_name(text.substr(1, text.size() - 2));
  return is_variable_name(text) && std::ranges::none_of(text, [](char c) { return c >= 'a' && c <= 'z'; });
}

}  // namespace

std::optional<std::string> ValueReader::from_environment(const TomlValue& value) {
  const std::string variable = value.text.substr(4);
  if (!is_variable_name(variable)) {
    return fault(value.at, "after env: stands the name of an environment variable, as in \"env:API_KEY\"");
  }
  *origin_ = {.setting = origin_->setting, .kind = Origin::Kind::environment, .at = origin_->at, .name = variable};
  auto text = environment_.variable(variable);
  constexpr std::string_view kInstead = "; set it where the gateway is started, or write the value, or a file: with it";
  if (!text) return fault(value.at, "environment variable " + variable + " is not set" + std::string(kInstead));
  if (text->empty()) return fault(value.at, "environment variable " + variable + " is empty" + std::string(kInstead));
  return text;
}

std::optional<std::string> ValueReader::from_file(const TomlValue& value) {
  const auto path = std::string_view(value.text).substr(5);
  if (path.empty()) return fault(value.at, "after file: stands a path, as in \"file:/run/secrets/api-key\"");
  const std::string resolved = resolve_path(environment_, path);
  origin_->kind = Origin::Kind::referenced_file;
  origin_->name = path;
  referenced_files_.push_back(resolved);
  auto text = environment_.read_file(resolved);
  if (!text) {
    return fault(value.at, "file " + resolved + " cannot be read: " + reason(text.error()));
  }
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  if (text->empty()) return fault(value.at, "file " + resolved + " is empty");
  return std::move(*text);
}

std::optional<std::string> ValueReader::dereference(const TomlValue& value) {
  const bool may_refer = setting_->references == References::allowed && !environment_.stored;
  if (may_refer && value.text.starts_with("env:")) return from_environment(value);
  if (may_refer && value.text.starts_with("file:")) return from_file(value);
  // As shells and other programs' files have it; taken at its word it would be a key that everybody can guess.
  if (may_refer && setting_->secret() && is_shell_variable(value.text)) {
    return fault(value.at, "a variable of the environment is written as in \"env:API_KEY\", without $ and braces");
  }
  return value.text;
}

std::optional<std::string> ValueReader::read_text(const TomlValue& value) {
  if (value.kind != TomlKind::string) return wrong_type(value);
  if (value.text.empty()) return fault(value.at, "is empty; remove the line or write a value");
  auto text = dereference(value);
  if (!text) return std::nullopt;
  if (std::ranges::any_of(*text, is_control)) return fault(value.at, "has a control character (a line break?)");
  constexpr auto kBytesMax = static_cast<int64_t>(kTextBytesMax);
  const bool sized = setting_->type == SettingType::text || setting_->type == SettingType::secret;
  const auto max = sized ? std::min(setting_->max, kBytesMax) : kBytesMax;
  const auto min = sized ? std::max<int64_t>(setting_->min, 1) : 1;
  const auto size = static_cast<int64_t>(text->size());
  if (size > max) return fault(value.at, "is longer than " + std::to_string(max) + " bytes");
  if (size < min) return fault(value.at, "is shorter than " + std::to_string(min) + " characters");
  if (setting_->secret() && !is_visible_ascii(*text)) {
    return fault(value.at, "has a character that is not visible ASCII and cannot stand in a header");
  }
  return text;
}

std::optional<SettingValue> ValueReader::read_list(const TomlValue& value) {
  std::vector<std::string> items;
  if (value.kind == TomlKind::string) {
    auto text = read_text(value);
    if (!text) return std::nullopt;
    items.push_back(std::move(*text));
  } else if (value.kind == TomlKind::array) {
    for (const auto& item : value.items) {
      auto text = read_text(item);
      if (!text) return std::nullopt;
      items.push_back(std::move(*text));
    }
  } else {
    return wrong_type(value);
  }
  const auto count = static_cast<int64_t>(items.size());
  if (count < setting_->min || count > setting_->max) {
    return fault(value.at, "has " + std::to_string(count) + " entries; write " + std::to_string(setting_->min) +
                               " to " + std::to_string(setting_->max));
  }
  return items;
}

bool ValueReader::read_header(const TomlMember& member, HeaderTable& headers) {
  std::string name = member.key;
  std::ranges::transform(name, name.begin(), base::to_lower);
  if (!is_header_name(name)) {
    fault(member.at, "a header's name has only letters, digits and '-'");
    return false;
  }
  const auto rule = providers::request_header_rule(name);
  if (rule == providers::HeaderRule::framing || rule == providers::HeaderRule::hop_by_hop) {
    fault(member.at, "header " + name + " is written by the gateway itself; remove it");
    return false;
  }
  if (std::ranges::find(headers, name, &providers::HeaderField::name) != headers.end()) {
    fault(member.at, "header " + name + " is given twice");
    return false;
  }
  auto text = read_text(member.value);
  if (text) headers.push_back({std::move(name), Secret(*text)});
  return text.has_value();
}

std::optional<SettingValue> ValueReader::read_headers(const TomlValue& value) {
  if (value.kind != TomlKind::table) return wrong_type(value);
  if (static_cast<int64_t>(value.members.size()) > setting_->max) {
    return fault(value.at, "has more than " + std::to_string(setting_->max) + " headers");
  }
  HeaderTable headers;
  bool whole = true;
  for (const TomlMember& member : value.members) whole = read_header(member, headers) && whole;
  if (!whole) return std::nullopt;
  return headers;
}

std::string ValueReader::resolved(const std::string& text) const {
  const bool word =
      setting_->path == PathKind::log_destination && (text == "stdout" || text == "stderr" || text == "off");
  return setting_->path == PathKind::none || word ? text : resolve_path(environment_, text);
}

std::optional<SettingValue> ValueReader::read(const Setting& setting, std::string_view name, const TomlValue& value,
                                              Origin& origin) {
  setting_ = &setting;
  name_ = name;
  origin_ = &origin;
  switch (setting.type) {
    case SettingType::boolean: return read_boolean(value);
    case SettingType::integer: return read_integer(value);
    case SettingType::number: return read_number(value);
    case SettingType::duration: return read_duration(value);
    case SettingType::size: return read_size(value);
    case SettingType::money: return read_money(value);
    case SettingType::timestamp: return read_timestamp(value);
    case SettingType::choice: return read_choice(value);
    case SettingType::list: return read_list(value);
    case SettingType::header_table: return read_headers(value);
    case SettingType::text:
    case SettingType::secret:
      if (auto text = read_text(value)) return SettingValue(resolved(*text));
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace llmgw::control
