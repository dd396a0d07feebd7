// What a configuration may mean but most likely does not: warnings, where an error would refuse what is right once the
// store, or an engine that registers itself, brings the missing object. Pure; control thread and command line.
#pragma once

#include <span>
#include <string_view>

#include "control/config.h"
#include "control/config_error.h"

namespace llmgw::control {

// Names in the `models` of keys, users, teams and organizations that no model has and no model's pattern covers, and
// patterns that no model has a name for; connections that lead back to where this gateway listens; models that are
// their own mirror or fallback. `more_models`: names or patterns of models that are not the file's.
ConfigErrors find_doubts(const Config& file, std::span<const std::string_view> more_models = {});

}  // namespace llmgw::control
