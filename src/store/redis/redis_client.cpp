#include "store/redis/redis_client.h"

#include <array>

#include "net/io.h"

namespace llmgw::store {

using base::ErrorCode;
using base::Result;
using net::Task;

RedisClient::RedisClient(net::Loop& loop, RedisAddress address)
    : loop_(loop), address_(std::move(address)), network_(net::make_socket_network(loop)) {}

Task<Result<void>> RedisClient::connect(net::Wait wait) {
  if (resolver_ == nullptr) {
    CO_TRY(resolver, net::make_dns_resolver(loop_));
    resolver_ = std::move(resolver);
    dialer_.emplace(loop_, *network_, *resolver_);
  }
  net::DialTarget target{.host = address_.host, .port = address_.port, .unix_path = address_.unix_path};
  if (address_.tls) {
    if (!tls_) {
      CO_TRY(context, net::TlsClientContext::create({}));
      tls_.emplace(std::move(context));
    }
    target.tls = &*tls_;
  }
  CO_TRY(stream, co_await dialer_->dial(target, wait));
  stream_ = std::move(stream);
  reader_ = {};
  std::string commands;
  size_t count = 0;
  if (!address_.password.empty()) {
    const std::array<std::string_view, 3> words = {"AUTH", address_.user, address_.password.reveal()};
    // Without a user it is the default one's password.
    if (address_.user.empty()) {
      append_command(commands, std::array<std::string_view, 2>{words[0], words[2]});
    } else {
      append_command(commands, words);
    }
    ++count;
  }
  if (address_.database != 0) {
    append_command(commands, std::array<std::string_view, 2>{"SELECT", std::to_string(address_.database)});
    ++count;
  }
  if (count == 0) co_return Result<void>{};
  CO_TRY(answers, co_await exchange(std::move(commands), count, wait));
  for (const RespValue& answer : answers) {
    if (answer.is_error()) co_return base::fail(ErrorCode::permission, "Redis refuses the user, password or database");
  }
  co_return Result<void>{};
}

Task<Result<std::vector<RespValue>>> RedisClient::exchange(std::string commands, size_t count, net::Wait wait) {
  CO_TRY_VOID(co_await net::write_all(*stream_, commands, wait));
  std::vector<RespValue> answers;
  while (answers.size() < count) {
    CO_TRY(answer, reader_.next());
    if (answer) {
      answers.push_back(std::move(*answer));
      continue;
    }
    CO_TRY(bytes, co_await net::read_scratch(*stream_, wait));
    if (bytes.empty()) co_return base::fail(ErrorCode::closed, "Redis closed the connection");
    reader_.feed({bytes.data(), bytes.size()});
  }
  co_return answers;
}

Task<Result<std::vector<RespValue>>> RedisClient::call(std::string commands, size_t count, base::Duration limit) {
  const net::Wait wait{.deadline = loop_.now() + limit};
  if (stream_ == nullptr) {
    if (auto connected = co_await connect(wait); !connected) {
      stream_.reset();
      co_return base::fail(connected.error());
    }
  }
  auto answers = co_await exchange(std::move(commands), count, wait);
  // What is still on its way would be taken for the next call's answer.
  if (!answers) stream_.reset();
  co_return answers;
}

}  // namespace llmgw::store
