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

namespace {

// A Close frame with code 1001, going away (RFC 6455, sections 5.5.1 and 7.4.1). A server's frames have no mask.
constexpr std::string_view kGoingAway("\x88\x02\x03\xe9", 4);

}  // namespace

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
  // The relay reads all the time and sees the client go; what it sent last comes before that.
  client->stream->readiness().on_hangup = nullptr;
  http::WebSocketWatch from_client;
  http::WebSocketWatch from_upstream;
  const PumpResult relayed =
      co_await pump_both_ways({.stream = *client->stream,
                               .early_bytes = client->early_bytes,
                               .write_timeout = generation_.snapshot().server.write_timeout,
                               .watch = &from_client,
                               .good_bye = kGoingAway},
                              {.stream = *server, .early_bytes = early_from_upstream, .watch = &from_upstream},
                              timeouts_.idle, exchange_.cancellation());
  bytes_in_ += relayed.bytes_from_a;
  relayed_out_ = relayed.bytes_from_b;
  if (!from_client.closed() && !from_upstream.closed()) note_cut(relayed);
}

// It ended without a Close frame: nobody may take it for complete.
void Call::note_cut(const PumpResult& relayed) {
  using End = PumpResult::End;
  net::Cancellation& gone = exchange_.cancellation();
  base::Error error = relayed.error;
  switch (relayed.end) {
    case End::cancelled: return;
    case End::a_ended:
    case End::a_broke: return gone.cancel(base::ErrorCode::closed);
    case End::a_stuck: return gone.cancel(base::ErrorCode::deadline_exceeded);
    case End::idle:
      // Neither side had anything to say, so the provider is not late.
      error_ = ErrorKind::upstream_timeout;
      timed_out_ = kIdleTimeout;
      blameless_ = true;
      return;
    case End::b_ended: error = {base::ErrorCode::closed, "the WebSocket ended without a Close frame", 0}; break;
    case End::b_broke: break;
    case End::b_stuck: timed_out_ = kIdleTimeout; break;
  }
  waiting_for_ = kIdleTimeout;
  note_broken(error);
  error_ = timed_out_.empty() ? ErrorKind::upstream_failed : ErrorKind::upstream_timeout;
  warn_of_break(error);
}

}  // namespace llmgw::gateway
