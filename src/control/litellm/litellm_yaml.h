// A configuration of LiteLLM's as LiteLLM reads it. Internal to the folder. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/litellm/import_litellm.h"

namespace YAML {
class Node;
}

namespace llmgw::control {

// Where each entry of model_list stands: "line 7", or "more.yaml, line 7" of an included file; empty: nobody knows.
using ModelPlaces = std::vector<std::string>;

// As PyYAML's safe loader has it: merge keys ("<<: *base", https://yaml.org/type/merge.html) are resolved, and of a key
// that stands twice the last counts. `file`: its name in `places`, if it is an included one. Throws YAML::Exception
// with the place of the fault.
YAML::Node load_as_pyyaml(std::string_view text, ModelPlaces& places, const std::string& file = "");

// Puts what `include` names into `root`, as LiteLLM's proxy does: lists grow, everything else is replaced, and a file
// may include others. `places` are of `root`, and follow it. Throws YAML::Exception.
void take_in_included_files(YAML::Node& root, ModelPlaces& places, const ReadIncluded& read);

}  // namespace llmgw::control
