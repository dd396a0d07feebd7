// Which headers pass the gateway. One table each way; names are matched without regard to case. A caller that knows its
// headers by id asks once for every id and keeps the answers. Headers named in a message's Connection header are
// hop-by-hop too (RFC 9110, section 7.6.1): the caller drops those itself. Any thread, no allocation.
#pragma once

#include <cstdint>
#include <string_view>

namespace llmgw::providers {

enum class HeaderRule : uint8_t {
  forward,
  hop_by_hop,   // RFC 9110, section 7.6.1: belongs to one connection
  framing,      // length, host, expectation: written anew for the next message
  credential,   // the client's or the upstream's own: stays on its side
  network,      // who called from where: the gateway's knowledge, not the upstream's
  negotiation,  // the gateway must be able to read the answer, so it negotiates codings itself
  gateway,      // the gateway's own headers, set by it alone
};

HeaderRule request_header_rule(std::string_view name);
HeaderRule response_header_rule(std::string_view name);

inline bool forward_request_header(std::string_view name) {
  return request_header_rule(name) == HeaderRule::forward;
}
inline bool forward_response_header(std::string_view name) {
  return response_header_rule(name) == HeaderRule::forward;
}

}  // namespace llmgw::providers
