// A client's own headers for one call (docs/routing.md): x-llm-gateway-...-timeout-ms, -priority, -policy, and what a
// gateway tells the next. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "base/time.h"
#include "dialects/codec.h"
#include "http/message.h"
#include "routing/policy/policy_kind.h"

namespace llmgw::gateway {

inline constexpr std::string_view kConnectTimeoutHeader = "x-llm-gateway-connect-timeout-ms";
inline constexpr std::string_view kFirstByteTimeoutHeader = "x-llm-gateway-first-byte-timeout-ms";
inline constexpr std::string_view kIdleTimeoutHeader = "x-llm-gateway-idle-timeout-ms";
inline constexpr std::string_view kTotalTimeoutHeader = "x-llm-gateway-total-timeout-ms";
inline constexpr std::string_view kPriorityHeader = "x-llm-gateway-priority";
inline constexpr std::string_view kPolicyHeader = "x-llm-gateway-policy";
inline constexpr int32_t kPriorityMost = 10;
// Through how many gateways the call has come, this one's own call to a provider counted. Sent to endpoints that an
// operator has set, where another gateway may be.
inline constexpr std::string_view kHopsHeader = "x-llm-gateway-hops";
// A team's gateway, its company's, a region's: more is a connection that leads back to where the call came from, and
// each round holds connections until the first gives up.
inline constexpr int64_t kHopsMax = 5;

// Nothing where the header is not there, or is not what check_own_headers lets through.
std::optional<base::Duration> timeout_of(const http::Headers& headers, std::string_view name);
std::optional<int32_t> priority_of(const http::Headers& headers);
std::optional<routing::PolicyKind> policy_of(const http::Headers& headers);
// 0: the client is no gateway, or says nothing that makes sense.
int64_t hops_of(const http::Headers& headers);

// An error for a header whose value cannot be followed, with what was expected; the message is in the arena.
dialects::Outcome<void> check_own_headers(const http::Headers& headers, base::Arena& arena);

}  // namespace llmgw::gateway
