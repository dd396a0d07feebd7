#include "gateway/entrance/client_address.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "base/text.h"

namespace llmgw::gateway {
namespace {

using Bytes = std::array<uint8_t, 16>;

// IPv4 mapped into IPv6, as control::Network has it.
std::optional<Bytes> bytes_of(const net::Address& address) {
  Bytes bytes{};
  if (address.family() == AF_INET) {
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(bytes.data() + 12, &reinterpret_cast<const sockaddr_in*>(address.data())->sin_addr, 4);
  } else if (address.family() == AF_INET6) {
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(address.data())->sin6_addr, 16);
  } else {
    return std::nullopt;
  }
  return bytes;
}

bool is_trusted(const net::Address& address, std::span<const control::Network> trusted) {
  const auto bytes = bytes_of(address);
  return bytes && std::ranges::any_of(trusted, [&](const auto& network) { return network.contains(*bytes); });
}

// An address as proxies write it, some with the port it came from: "192.0.2.1:5678", "[2001:db8::1]:443".
std::optional<net::Address> read_address(std::string_view word) {
  if (const auto plain = net::Address::from_ip(word, 0)) return *plain;
  const size_t colon = word.rfind(':');
  const bool bracketed = word.starts_with('[');
  const bool has_port = colon != std::string_view::npos && !word.ends_with(']');
  if (has_port && !base::parse_decimal(word.substr(colon + 1))) return std::nullopt;
  std::string_view host = has_port ? word.substr(0, colon) : word;
  if (bracketed != host.ends_with(']') || bracketed != host.contains(':')) return std::nullopt;
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = net::Address::from_ip(host, 0);
  return address ? std::optional(*address) : std::nullopt;
}

// IPv4 that came over a socket of IPv6 is the same address.
std::string text_of(const net::Address& address) {
  constexpr std::string_view kMapped = "::ffff:";
  std::string text = address.ip();
  if (text.starts_with(kMapped) && text.contains('.')) text.erase(0, kMapped.size());
  return text;
}

}  // namespace

std::string client_address(const net::Address& peer, std::string_view forwarded_for,
                           std::span<const control::Network> trusted) {
  net::Address client = peer;
  while (!forwarded_for.empty() && is_trusted(client, trusted)) {
    const size_t comma = forwarded_for.rfind(',');
    const std::string_view word =
        base::trim(comma == std::string_view::npos ? forwarded_for : forwarded_for.substr(comma + 1));
    forwarded_for = comma == std::string_view::npos ? std::string_view{} : forwarded_for.substr(0, comma);
    const auto next = read_address(word);
    if (!next) break;
    client = *next;
  }
  return text_of(client);
}

}  // namespace llmgw::gateway
