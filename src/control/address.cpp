#include "control/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/text.h"

namespace llmgw::control {
namespace {

using Fault = std::unexpected<std::string>;

constexpr size_t kSocketPathMax = 107;  // sizeof(sockaddr_un::sun_path) - 1

}  // namespace

std::expected<ListenAddress, std::string> parse_listen_address(std::string_view text) {
  ListenAddress result;
  if (text.starts_with("unix:")) {
    const auto path = text.substr(5);
    if (!path.starts_with('/') || path.size() < 2 || path.size() > kSocketPathMax) {
      return Fault("a unix socket needs an absolute path of at most 107 bytes, as in \"unix:/run/llm-gateway.sock\"");
    }
    result.unix_path = path;
    return result;
  }
  const size_t colon = text.rfind(':');
  const auto form = Fault("not an address; write \"host:port\", \"[ipv6]:port\", \"*:port\" or \"unix:/path\"");
  if (colon == std::string_view::npos) return form;
  auto host = text.substr(0, colon);
  const auto port = base::parse_decimal(text.substr(colon + 1));
  if (!port || *port > 65535) return Fault("the port must be a number from 0 to 65535");
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty() || bracketed != (host.find(':') != std::string_view::npos)) return form;
  const bool plain = std::ranges::all_of(host, [](char c) {
    return base::is_digit(c) || (base::to_lower(c) >= 'a' && base::to_lower(c) <= 'z') || c == '.' || c == '-' ||
           c == '_' || c == ':';
  });
  if (host != "*" && !plain) return form;
  result.host = host == "*" ? std::string_view{} : host;
  result.port = static_cast<uint16_t>(*port);
  return result;
}

bool Network::contains(const std::array<uint8_t, 16>& other) const {
  const size_t whole = prefix_bits / 8u;
  if (std::memcmp(address.data(), other.data(), whole) != 0) return false;
  const unsigned rest = prefix_bits % 8u;
  return rest == 0 || ((address[whole] ^ other[whole]) >> (8u - rest)) == 0;
}

std::expected<Network, std::string> parse_network(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  Network network;
  size_t bits = 128;
  size_t offset = 0;
  std::array<uint8_t, 4> v4;
  if (inet_pton(AF_INET, address.c_str(), v4.data()) == 1) {
    network.address[10] = network.address[11] = 0xff;
    std::ranges::copy(v4, network.address.begin() + 12);
    bits = 32;
    offset = 96;
  } else if (inet_pton(AF_INET6, address.c_str(), network.address.data()) != 1) {
    return Fault("not an address or network; write \"10.0.0.0/8\", \"fd00::/8\" or a single address");
  }
  const auto prefix = slash == std::string_view::npos ? bits : base::parse_decimal(text.substr(slash + 1));
  if (!prefix || *prefix > bits)
    return Fault("the network's prefix must be a number from 0 to " + std::to_string(bits));
  network.prefix_bits = static_cast<uint8_t>(offset + *prefix);
  return network;
}

std::expected<ProxyChoice, std::string> parse_proxy(std::string_view text) {
  ProxyChoice choice;
  if (text == "environment") return choice;
  if (text == "none") {
    choice.kind = ProxyChoice::Kind::none;
    return choice;
  }
  const auto form = Fault("not a proxy; write \"environment\", \"none\" or \"http://[user:password@]host:port\"");
  const size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return form;
  std::string url(text);
  if (const size_t at = text.rfind('@'); at != std::string_view::npos) {
    if (at < scheme + 3) return form;
    const auto user = base::percent_decode(text.substr(scheme + 3, at - scheme - 3));
    if (!user || user->empty()) return form;
    choice.user = base::Secret(*user);
    url = std::string(text.substr(0, scheme + 3)) + std::string(text.substr(at + 1));
  }
  auto endpoint = providers::parse_endpoint(url);
  if (!endpoint || !endpoint->unix_path.empty() || !endpoint->base_path.empty()) return form;
  choice.kind = ProxyChoice::Kind::fixed;
  choice.endpoint = std::move(*endpoint);
  return choice;
}

}  // namespace llmgw::control
