// Which headers pass through, decided once for every known header so that the request path compares no strings.
// Any thread once built.
#pragma once

#include <bitset>

#include "base/arena.h"
#include "http/message.h"
#include "providers/upstream.h"

namespace llmgw::gateway {

// The headers of a client's request that go to the upstream, with the upstream's own put in: credentials and configured
// headers replace the client's of the same name, defaults fill in where there is none. Views point into `from`,
// `upstream`, the caller's `request_id` and the arena. False if there are too many headers.
bool upstream_request_headers(const http::Headers& from, const providers::Upstream& upstream,
                              std::string_view request_id, bool websocket, base::Arena& arena, http::Headers& to);

// The headers of a converted call: what a client of the provider's own API would send, not what this client sent. Of
// its own only tracing goes on (W3C Trace Context, 2021).
bool converted_request_headers(const http::Headers& from, const providers::Upstream& upstream,
                               std::string_view request_id, bool streams, http::Headers& to);

// The headers of an upstream's response that go to the client.
bool client_response_headers(const http::Headers& from, std::string_view request_id, http::Headers& to);

// What the gateway calls the upstream's own request id, next to its own x-request-id.
inline constexpr std::string_view kUpstreamRequestIdHeader = "x-upstream-request-id";

}  // namespace llmgw::gateway
