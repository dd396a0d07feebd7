// Values of error_type, in metrics and the access log, that are no chat::ErrorKind.
#pragma once

#include <string_view>

namespace llmgw::gateway {

// For answers that did not reach their clients whole.
inline constexpr std::string_view kClientClosed = "client_closed";  // the client left
inline constexpr std::string_view kWriteTimeout = "write_timeout";  // it took nothing any more
inline constexpr std::string_view kDrainTimeout = "drain_timeout";  // the gateway ended
// And for providers that were late: the setting whose time was over.
inline constexpr std::string_view kConnectTimeout = "connect_timeout";
inline constexpr std::string_view kFirstByteTimeout = "first_byte_timeout";
inline constexpr std::string_view kIdleTimeout = "idle_timeout";
inline constexpr std::string_view kTotalTimeout = "total_timeout";
inline constexpr std::string_view kRequestTimeout = "request_timeout";  // the server's, for every call

}  // namespace llmgw::gateway
