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

// In an SSE stream: an event. Google's service sends the envelope bare, without `data:`, but @google/genai (2.32)
// passes over that when it arrives together with the event before it, and takes the stream for whole; an event raises
// in all of Google's SDKs. In an array: one more element behind those sent, and the array stays open.
std::string write_stream_error(Service service, chat::Framing framing, const chat::ClientError& error);

}  // namespace llmgw::dialects::gemini
