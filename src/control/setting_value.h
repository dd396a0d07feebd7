// Reads one value of the file as its setting wants it: type, bounds, env: and file: references. Messages name the
// setting and what to write; none repeats a value. Control thread and command line only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/config_error.h"
#include "control/settings.h"
#include "control/toml_tree.h"

namespace llmgw::control {

inline constexpr size_t kReferencedFileBytesMax = 64u << 10;  // a token or a key; service accounts are 3 KiB
inline constexpr size_t kTextBytesMax = 16u << 10;            // of any string; longer bounds below are cut to it

// What a configuration may look at outside its own text.
struct Environment {
  std::function<std::optional<std::string>(const std::string& name)> variable;
  // The whole file, at most kReferencedFileBytesMax bytes; an Error with the reason otherwise.
  std::function<base::Result<std::string>(const std::string& path)> read_file;
  std::string directory;  // of the configuration file: relative paths start there
  // Values come from a store: env: and file: are nothing special, and a key may be known by its hash alone.
  bool stored = false;
};

// The process's own environment and file system.
Environment real_environment(std::string_view config_path);

// Why a file could not be read, in the operating system's words where it said so.
std::string reason(const base::Error& error);

// `path` as seen from the configuration's directory.
std::string resolve_path(const Environment& environment, std::string_view path);

// As HTTP has them (RFC 9110, section 5.6.2).
bool is_header_name(std::string_view name);

class ValueReader {
 public:
  ValueReader(const Environment& environment, ConfigErrors& errors, std::vector<std::string>& referenced_files)
      : environment_(environment), errors_(errors), referenced_files_(referenced_files) {}

  // `name` is the setting's full name, for messages. Empty after an error; `origin` is filled in either case.
  std::optional<SettingValue> read(const Setting& setting, std::string_view name, const TomlValue& value,
                                   Origin& origin);

 private:
  std::optional<SettingValue> read_boolean(const TomlValue& value);
  std::optional<SettingValue> read_integer(const TomlValue& value);
  std::optional<SettingValue> read_number(const TomlValue& value);
  std::optional<SettingValue> read_duration(const TomlValue& value);
  std::optional<SettingValue> read_size(const TomlValue& value);
  std::optional<SettingValue> read_money(const TomlValue& value);
  std::optional<SettingValue> read_timestamp(const TomlValue& value);
  std::optional<SettingValue> read_choice(const TomlValue& value);
  std::optional<SettingValue> read_list(const TomlValue& value);
  std::optional<SettingValue> read_headers(const TomlValue& value);
  bool read_header(const TomlMember& member, HeaderTable& headers);
  std::optional<std::string> read_text(const TomlValue& value);
  // A path as seen from the configuration's directory; anything else as it is.
  std::string resolved(const std::string& text) const;
  std::optional<std::string> dereference(const TomlValue& value);
  std::optional<std::string> from_environment(const TomlValue& value);
  std::optional<std::string> from_file(const TomlValue& value);

  bool in_range(const TomlValue& value, int64_t number);
  std::nullopt_t wrong_type(const TomlValue& value);
  std::nullopt_t fault(Location at, std::string_view message);

  const Environment& environment_;
  ConfigErrors& errors_;
  std::vector<std::string>& referenced_files_;
  const Setting* setting_ = nullptr;
  std::string_view name_;
  Origin* origin_ = nullptr;
};

}  // namespace llmgw::control
