// Bedrock's errors: {"message"} with the type in the x-amzn-errortype header (botocore's bedrock-runtime service model
// of 2023-09-30). Any thread.
#pragma once

#include <string_view>

#include "dialects/error.h"

namespace llmgw::dialects::bedrock {

ErrorAnswer write_error(const chat::ClientError& error, std::string_view request_id);
StreamException write_stream_exception(const chat::ClientError& error);

}  // namespace llmgw::dialects::bedrock
