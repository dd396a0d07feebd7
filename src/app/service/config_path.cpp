#include "app/service/config_path.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>

#include "control/config_loader.h"
#include "control/reload.h"
#include "control/settings.h"
#include "control/toml_tree.h"

namespace llmgw::app {
namespace {

// Stands for a secret that this command does not need and its user may not read; long enough for every setting's bound.
constexpr const char* kUnknownSecret = "a secret this command does not need to know";

std::string absolute(const std::string& path, const std::string& directory) {
  return path.starts_with('/') ? path : directory + "/" + path;
}

// The directory that a value of the setting means.
std::optional<std::string> placed(std::string value, const control::Environment& environment) {
  constexpr std::string_view kReference = "env:";
  if (value.starts_with(kReference)) value = environment.variable(value.substr(kReference.size())).value_or("");
  if (value.empty()) return std::nullopt;
  return control::resolve_path(environment, value);
}

std::string usual_data_dir() {
  return control::default_section<control::ServerSettings>(control::SectionId::server).data_dir;
}

// From a file that is TOML, whatever else is wrong with it.
std::optional<std::string> written_data_dir(std::string_view text, const control::Environment& environment) {
  const auto tree = control::parse_toml(text);
  if (!tree) return std::nullopt;
  std::string found = usual_data_dir();
  for (const auto& section : tree->members) {
    if (section.key != "server") continue;
    for (const auto& member : section.value.members) {
      if (member.key == "data_dir" && member.value.kind == control::TomlKind::string) found = member.value.text;
    }
  }
  return placed(std::move(found), environment);
}

// server.data_dir as a line alone gives it, whatever section it stands in: no other one has a setting of that name.
std::optional<std::string> data_dir_in(const control::TomlValue& line) {
  for (const auto& member : line.members) {
    if (member.key == "data_dir" && member.value.kind == control::TomlKind::string) return member.value.text;
    if (member.key == "server") return data_dir_in(member.value);
  }
  return std::nullopt;
}

}  // namespace

PathEnvironment real_path_environment() {
  std::array<char, PATH_MAX> directory{};
  const char* current = getcwd(directory.data(), directory.size());
  return {.variable =
              [](const char* name) {
                const char* value = std::getenv(name);
                return std::string(value == nullptr ? "" : value);
              },
          .exists = [](const std::string& path) { return access(path.c_str(), F_OK) == 0; },
          .writable = [](const std::string& path) { return access(path.c_str(), W_OK | X_OK) == 0; },
          .working_directory = current == nullptr ? "." : current};
}

std::expected<ConfigPath, std::string> choose_config_path(const std::string& option,
                                                          const PathEnvironment& environment) {
  const auto& here = environment.working_directory;
  if (!option.empty()) return ConfigPath{absolute(option, here), "--config"};
  if (const std::string named = environment.variable(kConfigVariable); !named.empty()) {
    return ConfigPath{absolute(named, here), kConfigVariable};
  }
  const std::string local = absolute(kLocalConfig, here);
  if (environment.exists(local)) return ConfigPath{local, "the current directory"};
  if (environment.exists(kSystemConfig)) return ConfigPath{kSystemConfig, "the system's"};
  return std::unexpected("no configuration: neither --config nor " + std::string(kConfigVariable) +
                         " names one, and there is no " + kLocalConfig + " here and no " + kSystemConfig +
                         "; `llm-gateway config init` writes a first one");
}

std::expected<std::string, std::string> data_dir_of(const std::string& config_path) {
  auto places = data_places_of(config_path);
  if (!places) return std::unexpected(std::move(places).error());
  return std::move(places->data_dir);
}

std::optional<std::string> likely_data_dir(const std::string& config_path) {
  const auto text = control::read_config_file(config_path);
  if (!text) return std::nullopt;
  std::optional<std::string> found;
  for (std::string_view rest = *text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const size_t start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos || line[start] == '#' || !line.contains("data_dir")) continue;
    const auto read = control::parse_toml(line.substr(0, line.find_last_not_of('\r') + 1));
    if (!read) return std::nullopt;
    const auto value = data_dir_in(*read);
    if (!value) continue;
    if (found && *found != *value) return std::nullopt;
    found = value;
  }
  return placed(found.value_or(usual_data_dir()), control::real_environment(config_path));
}

std::expected<DataPlaces, std::string> data_places_of(const std::string& config_path) {
  const auto text = control::read_config_file(config_path);
  if (!text) return std::unexpected(control::format_errors(text.error(), config_path));
  control::Environment environment = control::real_environment(config_path);
  environment.variable = [real = environment.variable](const std::string& name) -> std::optional<std::string> {
    auto value = real(name);
    return value ? value : kUnknownSecret;
  };
  environment.read_file = [real = environment.read_file](const std::string& path) -> base::Result<std::string> {
    auto content = real(path);
    return content ? content : base::Result<std::string>(kUnknownSecret);
  };
  auto config = control::load_config(*text, environment);
  if (config) {
    auto whole = std::make_shared<const control::Config>(std::move(*config));
    return DataPlaces{whole->server.data_dir, whole->store, whole->log.output, whole->ledger.retention, whole};
  }
  if (auto found = written_data_dir(*text, environment)) {
    return DataPlaces{
        .data_dir = std::move(*found),
        .store = control::default_section<control::StoreSettings>(control::SectionId::store),
        .ledger_retention = control::default_section<control::LedgerSettings>(control::SectionId::ledger).retention};
  }
  return std::unexpected(control::format_errors(config.error(), config_path));
}

std::string starter_data_dir(const PathEnvironment& environment) {
  const std::string usual = usual_data_dir();
  const std::string parent = usual.substr(0, usual.rfind('/'));
  if (environment.writable(environment.exists(usual) ? usual : parent)) return {};
  const std::string state = environment.variable("XDG_STATE_HOME");
  if (state.starts_with('/')) return state + "/llm-gateway";
  const std::string home = environment.variable("HOME");
  return home.starts_with('/') ? home + "/.local/state/llm-gateway" : "data";
}

std::string pid_file_of(const std::string& data_dir) {
  return data_dir + "/" + kPidFileName;
}

}  // namespace llmgw::app
