// Addresses the server's settings hold: where to listen, whom to trust, which proxy to use. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "providers/endpoint.h"

namespace llmgw::control {

// "127.0.0.1:8080", "[::1]:8080", "localhost:0" (0: the kernel picks), "*:8080" (every address), "unix:/path".
struct ListenAddress {
  std::string host;  // "" for every address, IPv6 without brackets
  uint16_t port = 0;
  std::string unix_path;  // set for a unix socket
  bool operator==(const ListenAddress&) const = default;
};
// The error says what to write instead.
std::expected<ListenAddress, std::string> parse_listen_address(std::string_view text);

// An address or network, IPv4 mapped into IPv6 (RFC 4291, section 2.5.5.2).
struct Network {
  std::array<uint8_t, 16> address{};
  uint8_t prefix_bits = 0;
  bool contains(const std::array<uint8_t, 16>& other) const;
  bool operator==(const Network&) const = default;
};
std::expected<Network, std::string> parse_network(std::string_view text);

struct ProxyChoice {
  enum class Kind : uint8_t { environment, none, fixed };
  Kind kind = Kind::environment;
  providers::Endpoint endpoint;  // of a fixed proxy
  base::Secret user;             // "user:password", percent-decoded; empty without
};
std::expected<ProxyChoice, std::string> parse_proxy(std::string_view text);

}  // namespace llmgw::control
