// Anthropic's error envelope: {"type":"error","error":{"type","message"},"request_id"} (anthropic-sdk-python 0.121,
// error types and status map); `details` beside the message where an SDK looks for it. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "dialects/error.h"

namespace llmgw::dialects::anthropic {

// The code of a request whose `thread` cannot be served: Anthropic's SDKs (2.12, lib/threads) go on with the whole
// conversation and without `thread` where `details` has it as its error_code, and raise any other 400.
inline constexpr std::string_view kThreadUnsupported = "thread_unsupported_request";
// What is said with it, wherever a conversation cannot be kept: everywhere but at Anthropic itself.
inline constexpr std::string_view kNoThreads =
    "This model's provider keeps no conversations: send all of its messages each time, without `thread`.";

ErrorAnswer write_error(const chat::ClientError& error, std::string_view request_id);

// The envelope alone, appended: the body of an answer, or the data of an error event.
void write_error_body(const chat::ClientError& error, std::string_view request_id, std::string& out);

// event: error; no message_stop follows. The SDKs dispatch on the event's name.
std::string write_stream_error(const chat::ClientError& error, std::string_view request_id);

}  // namespace llmgw::dialects::anthropic
