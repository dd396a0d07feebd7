// The part of settings.h's tables about routes. Static; any thread.
#pragma once

#include "control/settings.h"

namespace llmgw::control {

std::span<const Setting> route_settings();

}  // namespace llmgw::control
