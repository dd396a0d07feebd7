// What to write instead of a line that is not TOML, for the mistakes people make: the parser says only what it saw.
// Control thread and command line only.
#pragma once

#include <string>
#include <string_view>

#include "control/config_error.h"

namespace llmgw::control {

// "; text stands in quotes: ...", or empty. `text` is the file, `at` the place of the fault, `fault` the words of
// toml++ 3.3 about it. The hint repeats nothing of the file, which may hold secrets, but for the number of a line.
std::string toml_hint(std::string_view text, Location at, std::string_view fault);

}  // namespace llmgw::control
