// Keeping credentials out of log lines. Pure; any thread; no allocation.
#pragma once

#include <span>
#include <string_view>

namespace llmgw::telemetry {

inline constexpr std::string_view kRedacted = "[redacted]";
inline constexpr size_t kTargetBytesMax = 512;  // of a request target in a line: paths of the known APIs are under 200

// Whether a field or header of this name may carry a credential: authorization, cookies, keys, tokens, secrets.
bool is_sensitive_name(std::string_view name);
// Whether a value is a credential by its looks ("Bearer …", "Basic …").
bool is_sensitive_value(std::string_view value);

// A request target fit for a log: user information is dropped, and of query parameters only the harmless ones of the
// known APIs (alt, api-version, limit, ...) are shown; "key" is named, anything else reads "***". Returns
// `target` itself when there is nothing to change, else a view of `buffer`; cut to kTargetBytesMax.
std::string_view loggable_target(std::string_view target, std::span<char, kTargetBytesMax> buffer);

}  // namespace llmgw::telemetry
