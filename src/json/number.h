// JSON number text. Any thread.
#pragma once

#include <string_view>

namespace llmgw::json {

// RFC 8259, section 6: no leading zero or plus sign, digits on both sides of a point.
bool is_json_number(std::string_view text);

}  // namespace llmgw::json
