// Values of LiteLLM's configuration as ours has them. Internal to the folder. Pure; any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/settings.h"

namespace YAML {
class Node;
}

namespace llmgw::control {

using Fields = std::vector<std::pair<std::string, std::string>>;  // key and TOML text, in the order of writing

// "[[section]]" and its fields.
std::string table(std::string_view section, const Fields& fields);
std::string quoted_list(const auto& texts) {
  std::string list;
  for (const auto& text : texts) list += (list.empty() ? "" : ", ") + quote(text);
  return "[" + list + "]";
}

// Empty: it is no scalar, or not there.
std::string scalar(const YAML::Node& node);
// The same, where "os.environ/NAME" is our "env:NAME".
std::string value_text(const YAML::Node& node);
// Dollars for a million tokens out of dollars for one, exact to a nano-dollar. Empty: it is no price.
std::string price_text(const YAML::Node& node);

// What an entry of model_list would need to be a model; empty: nothing is missing.
std::string missing_of(const YAML::Node& entry);
// Told what is not taken, and why.
using LeaveOut = std::function<void(const std::string& what, const std::string& why)>;
// What an entry of model_list says that its model costs, as fields of [[prices]]: its parameters' word goes before what
// is known of the model, as there.
Fields costs_of(const YAML::Node& entry, const LeaveOut& leave_out);

// Takes LiteLLM's own off the front of the name of a model of Bedrock's: "us-west-2/converse/...". The region, where it
// names one. What stands before an ARN says of what family the model is, and goes, too.
std::string trim_bedrock(std::string& model);

}  // namespace llmgw::control
