// An upstream's address as an operator writes it. Used while a configuration is loaded; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace llmgw::providers {

inline constexpr size_t kEndpointBytesMax = 2048;  // longer than any host name and base path in use

struct Endpoint {
  bool tls = false;
  std::string host;       // a name or an address, IPv6 without its brackets; "localhost" for a unix socket
  uint16_t port = 0;      // 0 for a unix socket
  std::string base_path;  // "" or "/v1": leading slash, no trailing one
  std::string unix_path;  // set for a unix socket
  std::string authority;  // the Host header: port only where it is not the scheme's own

  bool operator==(const Endpoint&) const = default;
};

// Reads "https://host[:port][/base]", "http://..." and "unix:/path/to.sock[:/base]". The error is a sentence that says
// what to write instead; it never repeats the text, which might hold a password.
std::expected<Endpoint, std::string> parse_endpoint(std::string_view text);

}  // namespace llmgw::providers
