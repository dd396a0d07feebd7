// Shared by the sources of rest.h.
#pragma once

#include <string>
#include <string_view>

#include "simulator/json_tree.h"

namespace llmgw::simulator {

// The text of an input that is a string, a list of token ids, or an object with a text; empty for anything else.
std::string input_text(const boost::json::value& input);

}  // namespace llmgw::simulator
