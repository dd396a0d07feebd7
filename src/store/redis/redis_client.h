// A connection to Redis: commands go out together and their answers come back in order. Belongs to its loop's thread.
// After any error but an answer that is one, the connection is closed; the next call makes a new one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/dial.h"
#include "net/loop.h"
#include "net/task.h"
#include "store/redis/redis_url.h"
#include "store/redis/resp.h"

namespace llmgw::store {

class RedisClient {
 public:
  RedisClient(net::Loop& loop, RedisAddress address);
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  // `commands` as append_command writes them, `count` of them. permission: the password is refused.
  net::Task<base::Result<std::vector<RespValue>>> call(std::string commands, size_t count, base::Duration limit);
  bool connected() const { return stream_ != nullptr; }

 private:
  net::Task<base::Result<void>> connect(net::Wait wait);
  net::Task<base::Result<std::vector<RespValue>>> exchange(std::string commands, size_t count, net::Wait wait);

  net::Loop& loop_;
  RedisAddress address_;
  std::unique_ptr<net::Network> network_;
  std::unique_ptr<net::Resolver> resolver_;
  std::optional<net::Dialer> dialer_;
  std::optional<net::TlsClientContext> tls_;
  std::unique_ptr<net::Stream> stream_;
  RespReader reader_;
};

}  // namespace llmgw::store
