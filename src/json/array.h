// JSON arrays as text. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace llmgw::json {

// Two arrays become one: the elements of `more` behind those of `array`. Each is the text of an array without white
// space around its brackets, or empty.
void append_elements(std::string& array, std::string_view more);

}  // namespace llmgw::json
