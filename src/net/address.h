// Where a socket is: IPv4, IPv6 or a Unix-domain path. A value; any thread.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llmgw::net {

class Address {
 public:
  Address() = default;
  Address(const sockaddr* address, socklen_t length);

  // "127.0.0.1:8080", "[::1]:8080", ":8080" (all interfaces) or "unix:/run/x.sock" ("unix:@name": abstract).
  // Names are not resolved.
  static base::Result<Address> parse(std::string_view text);
  // A literal IP address (without brackets) and a port; not_found when `host` is a name.
  static base::Result<Address> from_ip(std::string_view host, uint16_t port);
  static base::Result<Address> from_unix_path(std::string_view path);
  // The address a descriptor is bound to.
  static base::Result<Address> local_of(int fd);

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return length_; }
  int family() const { return storage_.ss_family; }
  bool is_unix() const { return family() == AF_UNIX; }
  bool is_loopback() const;
  uint16_t port() const;  // 0 for a Unix-domain address
  void set_port(uint16_t port);
  // In the form parse() reads; ip() is without port.
  std::string to_string() const;
  std::string ip() const;

  friend bool operator==(const Address& a, const Address& b);

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

}  // namespace llmgw::net
