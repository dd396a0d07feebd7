// Google's error envelope: {"error":{"code","message","status","details":[{"@type":...}]}} (google.rpc.Status as JSON,
// AIP-193). Any thread.
#pragma once

#include <string>
#include <string_view>

#include "dialects/error.h"

namespace llmgw::dialects::gemini {

enum class Service : uint8_t {
  ai_studio,  // a bad key is 400 with reason API_KEY_INVALID
  vertex,     // a bad key is 401 UNAUTHENTICATED
};

// For Framing::json_array the envelope is the one element of an array, which Google's SDKs unwrap.
ErrorAnswer write_error(Service service, chat::Framing framing, const chat::ClientError& error,
                        std::string_view request_id);

// In an SSE stream: the envelope bare on one line, without `data:`, as Google's service sends it and its SDKs look for
// it. In an array: one more element behind those sent, and the array stays open.
std::string write_stream_error(Service service, chat::Framing framing, const chat::ClientError& error);

}  // namespace llmgw::dialects::gemini
