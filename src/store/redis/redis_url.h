// Where a Redis is, as one text. Pure; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace llmgw::store {

struct RedisAddress {
  std::string host;
  uint16_t port = 6379;
  std::string unix_path;  // instead of host and port
  bool tls = false;
  std::string user;
  base::Secret password;
  uint32_t database = 0;
};

// "redis://[user:password@]host[:port][/database]", "rediss://..." with TLS, "unix:/path". The error is a sentence that
// holds no part of the text.
std::expected<RedisAddress, std::string> parse_redis_url(std::string_view url);

}  // namespace llmgw::store
