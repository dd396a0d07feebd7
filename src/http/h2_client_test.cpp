#include <gtest/gtest.h>

#include "http/h2_client.h"
#include "http/h2_test_peer.h"
#include "http/h2_test_world.h"
#include "net/tls.h"
#include "net/tls_test_certificates.h"

namespace llmgw::http {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using base::Result;
using net::Task;

class H2Client : public BackendTest {};
INSTANTIATE_TEST_SUITE_P(, H2Client, testing::ValuesIn(kBackends), backend_name);

PoolOptions h2_options() {
  PoolOptions options;
  options.http2_prior_knowledge = true;
  return options;
}

struct Client {
  TestWorld& world;
  Pool pool;

  explicit Client(TestWorld& on, const PoolOptions& options = h2_options())
      : world(on), pool(on.loop, [&on](net::Wait wait) { return on.network.connect(on.address, wait); }, options) {}

  net::Wait soon() const { return {world.loop.now() + 10s}; }
};

struct Answer {
  uint16_t status = 0;
  std::string body;
  std::optional<ErrorCode> error;
};

Task<Result<Answer>> read_answer(ClientExchange& exchange, net::Wait wait) {
  Answer answer;
  CO_TRY(head, co_await exchange.read_head(wait));
  answer.status = head->status;
  for (;;) {
    CO_TRY(bytes, co_await exchange.read_body(wait));
    answer.body.append(bytes.data.data(), bytes.data.size());
    if (bytes.done) co_return answer;
  }
}

Task<Result<Answer>> call(Client& client, std::string_view method, std::string_view target, std::string body = {}) {
  CO_TRY(exchange, co_await client.pool.acquire(false, client.soon()));
  const iovec buffer = net::buffer_of(body);
  RequestStart request;
  request.method = method;
  request.target = target;
  request.authority = "example.com";
  if (!body.empty()) request.body = {&buffer, 1};
  CO_TRY_VOID(co_await exchange->send(request, client.soon()));
  co_return co_await read_answer(*exchange, client.soon());
}

// A server that does what the test tells it, frame by frame.
struct RawServer {
  std::unique_ptr<net::Listener> listener;
  explicit RawServer(TestWorld& world) {
    listener = std::move(*world.network.listen(*net::Address::parse("127.0.0.1:0"), {}));
    world.address = listener->address();
  }
  Task<std::unique_ptr<TestPeer>> accept() {
    auto stream = co_await net::accept(*listener, {});
    char preface[kH2Preface.size()];
    for (size_t have = 0; have < sizeof preface;) {
      auto count = co_await net::read_some(**stream, std::span<char>(preface).subspan(have), {});
      if (!count || *count == 0) co_return nullptr;
      have += *count;
    }
    EXPECT_EQ(std::string_view(preface, sizeof preface), kH2Preface);
    auto peer = std::make_unique<TestPeer>(std::move(*stream));
    co_await peer->greet(false);
    co_return peer;
  }
};

[[maybe_unused]] std::string response_block(std::string_view status, const TestFields& more = {}) {
  TestFields fields{{":status", std::string(status)}};
  fields.insert(fields.end(), more.begin(), more.end());
  return field_block(fields);
}

TEST_P(H2Client, CallsAndCallsAgainOnTheSameConnection) {
  TestWorld world(GetParam(), echo);
  Client client(world);
  world.run([&]() -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      auto answer = co_await call(client, "POST", "/v1/x?y=1", "hello");
      EXPECT_TRUE(answer.has_value());
      EXPECT_EQ(answer->status, 200);
      EXPECT_EQ(answer->body, "POST /v1/x?y=1 hello");
    }
  });
  EXPECT_EQ(client.pool.connects(), 1u);
  EXPECT_EQ(client.pool.open(), 1u);
  EXPECT_EQ(client.pool.idle(), 1u);
}

TEST_P(H2Client, ManyStreamsShareConnections) {
  constexpr size_t kCalls = 250;  // more than one connection takes at a time
  TestWorld world(GetParam(), echo);
  Client client(world);
  size_t good = 0;
  world.run([&]() -> Task<void> {
    net::TaskGroup group;
    for (size_t i = 0; i < kCalls; ++i) {
      group.spawn([](Client& on, size_t& count, size_t number) -> Task<void> {
        const std::string body(number * 100, static_cast<char>('a' + number % 26));
        auto answer = co_await call(on, "POST", "/" + std::to_string(number), body);
        if (answer && answer->body == "POST /" + std::to_string(number) + " " + body) ++count;
      }(client, good, i));
    }
    EXPECT_TRUE(co_await world.until([&] { return group.active() == 0; }));
  });
  EXPECT_EQ(good, kCalls);
  EXPECT_LE(client.pool.connects(), 3u);
  EXPECT_EQ(world.server->counters().requests, kCalls);
  EXPECT_EQ(world.server->counters().active, 0u);
}

}  // namespace
}  // namespace llmgw::http
