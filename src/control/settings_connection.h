// The part of settings.h's tables about connections. Static; any thread.
#pragma once

#include "control/settings.h"

namespace llmgw::control {

std::span<const Setting> connection_settings();
std::span<const Setting> connection_tls_settings();

}  // namespace llmgw::control
