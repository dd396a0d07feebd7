// The part of settings.h's tables that has limits: models, organizations, teams, users, keys and assignments. Static;
// any thread.
#pragma once

#include "control/settings.h"

namespace llmgw::control {

// Empty for other sections.
std::span<const Setting> governed_settings(SectionId id);

}  // namespace llmgw::control
