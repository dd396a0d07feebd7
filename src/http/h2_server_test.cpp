#include <gtest/gtest.h>

#include "http/h2_server.h"
#include "http/h2_test_peer.h"
#include "http/h2_test_world.h"

namespace llmgw::http {
namespace {

using base::ErrorCode;
using net::Task;

Task<void> echo(ServerExchange& exchange) {
  auto body = co_await exchange.read_body(1 << 20);
  if (!body) co_return;
  const RequestHead& head = exchange.head();
  co_await respond(
      exchange, 200,
      std::string(head.method_text) + " " + std::string(head.path) + " " + std::string(body->data(), body->size()));
}

TEST(H2Server, AnswersARequest) {
  TestWorld world(echo);
  world.run([&]() -> Task<void> {
    TestPeer peer(co_await world.connect());
    co_await peer.greet();
    co_await peer.send_request(1, request_fields("GET", "/hello"));
    auto head = co_await peer.next_of(FrameType::headers, 1);
    EXPECT_TRUE(head.has_value());
    EXPECT_EQ(head->fields[":status"], "200");
    EXPECT_EQ(head->fields["content-length"], "11");
    auto data = co_await peer.next_of(FrameType::data, 1);
    EXPECT_TRUE(data.has_value());
    EXPECT_EQ(data->payload, "GET /hello ");
    EXPECT_EQ(data->flags & kEndStream, kEndStream);
  });
  EXPECT_EQ(world.server->counters().requests, 1u);
}

}  // namespace
}  // namespace llmgw::http
