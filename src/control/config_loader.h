// A configuration file's bytes -> Config, or everything that is wrong with it. Pure but for what `environment` looks
// up. Control thread and command line only.
#pragma once

#include <expected>
#include <string_view>

#include "control/config.h"
#include "control/config_error.h"
#include "control/setting_value.h"
#include "control/toml_tree.h"

namespace llmgw::control {

inline constexpr size_t kConnectionsMax = 10'000;
inline constexpr size_t kModelsMax = 100'000;
inline constexpr size_t kOrganizationsMax = 10'000;
inline constexpr size_t kTeamsMax = 100'000;
inline constexpr size_t kUsersMax = 100'000;
inline constexpr size_t kKeysMax = 100'000;
inline constexpr size_t kAssignmentsMax = 1'000'000;
inline constexpr size_t kRoutesMax = 10'000;
inline constexpr size_t kPricesMax = 100'000;
inline constexpr size_t kAdminKeysMax = 10'000;
inline constexpr size_t kTagBytesMax = 64;  // a word or two; every ledger record holds them

// Errors are sorted by place and never hold a secret; there is at least one when the result is an error.
std::expected<Config, ConfigErrors> load_config(std::string_view text, const Environment& environment);

// A file of [[prices]] alone.
std::expected<std::vector<PriceConfig>, ConfigErrors> load_prices(std::string_view text);

// The same without looking at the whole: the sections of a table, with defaults.
Config load_sections(const TomlValue& document, const Environment& environment, ConfigErrors& errors);

// The place of a setting in a section, or the section's own where it is not given.
Location location_of(const SectionBase& section, SectionId id, std::string_view key);

// The part of load_config that looks at the whole: references, duplicates, what belongs together.
void check_config(const Config& config, const Environment& environment, ConfigErrors& errors);

// The part of check_config about who may call what.
void check_governed(const Config& config, ConfigErrors& errors);

// The part of check_config about routes.
void check_routes(const Config& config, ConfigErrors& errors);

// What a connection asks of its provider.
providers::UpstreamOptions upstream_options(const ConnectionConfig& connection);

}  // namespace llmgw::control
