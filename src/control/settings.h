// Every setting, declared once: validation, `config show`, `config init` and the reference in docs/configuration.md all
// follow from these tables. Static; any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "control/config.h"

namespace llmgw::control {

enum class SettingType : uint8_t {
  boolean,
  integer,
  number,
  duration,
  size,
  money,
  timestamp,
  text,
  list,
  choice,
  secret,
  header_table,
};

// A value on its way from the file (or the default's text) into its member.
using SettingValue = std::variant<bool, int64_t, double, std::string, std::vector<std::string>, HeaderTable>;

// What may be written in a string besides itself.
enum class References : uint8_t { allowed, none };

// Whether a text is a path, which is resolved against the configuration's directory when it is read.
enum class PathKind : uint8_t {
  none,
  file,
  log_destination,  // unless it is one of the words that name no file
};

struct Setting {
  std::string_view key;
  std::string_view help;           // one sentence or two, for the reference and the starter file
  std::string_view fallback = {};  // the default as it would stand in TOML; empty: unset
  std::string_view example = {};   // as it would stand in TOML; empty: the default serves as one
  int64_t min = 0;                 // of integers, numbers, durations in milliseconds, sizes in bytes, items of a list
  int64_t max = std::numeric_limits<int64_t>::max();
  bool needs_restart = false;
  bool required = false;
  References references = References::allowed;
  PathKind path = PathKind::none;
  // From here on derived from the member the setting is bound to.
  SettingType type = SettingType::text;
  std::span<const std::string_view> choices = {};
  void (*assign)(void* section, SettingValue&& value) = nullptr;
  std::string (*render)(const void* section) = nullptr;  // as TOML; empty when unset; a secret as "(secret)"
  bool (*equal)(const void* a, const void* b) = nullptr;

  bool secret() const { return type == SettingType::secret || type == SettingType::header_table; }
};

enum class SectionId : uint8_t {
  server,
  server_tls,
  log,
  metrics,
  ledger,
  redis,
  upstream,
  upstream_tls,
  connection,
  connection_tls,
  model,
  organization,
  team,
  user,
  key,
  assignment,
  route,
  price,
  admin_key,
  store,
  admin,
};

struct SectionTable {
  SectionId id;
  std::string_view name;  // "server", "server.tls", "connections": dots lead into sub-tables
  bool repeated;          // [[name]]: an array of tables
  std::string_view help;
  std::span<const Setting> settings;
};

std::span<const SectionTable> section_tables();
const SectionTable& section_table(SectionId id);

// Sets every member of a section that has a default.
void apply_defaults(SectionId id, void* section);

// A section with its defaults.
template <class Section>
Section default_section(SectionId id) {
  Section section{};
  apply_defaults(id, &section);
  return section;
}

// A TOML basic string.
std::string quote(std::string_view text);

// "duration", "string", "one of a, b", for messages and the reference.
std::string type_name(const Setting& setting);
// What to write, for messages: `a duration such as "30s"`.
std::string expected_form(const Setting& setting);

}  // namespace llmgw::control
