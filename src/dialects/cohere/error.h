// Cohere's errors: {"id","message"} (API v2, schema of the error responses). Any thread.
#pragma once

#include <string_view>

#include "dialects/error.h"

namespace llmgw::dialects::cohere {

ErrorAnswer write_error(const chat::ClientError& error, std::string_view request_id);

}  // namespace llmgw::dialects::cohere
