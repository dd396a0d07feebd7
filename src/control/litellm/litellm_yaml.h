// A configuration of LiteLLM's as LiteLLM reads it. Internal to the folder. Pure; any thread.
#pragma once

#include <string_view>

#include "control/litellm/import_litellm.h"

namespace YAML {
class Node;
}

namespace llmgw::control {

// As PyYAML's safe loader has it: merge keys ("<<: *base", https://yaml.org/type/merge.html) are resolved, and of a key
// that stands twice the last counts. Throws YAML::Exception with the place of the fault.
YAML::Node load_as_pyyaml(std::string_view text);

// Puts what `include` names into `root`, as LiteLLM's proxy does: lists grow, everything else is replaced, and a file
// may include others. Throws YAML::Exception.
void take_in_included_files(YAML::Node& root, const ReadIncluded& read);

}  // namespace llmgw::control
