// The part of settings.h's tables about the store and its administration. Static; any thread.
#pragma once

#include "control/settings.h"

namespace llmgw::control {

// Empty for other sections.
std::span<const Setting> store_settings(SectionId id);

}  // namespace llmgw::control
