// prices.toml, as the build has put it into the program. Static; any thread.
#pragma once

#include <string_view>

namespace llmgw::control {

extern const std::string_view kShippedPrices;

}  // namespace llmgw::control
