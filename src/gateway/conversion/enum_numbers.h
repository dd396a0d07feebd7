// Google's older SDKs ask over REST for enumerations as numbers. Pure.
#pragma once

#include <string_view>

namespace llmgw::gateway {

// Whether the query of a Gemini request, without its '?', has `$alt=json;enum-encoding=int`, however it is escaped.
bool wants_enum_numbers(std::string_view query);

}  // namespace llmgw::gateway
