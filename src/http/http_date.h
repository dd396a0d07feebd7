// A moment as HTTP's headers write it: Retry-After, Date (RFC 9110, section 5.6.7). Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace llmgw::http {

// Seconds since 1970, of each of the three forms: "Sun, 06 Nov 1994 08:49:37 GMT", RFC 850's "Sunday, 06-Nov-94
// 08:49:37 GMT" and asctime()'s "Sun Nov  6 08:49:37 1994". A year of two digits is of 1970 to 2069. The name of the
// day is not compared with the date. Nothing: it is none of them.
std::optional<int64_t> parse_http_date(std::string_view text);

}  // namespace llmgw::http
