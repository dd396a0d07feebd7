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

}  // namespace

std::string client_address(const net::Address& peer, std::string_view forwarded_for,
                           std::span<const control::Network> trusted) {
  net::Address client = peer;
  while (!forwarded_for.empty() && is_trusted(client, trusted)) {
    const size_t comma = forwarded_for.rfind(',');
    const std::string_view word =
        base::trim(comma == std::string_view::npos ? forwarded_for : forwarded_for.substr(comma + 1));
    forwarded_for = comma == std::string_view::npos ? std::string_view{} : forwarded_for.substr(0, comma);
    const auto next = net::Address::from_ip(word, 0);
    if (!next) break;
    client = *next;
  }
  return client.ip();
}

}  // namespace llmgw::gateway
