#include "gateway/entrance/client_address.h"

#include <gtest/gtest.h>

namespace llmgw::gateway {
namespace {

struct Case {
  std::string_view peer;
  std::string_view forwarded_for;
  std::string_view expected;
};

TEST(ClientAddress, BelievesTrustedProxiesOnly) {
  const control::Network trusted[] = {*control::parse_network("10.0.0.0/8"), *control::parse_network("fd00::/8")};
  constexpr Case kCases[] = {
      {"192.0.2.1", "198.51.100.7", "192.0.2.1"},
      {"10.0.0.1", "198.51.100.7", "198.51.100.7"},
      {"10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"},
      {"10.0.0.1", "203.0.113.9, 198.51.100.7 ,10.2.3.4", "198.51.100.7"},
      {"fd00::1", "2001:db8::5", "2001:db8::5"},
      {"10.0.0.1", "10.9.9.9", "10.9.9.9"},
      {"10.0.0.1", "198.51.100.7, unknown", "10.0.0.1"},
      {"10.0.0.1", "", "10.0.0.1"},
      {"10.0.0.1", "198.51.100.7:5678", "198.51.100.7"},
      {"10.0.0.1", "203.0.113.9:1, 198.51.100.7:65535, 10.1.1.1:80", "198.51.100.7"},
      {"10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"},
      {"10.0.0.1", "[2001:db8::1]", "2001:db8::1"},
      {"::ffff:10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"},
      {"::ffff:192.0.2.1", "", "192.0.2.1"},
      {"10.0.0.1", "198.51.100.7:", "10.0.0.1"},
      {"10.0.0.1", "198.51.100.7:http", "10.0.0.1"},
      {"10.0.0.1", "[198.51.100.7]:80", "10.0.0.1"},
      {"10.0.0.1", "[2001:db8::1", "10.0.0.1"},
      {"10.0.0.1", "2001:db8::1]:443", "10.0.0.1"},
      {"10.0.0.1", "[]:443", "10.0.0.1"},
      {"10.0.0.1", ":443", "10.0.0.1"},
      {"10.0.0.1", "unix:/a", "10.0.0.1"},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(client_address(*net::Address::from_ip(c.peer, 1), c.forwarded_for, trusted), c.expected)
        << c.peer << " for " << c.forwarded_for;
  }
  EXPECT_EQ(client_address(*net::Address::from_ip("10.0.0.1", 1), "198.51.100.7", {}), "10.0.0.1");
}

}  // namespace
}  // namespace llmgw::gateway
