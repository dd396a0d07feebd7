// Finding the caller's key: one of five places, on every surface. Pure; any thread. Keys are secrets: no message here
// contains any part of one.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/arena.h"

namespace llmgw::gateway {

// Our own keys are about 50 bytes; the room is for keys brought along from elsewhere, such as signed tokens.
inline constexpr size_t kKeyBytesMax = 4096;

// The values as they came, empty where absent. Of a header that came twice the values must be compared by the caller:
// two different ones are ambiguous as well.
struct KeySources {
  std::string_view authorization = {};   // Authorization
  std::string_view x_api_key = {};       // x-api-key (Anthropic)
  std::string_view api_key = {};         // api-key (Azure)
  std::string_view x_goog_api_key = {};  // x-goog-api-key (Google)
  std::string_view query = {};           // the request's query, without '?'
};

enum class KeyProblem : uint8_t {
  missing,    // 401: no key in any of the places
  ambiguous,  // 400: two places hold different keys
  malformed,  // 401: too long, or bytes no key has
};

struct KeyRefusal {
  KeyProblem problem;
  const char* message;  // static; says what to do
};

// The key, a view into the sources, or into the arena if it had to be percent-decoded. The same key in several places
// is fine (Anthropic's SDK for Azure sends it in two). An Authorization of another scheme counts only if there is no
// other key.
std::expected<std::string_view, KeyRefusal> find_key(const KeySources& sources, base::Arena& arena);

// The key that OpenAI's browser clients put among the WebSocket sub-protocols ("realtime,
// openai-insecure-api-key.sk-x"), because a browser can set no header. Empty if there is none.
inline constexpr std::string_view kWebSocketKeyPrefix = "openai-insecure-api-key.";
std::string_view websocket_protocol_key(std::string_view protocols);
// The list without that member, in the arena where something was cut.
std::string_view strip_key_from_protocols(std::string_view protocols, base::Arena& arena);

// The query without any `key` parameter (however it is escaped), all others as they came, in their order.
std::string strip_key_from_query(std::string_view query);
// True if there is one to strip.
bool query_has_key(std::string_view query);

}  // namespace llmgw::gateway
