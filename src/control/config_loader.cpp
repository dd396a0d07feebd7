#include "control/config_loader.h"

#include <algorithm>
#include <utility>

#include "base/did_you_mean.h"
#include "control/toml_tree.h"

namespace llmgw::control {
namespace {

// Keys can be anything a TOML string can hold; a message shows no more than this of one.
std::string shown_key(std::string_view key) {
  constexpr size_t kShownBytesMax = 64;
  std::string shown;
  for (char c : key.substr(0, kShownBytesMax)) shown += c >= ' ' && c < 0x7f ? c : '?';
  return key.size() > kShownBytesMax ? shown + "..." : shown;
}

class Loader {
 public:
  Loader(const Environment& environment, ConfigErrors& errors)
      : environment_(environment), errors_(errors), reader_(environment, errors, config_.referenced_files) {}

  Config load(const TomlValue& document);

 private:
  template <class Section>
  void read_single(SectionId id, const TomlMember& member, Section& section);
  template <class Section>
  void read_repeated(SectionId id, const TomlMember& member, std::vector<Section>& sections, size_t max);
  // `nested` reads the sub-table "tls" where the section has one.
  template <class Section, class Nested>
  void read_members(SectionId id, const TomlValue& table, Section& section, Nested nested);
  void read_section(const TomlMember& member);
  void read_service_account(ConnectionConfig& connection);
  void unknown_section(const TomlMember& member);
  void unknown_key(SectionId id, const TomlMember& member, bool has_tls);

  Config config_{};
  const Environment& environment_;
  ConfigErrors& errors_;
  ValueReader reader_;
};

void Loader::unknown_key(SectionId id, const TomlMember& member, bool has_tls) {
  const auto& table = section_table(id);
  std::vector<std::string_view> keys;
  for (const auto& setting : table.settings) keys.push_back(setting.key);
  if (has_tls) keys.emplace_back("tls");
  errors_.add(member.at, std::string(table.name) + ": unknown key '" + shown_key(member.key) + "'" +
                             base::did_you_mean(member.key, keys));
}

template <class Section, class Nested>
void Loader::read_members(SectionId id, const TomlValue& table, Section& section, Nested nested) {
  constexpr bool kHasTls =
      requires { section.tls; } || std::is_same_v<Section, ServerSettings> || std::is_same_v<Section, UpstreamSettings>;
  const auto& settings = section_table(id).settings;
  std::string name(section_table(id).name);
  name += '.';
  const size_t prefix = name.size();
  for (const auto& member : table.members) {
    if (kHasTls && member.key == "tls") {
      nested(member);
      continue;
    }
    const auto setting = std::ranges::find(settings, std::string_view(member.key), &Setting::key);
    if (setting == settings.end()) {
      unknown_key(id, member, kHasTls);
      continue;
    }
    Origin origin{.setting = static_cast<uint16_t>(setting - settings.begin()),
                  .kind = Origin::Kind::file,
                  .at = member.at,
                  .name = {}};
    name.resize(prefix);
    name += setting->key;
    auto value = reader_.read(*setting, name, member.value, origin);
    if (value) setting->assign(&section, std::move(*value));
    section.origins.push_back(std::move(origin));
  }
  for (const auto& setting : settings) {
    const bool hashed = environment_.stored && setting.secret();
    if (!setting.required || hashed ||
        std::ranges::any_of(table.members, [&](const auto& m) { return m.key == setting.key; })) {
      continue;
    }
    errors_.add(section.at, std::string(section_table(id).name) + ": needs " + std::string(setting.key) +
                                ", for example " + std::string(setting.key) + " = " + std::string(setting.example));
  }
}

template <class Section>
void Loader::read_single(SectionId id, const TomlMember& member, Section& section) {
  const std::string name(section_table(id).name);
  if (member.value.kind != TomlKind::table) {
    errors_.add(member.at, name + ": expected a table, found " + std::string(kind_name(member.value.kind)) +
                               "; write [" + name + "]");
    return;
  }
  section.at = member.at;
  read_members(id, member.value, section, [&](const TomlMember& tls) {
    if constexpr (std::is_same_v<Section, ServerSettings>) read_single(SectionId::server_tls, tls, config_.server_tls);
    if constexpr (std::is_same_v<Section, UpstreamSettings>) {
      read_single(SectionId::upstream_tls, tls, config_.upstream_tls);
    }
  });
}

template <class Section>
void Loader::read_repeated(SectionId id, const TomlMember& member, std::vector<Section>& sections, size_t max) {
  const std::string name(section_table(id).name);
  if (member.value.kind != TomlKind::array) {
    errors_.add(member.at, name + ": expected an array of tables, found " + std::string(kind_name(member.value.kind)) +
                               "; write [[" + name + "]]");
    return;
  }
  if (member.value.items.size() > max) {
    errors_.add(member.at, name + ": more than " + std::to_string(max) + " entries");
    return;
  }
  static const Section kDefaults = default_section<Section>(id);
  sections.reserve(member.value.items.size());
  for (const auto& item : member.value.items) {
    if (item.kind != TomlKind::table) {
      errors_.add(item.at,
                  name + ": expected a table, found " + std::string(kind_name(item.kind)) + "; write [[" + name + "]]");
      continue;
    }
    auto& section = sections.emplace_back(kDefaults);
    section.at = item.at;
    read_members(id, item, section, [&](const TomlMember& tls) {
      if constexpr (requires { section.tls; }) read_single(SectionId::connection_tls, tls, section.tls);
    });
  }
}

void Loader::unknown_section(const TomlMember& member) {
  const bool section =
      member.value.kind == TomlKind::table || (member.value.kind == TomlKind::array && !member.value.items.empty() &&
                                               member.value.items.front().kind == TomlKind::table);
  for (const auto& table : section_tables()) {
    for (const auto& setting : table.settings) {
      if (table.repeated || setting.key != member.key || section) continue;
      errors_.add(member.at, "key '" + member.key + "' stands outside of a section; put it under [" +
                                 std::string(table.name) + "]");
      return;
    }
  }
  std::vector<std::string_view> names;
  for (const auto& table : section_tables()) {
    if (table.name.find('.') == std::string_view::npos) names.push_back(table.name);
  }
  errors_.add(member.at, "unknown section '" + shown_key(member.key) + "'" + base::did_you_mean(member.key, names));
}

// The file's content is part of the configuration: whoever changes it means a reload.
void Loader::read_service_account(ConnectionConfig& connection) {
  const std::string& path = connection.service_account_file;
  if (path.empty()) return;
  config_.referenced_files.push_back(path);
  const auto text = environment_.read_file(path);
  if (text && !text->empty()) {
    connection.service_account = Secret(*text);
    return;
  }
  errors_.add(location_of(connection, SectionId::connection, "service_account_file"),
              "connections.service_account_file: file " + path +
                  (text ? " is empty" : " cannot be read: " + reason(text.error())));
}

void Loader::read_section(const TomlMember& member) {
  const std::string_view key = member.key;
  if (key == "server") return read_single(SectionId::server, member, config_.server);
  if (key == "log") return read_single(SectionId::log, member, config_.log);
  if (key == "metrics") return read_single(SectionId::metrics, member, config_.metrics);
  if (key == "ledger") return read_single(SectionId::ledger, member, config_.ledger);
  if (key == "redis") return read_single(SectionId::redis, member, config_.redis);
  if (key == "upstream") return read_single(SectionId::upstream, member, config_.upstream);
  if (key == "connections") return read_repeated(SectionId::connection, member, config_.connections, kConnectionsMax);
  if (key == "models") return read_repeated(SectionId::model, member, config_.models, kModelsMax);
  if (key == "organizations") {
    return read_repeated(SectionId::organization, member, config_.organizations, kOrganizationsMax);
  }
  if (key == "teams") return read_repeated(SectionId::team, member, config_.teams, kTeamsMax);
  if (key == "users") return read_repeated(SectionId::user, member, config_.users, kUsersMax);
  if (key == "keys") return read_repeated(SectionId::key, member, config_.keys, kKeysMax);
  if (key == "assignments") return read_repeated(SectionId::assignment, member, config_.assignments, kAssignmentsMax);
  if (key == "routes") return read_repeated(SectionId::route, member, config_.routes, kRoutesMax);
  if (key == "prices") return read_repeated(SectionId::price, member, config_.prices, kPricesMax);
  if (key == "admin_keys") return read_repeated(SectionId::admin_key, member, config_.admin_keys, kAdminKeysMax);
  if (key == "admin") return read_single(SectionId::admin, member, config_.admin);
  if (key == "store") return read_single(SectionId::store, member, config_.store);
  unknown_section(member);
}

Config Loader::load(const TomlValue& document) {
  apply_defaults(SectionId::server, &config_.server);
  apply_defaults(SectionId::server_tls, &config_.server_tls);
  apply_defaults(SectionId::log, &config_.log);
  apply_defaults(SectionId::metrics, &config_.metrics);
  apply_defaults(SectionId::ledger, &config_.ledger);
  apply_defaults(SectionId::redis, &config_.redis);
  apply_defaults(SectionId::upstream, &config_.upstream);
  apply_defaults(SectionId::upstream_tls, &config_.upstream_tls);
  apply_defaults(SectionId::store, &config_.store);
  apply_defaults(SectionId::admin, &config_.admin);
  for (const auto& member : document.members) read_section(member);
  for (auto& connection : config_.connections) read_service_account(connection);
  return std::move(config_);
}

}  // namespace

Location location_of(const SectionBase& section, SectionId id, std::string_view key) {
  const auto& settings = section_table(id).settings;
  for (const auto& origin : section.origins) {
    if (settings[origin.setting].key == key) return origin.at;
  }
  return section.at;
}

std::expected<std::vector<PriceConfig>, ConfigErrors> load_prices(std::string_view text) {
  ConfigErrors errors;
  auto document = parse_toml(text);
  if (!document) {
    errors.add(document.error().at, std::move(document.error().message));
    return std::unexpected(std::move(errors));
  }
  const Environment none{.variable = [](const std::string&) { return std::nullopt; },
                         .read_file = [](const std::string&) -> base::Result<std::string> {
                           return base::fail(base::ErrorCode::not_found, "prices refer to no file");
                         },
                         .directory = {}};
  Config config = Loader(none, errors).load(*document);
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return std::move(config.prices);
}

Config load_sections(const TomlValue& document, const Environment& environment, ConfigErrors& errors) {
  return Loader(environment, errors).load(document);
}

std::expected<Config, ConfigErrors> load_config(std::string_view text, const Environment& environment) {
  ConfigErrors errors;
  auto document = parse_toml(text);
  if (!document) {
    errors.add(document.error().at, std::move(document.error().message));
    return std::unexpected(std::move(errors));
  }
  Config config = load_sections(*document, environment, errors);
  *document = {};
  check_config(config, environment, errors);
  if (errors.empty()) return config;
  errors.sort();
  return std::unexpected(std::move(errors));
}

}  // namespace llmgw::control
