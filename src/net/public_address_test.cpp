#include "net/public_address.h"

#include <gtest/gtest.h>

namespace llmgw::net {
namespace {

bool check(std::string_view ip) {
  const auto address = Address::from_ip(ip, 80);
  EXPECT_TRUE(address) << ip;
  return address && is_public(*address);
}

TEST(PublicAddress, TheInternetIsPublic) {
  for (const std::string_view ip :
       {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1",
        "192.0.1.1", "198.17.0.1", "198.20.0.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1",
        "64:ff9b::101:101", "2002:101:101::1", "::ffff:8.8.8.8"}) {
    EXPECT_TRUE(check(ip)) << ip;
  }
}

TEST(PublicAddress, TheRestIsNot) {
  for (const std::string_view ip : {"0.0.0.0",
                                    "10.1.2.3",
                                    "100.100.100.200",
                                    "127.0.0.1",
                                    "127.255.255.255",
                                    "169.254.169.254",
                                    "172.16.0.1",
                                    "172.31.255.255",
                                    "192.168.1.1",
                                    "192.0.0.170",
                                    "198.18.0.1",
                                    "203.0.113.9",
                                    "224.0.0.1",
                                    "240.0.0.1",
                                    "255.255.255.255",
                                    "::",
                                    "::1",
                                    "fe80::1",
                                    "fc00::1",
                                    "fd00:ec2::254",
                                    "ff02::1",
                                    "2001:db8::1",
                                    "2001::1",
                                    "::ffff:127.0.0.1",
                                    "::ffff:169.254.169.254",
                                    "::ffff:10.0.0.1",
                                    "64:ff9b::7f00:1",
                                    "2002:7f00:1::1",
                                    "2002:a9fe:a9fe::1",
                                    "::127.0.0.1",
                                    "64:ff9b:1::1",
                                    "100::1",
                                    "3fff::1"}) {
    EXPECT_FALSE(check(ip)) << ip;
  }
  EXPECT_FALSE(is_public(*Address::from_unix_path("/tmp/x")));
}

}  // namespace
}  // namespace llmgw::net
