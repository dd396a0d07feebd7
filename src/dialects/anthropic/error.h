// Anthropic's error envelope: {"type":"error","error":{"type","message"},"request_id"} (anthropic-sdk-python 0.121,
// error types and status map). Any thread.
#pragma once

#include <string>
#include <string_view>

#include "dialects/error.h"

namespace llmgw::dialects::anthropic {

ErrorAnswer write_error(const chat::ClientError& error, std::string_view request_id);

// The envelope alone, appended: the body of an answer, or the data of an error event.
void write_error_body(const chat::ClientError& error, std::string_view request_id, std::string& out);

// event: error; no message_stop follows. The SDKs dispatch on the event's name.
std::string write_stream_error(const chat::ClientError& error, std::string_view request_id);

}  // namespace llmgw::dialects::anthropic
