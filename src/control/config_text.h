// Texts made from the settings' table: what `config show`, `config init` and `config reference` print. Pure; command
// line and tests only.
#pragma once

#include <string>
#include <string_view>

#include "control/config.h"

namespace llmgw::control {

// The effective configuration in TOML's notation, defaults included, each value with the place it came from. A secret
// is shown by its origin only.
std::string show_config(const Config& config, std::string_view file);

// A first configuration: one local engine, one client key (`client_key`, freshly random), every setting of the
// program explained and commented out; but `data_dir` is set where it is not empty.
std::string starter_config(std::string_view client_key, std::string_view data_dir);

// The tables of docs/configuration.md.
std::string settings_reference();

}  // namespace llmgw::control
