// Which configuration file a command uses, and where a running gateway keeps its things. Any thread.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "control/config.h"

namespace llmgw::app {

inline constexpr const char* kConfigVariable = "LLM_GATEWAY_CONFIG";
inline constexpr const char* kLocalConfig = "llm-gateway.toml";
inline constexpr const char* kSystemConfig = "/etc/llm-gateway/llm-gateway.toml";
inline constexpr const char* kPidFileName = "llm-gateway.pid";

struct ConfigPath {
  std::string path;  // absolute
  std::string why;   // "--config", "LLM_GATEWAY_CONFIG", "the current directory", "the system's"
};

// What the choice looks at besides the option.
struct PathEnvironment {
  std::function<std::string(const char* variable)> variable;  // empty where unset
  std::function<bool(const std::string& path)> exists;
  std::function<bool(const std::string& path)> writable;  // a directory in which this user may make files
  std::string working_directory;
};
PathEnvironment real_path_environment();

// `option` is --config's value, empty if not given: then the variable, ./llm-gateway.toml, the file in /etc. The error
// says what to do. A path that is named is not checked here: reading it says more.
std::expected<ConfigPath, std::string> choose_config_path(const std::string& option,
                                                          const PathEnvironment& environment);

// server.data_dir of a configuration that may have other faults, and whose secrets need not be at hand: what `stop` and
// `status` need. The error lists the faults.
std::expected<std::string, std::string> data_dir_of(const std::string& config_path);

// The same of a file that is no TOML, line by line; the default where no line names one. Nothing if the file cannot be
// read, or the line cannot. Whoever uses it looks whether a gateway runs there.
std::optional<std::string> likely_data_dir(const std::string& config_path);

// data_dir_of with [store], where the ledger's sums may be, log.output and ledger.retention.
struct DataPlaces {
  std::string data_dir;
  control::StoreSettings store;
  std::string log_output = "stdout";
  base::Duration ledger_retention{0};
  std::shared_ptr<const control::Config> config = nullptr;  // its secrets may be unknown; null: it has faults
};
std::expected<DataPlaces, std::string> data_places_of(const std::string& config_path);

// The server.data_dir a first configuration names: empty, for the default, where this user can have that; otherwise the
// user's directory for state (XDG Base Directory Specification 0.8), or "data" beside the configuration.
std::string starter_data_dir(const PathEnvironment& environment);

std::string pid_file_of(const std::string& data_dir);

}  // namespace llmgw::app
