#include "app/objects/object_text.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "app/objects/object_client.h"

namespace llmgw::app {
namespace {

namespace bj = boost::json;
using control::ObjectKind;
using control::Setting;
using control::SettingType;

constexpr size_t kCellMax = 60;  // characters of a table's cell

std::string plain(const bj::value& value) {
  if (value.is_string()) return std::string(value.get_string().data(), value.get_string().size());
  if (value.is_null()) return "";
  if (value.is_double()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.15g", value.get_double());
    return text;
  }
  // A key from before a rotation.
  if (value.is_object() && value.get_object().contains("until")) {
    const bj::value* const hint = value.get_object().if_contains("key_hint");
    return (hint == nullptr ? "" : plain(*hint) + " ") + "until " + plain(value.get_object().at("until"));
  }
  if (value.is_array()) {
    std::string text;
    for (const bj::value& each : value.get_array()) text += (text.empty() ? "" : ", ") + plain(each);
    return text;
  }
  return bj::serialize(value);
}

bj::value parse(std::string_view json) {
  boost::system::error_code error;
  bj::value value = bj::parse({json.data(), json.size()}, error);
  return error ? bj::value() : value;
}

std::string with_dashes(std::string_view key) {
  std::string option(key);
  std::ranges::replace(option, '_', '-');
  return option;
}

template <class Number>
std::expected<bj::value, std::string> number_value(const std::string& text, const char* what) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return std::unexpected("'" + text + "' is too large");
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::unexpected(std::string(what) + ", not '" + text + "'");
  }
  if constexpr (std::is_floating_point_v<Number>) {
    if (!std::isfinite(number)) return std::unexpected(std::string(what) + ", not '" + text + "'");
  }
  return bj::value(number);
}

std::expected<bj::value, std::string> header_value(const std::vector<std::string>& texts) {
  bj::object headers;
  for (const std::string& text : texts) {
    const size_t colon = text.find(':');
    if (colon == std::string::npos || colon == 0) return std::unexpected("expected 'Name: value'");
    auto value = read_secret_argument(text.substr(text.find_first_not_of(' ', colon + 1)));
    if (!value) return std::unexpected(value.error());
    headers[text.substr(0, colon)] = *value;
  }
  return headers;
}

std::expected<bj::value, std::string> field_value(const Setting& setting, const std::vector<std::string>& texts) {
  const std::string& text = texts.back();
  switch (setting.type) {
    case SettingType::boolean:
      if (text != "true" && text != "false") return std::unexpected("expected true or false");
      return text == "true";
    case SettingType::integer: return number_value<int64_t>(text, "expected a whole number");
    case SettingType::number:
      // Whole numbers as such: "10" is nicer to read than "1E1".
      if (auto whole = number_value<int64_t>(text, "")) return whole;
      return number_value<double>(text, "expected a number");
    case SettingType::header_table: return header_value(texts);
    case SettingType::list: {
      bj::array items;
      for (const std::string& each : texts) {
        for (size_t begin = 0; begin <= each.size();) {
          const size_t comma = std::min(each.find(',', begin), each.size());
          if (comma > begin) items.push_back(bj::value(each.substr(begin, comma - begin)));
          begin = comma + 1;
        }
      }
      return items;
    }
    case SettingType::secret: {
      auto secret = read_secret_argument(text);
      if (!secret) return std::unexpected(secret.error());
      return bj::value(*secret);
    }
    default: return bj::value(text);
  }
}

// Columns of a list, beside the id; what is not there is left empty.
std::vector<std::string> columns_of(const ObjectKind& kind) {
  using enum control::SectionId;
  switch (kind.section) {
    case connection: return {"name", "provider", "endpoint", "priority", "source"};
    case model: return {"name", "connection", "remote", "deployment", "source"};
    case organization: return {"name", "budget", "budget_period", "tps", "source"};
    case team: return {"name", "organization", "budget", "budget_period", "tps", "source"};
    case user: return {"name", "email", "teams", "budget", "source"};
    case key: return {"name", "key_hint", "team", "models", "tps", "expires", "blocked", "previous_keys", "source"};
    case assignment: return {"key", "alias", "model", "tps", "source"};
    case price: return {"provider", "model", "above_tokens", "input", "output", "cache_read", "source"};
    case route: return {"models", "policy", "attempts", "fallbacks", "source"};
    case admin_key: return {"name", "key_hint", "role", "team", "expires", "blocked", "previous_keys", "source"};
    default: return {"name", "source"};
  }
}

// Columns that a terminal takes for it: East Asian characters and pictures take two, marks on others none.
size_t columns_wide(std::string_view text) {
  size_t columns = 0;
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const size_t bytes = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    uint32_t code = bytes == 1 ? first : first & (0x7FU >> bytes);
    for (size_t more = 1; more < bytes && i + more < text.size(); ++more) {
      code = code << 6 | (static_cast<unsigned char>(text[i + more]) & 0x3FU);
    }
    const bool mark = (code >= 0x300 && code <= 0x36F) || code == 0x200D || (code >= 0xFE00 && code <= 0xFE0F);
    const bool wide = (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) ||
                      (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xF900 && code <= 0xFAFF) ||
                      (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
                      (code >= 0x1F300 && code <= 0x1FAFF) || (code >= 0x20000 && code <= 0x3FFFD);
    columns += mark ? 0 : wide ? 2 : 1;
    i += bytes;
  }
  return columns;
}

std::string render_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_wide(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - columns_wide(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string cell(std::string text) {
  if (text.size() <= kCellMax) return text;
  size_t end = kCellMax - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // not inside a character
  return text.substr(0, end) + "...";
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text;
}

}  // namespace

std::vector<FieldOption> field_options(const ObjectKind& kind) {
  std::vector<FieldOption> fields;
  for (const Setting& setting : control::section_table(kind.section).settings) {
    std::string options = "--" + with_dashes(setting.key);
    for (const control::ReferenceField& reference : kind.references) {
      if (reference.field != setting.key) continue;
      const std::string id_option(control::find_kind(reference.kind)->id_option);
      if (id_option != options) options += "," + id_option;
    }
    fields.push_back({std::string(setting.key), std::move(options), &setting});
  }
  if (kind.section != control::SectionId::connection) return fields;
  for (const Setting& setting : control::section_table(control::SectionId::connection_tls).settings) {
    fields.push_back({"tls." + std::string(setting.key), "--tls-" + with_dashes(setting.key), &setting});
  }
  return fields;
}

std::expected<std::string, std::string> fields_to_json(const ObjectKind& kind, const FieldTexts& given,
                                                       const std::vector<std::string>& unset) {
  bj::object body;
  const auto fields = field_options(kind);
  const auto put = [&](const std::string& path, bj::value value) {
    const size_t dot = path.find('.');
    if (dot == std::string::npos) {
      body[path] = std::move(value);
      return;
    }
    bj::value& table = body[path.substr(0, dot)];
    if (!table.is_object()) table.emplace_object();
    table.get_object()[path.substr(dot + 1)] = std::move(value);
  };
  for (const FieldOption& field : fields) {
    const auto found = given.find(field.path);
    if (found == given.end() || found->second.empty()) continue;
    auto value = field_value(*field.setting, found->second);
    if (!value) return std::unexpected(field.options.substr(0, field.options.find(',')) + ": " + value.error());
    put(field.path, std::move(*value));
  }
  for (std::string name : unset) {
    std::ranges::replace(name, '-', '_');
    if (name.starts_with("tls_")) name[3] = '.';
    if (std::ranges::find(fields, name, &FieldOption::path) == fields.end()) {
      return std::unexpected("--unset: a " + std::string(kind.name) + " has no field " + name);
    }
    put(name, nullptr);
  }
  return bj::serialize(body);
}

std::string show_lines(std::string_view json) {
  const bj::value value = parse(json);
  if (!value.is_object()) return std::string(json) + "\n";
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, each] : value.get_object()) {
    if (!each.is_null() && key != "kind") rows.push_back({std::string(key.data(), key.size()), plain(each)});
  }
  return render_table(rows);
}

std::string show_table(const ObjectKind& kind, const std::vector<std::string>& objects) {
  const auto columns = columns_of(kind);
  std::vector<std::vector<std::string>> rows(1, {"ID"});
  for (const std::string& column : columns) rows.front().push_back(upper(column));
  for (const std::string& json : objects) {
    const bj::value value = parse(json);
    if (!value.is_object()) continue;
    const auto member = [&](const std::string& name) {
      const bj::value* const found = value.get_object().if_contains(name);
      return found == nullptr ? std::string() : plain(*found);
    };
    auto& row = rows.emplace_back(1, member("id"));
    for (const std::string& column : columns) {
      const std::string name = member(column + "_name");
      row.push_back(cell(name.empty() ? member(column) : name));
      if (column == "source" && !member("problem").empty()) row.back() += ", not used: " + member("problem");
    }
  }
  return render_table(rows);
}

std::string show_health(std::string_view json) {
  std::vector<std::vector<std::string>> rows = {
      {"CONNECTION", "STATE", "AT WORK", "LIMIT", "WAITING", "FIRST TOKEN", "MODELS THAT ARE OUT"}};
  const auto page = read_page(json);
  if (!page) return page.error() + "\n";
  for (const std::string& each : page->objects) {
    const std::string load = member_text(each, "load");
    std::string out;
    const bj::value value = parse(each);
    for (const bj::value& model : value.at("models").as_array()) {
      const std::string text = bj::serialize(model);
      const std::string state = member_text(text, "state");
      if (state != "up") out += (out.empty() ? "" : ", ") + member_text(text, "model") + " (" + state + ")";
    }
    const double paused = std::strtod(member_text(each, "paused_seconds").c_str(), nullptr);
    const std::string limit = member_text(load, "requests_limit");
    const double first_s = std::strtod(member_text(load, "first_token_seconds").c_str(), nullptr);
    std::array<char, 32> first;
    std::snprintf(first.data(), first.size(), "%.2f s", first_s);
    rows.push_back({member_text(each, "connection"), paused > 0 ? "paused" : member_text(each, "state"),
                    member_text(load, "requests_in_flight"), limit.empty() || limit == "null" ? "-" : limit,
                    member_text(member_text(each, "queue"), "waiting"), first_s > 0 ? std::string(first.data()) : "-",
                    out.empty() ? "-" : out});
  }
  return render_table(rows);
}

std::string show_audit(const std::vector<std::string>& entries) {
  std::vector<std::vector<std::string>> rows = {{"TIME", "WHO", "FROM", "DID", "WHAT", "DETAIL"}};
  for (const std::string& json : entries) {
    const std::string object = member_text(json, "object_name");
    rows.push_back({member_text(json, "at"), member_text(json, "actor"), member_text(json, "address"),
                    member_text(json, "action"), member_text(json, "kind") + (object.empty() ? "" : " " + object),
                    cell(member_text(json, "detail"))});
  }
  return render_table(rows);
}

std::string error_message(std::string_view body) {
  const bj::value value = parse(body);
  const bj::value* error = value.is_object() ? value.get_object().if_contains("error") : nullptr;
  const bj::value* message =
      error != nullptr && error->is_object() ? error->get_object().if_contains("message") : nullptr;
  return message != nullptr ? plain(*message) : std::string(body);
}

std::expected<ListPage, std::string> read_page(std::string_view body) {
  const bj::value value = parse(body);
  const bj::value* data = value.is_object() ? value.get_object().if_contains("data") : nullptr;
  if (data == nullptr || !data->is_array())
    return std::unexpected("this is not a list: " + std::string(body.substr(0, 200)));
  ListPage page;
  for (const bj::value& each : data->get_array()) page.objects.push_back(bj::serialize(each));
  const bj::value* const more = value.get_object().if_contains("has_more");
  const bj::value* const last = value.get_object().if_contains("last_id");
  if (more != nullptr && more->is_bool() && more->get_bool() && last != nullptr) page.next = plain(*last);
  return page;
}

std::string member_text(std::string_view json, std::string_view member) {
  const bj::value value = parse(json);
  const bj::value* const found =
      value.is_object() ? value.get_object().if_contains({member.data(), member.size()}) : nullptr;
  return found == nullptr ? std::string() : plain(*found);
}

}  // namespace llmgw::app
