#include "net/public_address.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace llmgw::net {
namespace {

struct Range4 {
  uint32_t network;
  uint8_t bits;
};

constexpr uint32_t ip4(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

constexpr std::array<Range4, 16> kSpecial4{{
    {ip4(0, 0, 0, 0), 8},        // this network
    {ip4(10, 0, 0, 0), 8},       // private
    {ip4(100, 64, 0, 0), 10},    // shared (carrier NAT; Alibaba's metadata service)
    {ip4(127, 0, 0, 0), 8},      // loopback
    {ip4(169, 254, 0, 0), 16},   // link-local, with the clouds' metadata services
    {ip4(172, 16, 0, 0), 12},    // private
    {ip4(192, 0, 0, 0), 24},     // protocol assignments
    {ip4(192, 0, 2, 0), 24},     // documentation
    {ip4(192, 31, 196, 0), 24},  // AS112
    {ip4(192, 52, 193, 0), 24},  // AMT
    {ip4(192, 88, 99, 0), 24},   // 6to4 relays
    {ip4(192, 168, 0, 0), 16},   // private
    {ip4(198, 18, 0, 0), 15},    // benchmarks
    {ip4(198, 51, 100, 0), 24},  // documentation
    {ip4(203, 0, 113, 0), 24},   // documentation
    {ip4(224, 0, 0, 0), 3},      // multicast, reserved, broadcast
}};

bool is_public4(uint32_t ip) {
  return std::ranges::none_of(kSpecial4, [ip](const Range4& range) {
    const uint32_t mask = ~uint32_t{0} << (32 - range.bits);
    return (ip & mask) == range.network;
  });
}

uint32_t read4(const uint8_t* bytes) {
  return ip4(bytes[0], bytes[1], bytes[2], bytes[3]);
}

bool starts_with(const uint8_t* ip, std::initializer_list<uint8_t> prefix) {
  return std::equal(prefix.begin(), prefix.end(), ip);
}

bool is_public6(const uint8_t* ip) {
  if (starts_with(ip, {0x20, 0x02})) return is_public4(read4(ip + 2));                                    // 6to4
  if (starts_with(ip, {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) return is_public4(read4(ip + 12));  // NAT64
  if ((ip[0] & 0xE0) != 0x20) return false;  // only 2000::/3 is global unicast
  if (starts_with(ip, {0x20, 0x01, 0x00}) || starts_with(ip, {0x20, 0x01, 0x01})) return false;  // 2001::/23, Teredo
  if (starts_with(ip, {0x20, 0x01, 0x0D, 0xB8})) return false;                                   // documentation
  if (starts_with(ip, {0x3F, 0xFF}) && (ip[2] & 0xF0) == 0) return false;  // documentation (RFC 9637)
  return true;
}

class PublicResolver final : public Resolver {
 public:
  explicit PublicResolver(Resolver& inner) : inner_(inner) {}

  Task<base::Result<Resolution>> resolve(std::string host, uint16_t port, Wait wait) override {
    CO_TRY(resolution, co_await inner_.resolve(std::move(host), port, wait));
    std::erase_if(resolution.addresses, [](const Address& address) { return !is_public(address); });
    if (resolution.addresses.empty()) {
      co_return base::fail(base::ErrorCode::permission, "the address is not on the public internet");
    }
    co_return resolution;
  }

 private:
  Resolver& inner_;
};

}  // namespace

bool is_public(const Address& address) {
  if (address.family() == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, address.data(), sizeof in);
    return is_public4(ntohl(in.sin_addr.s_addr));
  }
  if (address.family() != AF_INET6) return false;
  sockaddr_in6 in;
  std::memcpy(&in, address.data(), sizeof in);
  const uint8_t* const ip = in.sin6_addr.s6_addr;
  // ::ffff:a.b.c.d
  if (starts_with(ip, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF})) return is_public4(read4(ip + 12));
  return is_public6(ip);
}

std::unique_ptr<Resolver> make_public_resolver(Resolver& inner) {
  return std::make_unique<PublicResolver>(inner);
}

}  // namespace llmgw::net
