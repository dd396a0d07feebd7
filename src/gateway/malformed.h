// The body for a request whose head could not be read: there is no path to tell the dialect from.
#pragma once

#include <string>
#include <string_view>

namespace llmgw::gateway {

std::string malformed_request_body(std::string_view message);

}  // namespace llmgw::gateway
