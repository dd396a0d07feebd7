#include "http/authority.h"

#include <gtest/gtest.h>

namespace llmgw::http {

namespace {

TEST(Authority, TakesHostsAndPorts) {
  for (const char* good : {"a", "gateway.example", "gateway.example:8080", "127.0.0.1", "127.0.0.1:1", "[::]",
                           "[::1]:443", "[2001:DB8::a.b.c.d]", "a_b-c~%41", "a:0", "a:65535", "a:00080"}) {
    EXPECT_TRUE(valid_authority(good)) << good;
  }
}

TEST(Authority, RefusesAllElse) {
  for (const char* bad :
       {"",     ":80", "a:",      "a:b",    "a:65536",      "a:000080", "a:-1",        "a:+1", "a b",     "user@a",
        "a/",   "a?",  "a#",      "a\\b",   "a,b",          "a;b",      "a:80:80",     "[",    "[]",      "[:]",
        "[::1", "::1", "[::1]80", "[::1]:", "[::1%25eth0]", "[::g]",    "[::1]:99999", "a\r",  "\xc3\xa4"}) {
    EXPECT_FALSE(valid_authority(bad)) << bad;
  }
}

}  // namespace

}  // namespace llmgw::http
