// Whether a connection's close crossed a request on its way: then the server never had the request, and it may be sent
// again whatever its method. Pure.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/time.h"

namespace llmgw::http {

// A server that closes an idle connection just as a request leaves for it is heard of within one round trip: its FIN
// was on its way already, or its kernel answers the request's first bytes with a RST. A close that comes later is of a
// server that had the request, and may have done its work. RFC 9110 9.2.2 and RFC 9112 9.3.1 forbid to repeat a POST
// there, and Go's net/http does not either; a time is how the two are told apart from outside.
//
// No round trip is longer than it took to connect. Of a server next door that is less than what a busy one takes to
// close, hence the least; and names, TLS and proxies make connecting longer than a round trip, hence the most, which is
// a round trip around the earth, and less than any model needs for an answer that costs something.
inline constexpr base::Duration kCrossingLeast = std::chrono::milliseconds(50);
inline constexpr base::Duration kCrossingMost = std::chrono::milliseconds(250);

// `since_written`: from the request's last byte to the close.
constexpr bool close_crossed(base::Duration since_written, base::Duration connect_time) {
  return since_written <= std::clamp(connect_time, kCrossingLeast, kCrossingMost);
}

}  // namespace llmgw::http
