// Which proxy a connection goes through, from the environment's HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.
// There is no standard for these; this follows curl where programs differ. Pure; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "net/address.h"

namespace llmgw::net {

struct Proxy {
  std::string host;
  uint16_t port = 0;
  bool tls = false;                 // the connection to the proxy itself ("https://")
  base::Secret authorization = {};  // the value of Proxy-Authorization ("Basic ..."); empty: none
};

// "http://user:password@host:port", "https://...", or without a scheme as http. Ports default to 80 and 443. User and
// password may be percent-encoded. unsupported: another scheme.
base::Result<Proxy> parse_proxy(std::string_view url);

// Where no proxy is used: a list parted by commas or spaces of
//   *                          everywhere
//   example.com, .example.com  the host and all below it ("*.example.com" too)
//   192.0.2.1, 2001:db8::1     an address; 192.0.2.0/24, fd00::/8 a range
// each but '*' with an optional port ("example.com:8080", "[::1]:8080"). Names are not resolved to match addresses.
class NoProxy {
 public:
  // Never fails: an entry that means nothing matches nothing.
  static NoProxy parse(std::string_view list);
  bool matches(std::string_view host, uint16_t port) const;

 private:
  struct Entry {
    std::string name = {};             // lower case, without the leading dot; empty: a range
    std::vector<uint8_t> prefix = {};  // 4 or 16 bytes
    unsigned prefix_bits = 0;
    uint16_t port = 0;  // 0: any
  };
  static std::optional<Entry> parse_entry(std::string_view text);
  bool everywhere_ = false;
  std::vector<Entry> entries_;
};

struct ProxySettings {
  std::optional<Proxy> http;   // for plain targets
  std::optional<Proxy> https;  // for TLS targets
  NoProxy no_proxy;
  bool proxy_loopback = false;  // this machine's own services are reached directly unless this is set

  // The proxy for a target; null: connect directly. Valid as long as the settings.
  const Proxy* choose(std::string_view host, uint16_t port, bool tls) const;
};

// `lookup` gives a variable's value or null, as getenv does. Lower-case names win over upper-case ones; an empty value
// means no proxy. An error names a variable that cannot be understood; its value is not shown.
base::Result<ProxySettings> proxy_settings(const std::function<const char*(const char*)>& lookup);

}  // namespace llmgw::net
