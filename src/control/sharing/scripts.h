// window.lua and budget.lua, as the build has put them into the program. Static; any thread.
#pragma once

#include <string_view>

namespace llmgw::control {

extern const std::string_view kWindowScript;
extern const std::string_view kBudgetScript;

}  // namespace llmgw::control
