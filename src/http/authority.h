// The authority of a request: what Host, :authority and the absolute form carry (RFC 9112 section 3.2, RFC 9113 section
// 8.3.1, RFC 3986 section 3.2). One grammar for both versions, so that no name passes one that the other refuses.
// Pure; any thread.
#pragma once

#include <string_view>

namespace llmgw::http {

// host [ ":" port ], with nothing that a host name, an IPv4 address or an IPv6 address in brackets does not have: no
// user information, no sub-delims, no zone. A port is at most five digits and 65535.
bool valid_authority(std::string_view authority);

}  // namespace llmgw::http
