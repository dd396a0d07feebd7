// window.lua, budget.lua and running.lua, as the build has put them into the program. Static; any thread.
#pragma once

#include <string_view>

namespace llmgw::control {

extern const std::string_view kWindowScript;
extern const std::string_view kBudgetScript;
extern const std::string_view kRunningScript;

}  // namespace llmgw::control
