#include "control/private_url.h"

#include <gtest/gtest.h>

namespace llmgw::control {
namespace {

TEST(PrivateUrl, IsTlsOrThisMachine) {
  for (const auto* const url : {"https://login.example.com", "http://localhost", "http://localhost:9000/path",
                                "http://127.0.0.1/x?y", "http://[::1]", "http://[::1]:80/#z"}) {
    EXPECT_TRUE(is_private_url(url)) << url;
  }
  for (const auto* const url : {"", "login.example.com", "http://login.example.com", "http://localhost.example.com",
                                "http://127.0.0.1.example.com", "http://localhost:80@example.com",
                                "http://localhost@example.com", "http://127.0.0.10", "http://[::1].example.com",
                                "http://[::1", "http://[::12]", "ftp://localhost", "http://"}) {
    EXPECT_FALSE(is_private_url(url)) << url;
  }
}

}  // namespace
}  // namespace llmgw::control
