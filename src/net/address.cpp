#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "base/text.h"

namespace llmgw::net {

using base::ErrorCode;
using base::fail;
using base::Result;

Address::Address(const sockaddr* address, socklen_t length)
    : length_(std::min(length, static_cast<socklen_t>(sizeof storage_))) {
  std::memcpy(&storage_, address, length_);
}

Result<Address> Address::from_ip(std::string_view host, uint16_t port) {
  const std::string text(host);
  sockaddr_in v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return Address(reinterpret_cast<sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    return Address(reinterpret_cast<sockaddr*>(&v6), sizeof v6);
  }
  return fail(ErrorCode::not_found, "not a literal IP address");
}

Result<Address> Address::from_unix_path(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::invalid_argument, "a Unix-domain socket path has 1 to 107 bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  if (path.front() == '@') {
    address.sun_path[0] = '\0';
    --length;
  }
  return Address(reinterpret_cast<sockaddr*>(&address), length);
}

Result<Address> Address::parse(std::string_view text) {
  if (text.starts_with("unix:")) return from_unix_path(text.substr(5));
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return fail(ErrorCode::invalid_argument, "expected \"host:port\" or \"unix:/path\"");
  }
  const auto port = base::parse_decimal(text.substr(colon + 1));
  if (!port || *port > 65535) return fail(ErrorCode::invalid_argument, "the port must be 0 to 65535");
  std::string_view host = text.substr(0, colon);
  if (host.empty()) host = "0.0.0.0";
  if (host == "localhost") host = "127.0.0.1";
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  auto address = from_ip(host, static_cast<uint16_t>(*port));
  if (!address) return fail(ErrorCode::invalid_argument, "the host must be an IP address");
  return address;
}

Result<Address> Address::local_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    return fail(base::os_error(errno, "getsockname"));
  }
  return Address(reinterpret_cast<sockaddr*>(&storage), length);
}

bool Address::is_loopback() const {
  if (family() == AF_INET) {
    return (ntohl(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr.s_addr) >> 24) == 127;
  }
  if (family() == AF_INET6) return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr);
  return is_unix();
}

uint16_t Address::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
  return 0;
}

void Address::set_port(uint16_t port) {
  if (family() == AF_INET) reinterpret_cast<sockaddr_in*>(&storage_)->sin_port = htons(port);
  if (family() == AF_INET6) reinterpret_cast<sockaddr_in6*>(&storage_)->sin6_port = htons(port);
}

std::string Address::ip() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    // inet_ntop goes through printf, which shows in a profile: this is in every access line.
    const uint32_t address = ntohl(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr.s_addr);
    char* out = text;
    for (int shift = 24; shift >= 0; shift -= 8) {
      out = std::to_chars(out, std::end(text), (address >> shift) & 255).ptr;
      if (shift > 0) *out++ = '.';
    }
    *out = '\0';
  } else if (family() == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr, text, sizeof text);
  } else if (is_unix()) {
    return "unix";
  }
  return text;
}

std::string Address::to_string() const {
  if (family() == AF_INET6) return "[" + ip() + "]:" + std::to_string(port());
  if (family() == AF_INET) return ip() + ":" + std::to_string(port());
  if (!is_unix()) return "unknown";
  const auto* address = reinterpret_cast<const sockaddr_un*>(&storage_);
  if (length_ <= offsetof(sockaddr_un, sun_path)) return "unix:";
  const size_t path_bytes = length_ - offsetof(sockaddr_un, sun_path);
  if (address->sun_path[0] == '\0') return "unix:@" + std::string(address->sun_path + 1, path_bytes - 1);
  return "unix:" + std::string(address->sun_path, strnlen(address->sun_path, path_bytes));
}

bool operator==(const Address& a, const Address& b) {
  return a.length_ == b.length_ && std::memcmp(&a.storage_, &b.storage_, a.length_) == 0;
}

}  // namespace llmgw::net
