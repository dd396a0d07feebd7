// After the upgrade: bytes both ways until one side ends.
#include "gateway/call/call.h"
#include "gateway/call/pump.h"
#include "gateway/entrance/header_rules.h"

namespace llmgw::gateway {

using chat::ErrorKind;
using http::ClientExchange;
using http::HeaderId;
using http::ResponseHead;
using net::Task;

Task<void> Call::relay_websocket(ClientExchange& upstream, const ResponseHead& head) {
  http::Headers headers;
  std::string_view early_from_upstream;
  net::Stream* server = upstream.raw_stream(early_from_upstream);
  if (server == nullptr || !match_.websocket || !client_response_headers(head.headers, id_.view(), headers)) {
    co_return co_await refuse({.kind = ErrorKind::upstream_failed, .message = "the provider's upgrade failed"});
  }
  headers.append(HeaderId::upgrade, "websocket");
  const http::ResponseStart switching{.status = 101, .headers = &headers, .framing = http::Framing::none};
  auto client = co_await exchange_.take_over(&switching);
  if (!client) {
    co_return co_await refuse({.kind = ErrorKind::unsupported, .message = "WebSocket needs HTTP/1.1"});
  }
  status_ = 101;
  note_success();
  note_computed(worker_.loop().now(), false);
  const PumpResult relayed = co_await pump_both_ways({.stream = *client->stream, .early_bytes = client->early_bytes},
                                                     {.stream = *server, .early_bytes = early_from_upstream},
                                                     timeouts_.idle, exchange_.cancellation());
  bytes_in_ += relayed.bytes_from_a;
  relayed_out_ = relayed.bytes_from_b;
  if (!relayed.b_broke || exchange_.cancellation().cancelled()) co_return;
  note_failure(false);
  error_ = ErrorKind::upstream_failed;
  warn_of_break(*relayed.b_broke);
}

}  // namespace llmgw::gateway
