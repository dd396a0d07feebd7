// Answers of the gateway's own: errors in the client's dialect, and whatever local.cpp has to say.
#include "dialects/error.h"
#include "gateway/call/call.h"
#include "gateway/entrance/websocket_handshake.h"

namespace llmgw::gateway {

using chat::Dialect;
using chat::ErrorKind;
using http::HeaderId;
using net::Task;

namespace {

// What a call that got no answer until the drain was over is told: another gateway, or this one anew, may take it.
constexpr chat::ClientError kDrained{.kind = ErrorKind::overloaded,
                                     .message = "the gateway ends, and the answer did not begin in time; ask again",
                                     .retry_after = std::chrono::seconds(1)};

}  // namespace

Task<void> Call::answer(uint16_t status, std::string_view content_type, std::string_view body,
                        const http::Headers& headers) {
  status_ = status;
  http::Headers all = headers;
  all.append(HeaderId::content_type, content_type);
  if (!route_text_.empty()) all.append(kRouteHeader, route_text_);
  add_governance_headers(all);
  if (!all.has(HeaderId::x_request_id)) all.append(HeaderId::x_request_id, id_.view());
  const http::ResponseStart start{
      .status = status, .headers = &all, .framing = http::Framing::content_length, .content_length = body.size()};
  if (!exchange_.start(start)) co_return exchange_.abort();
  account();
  const iovec buffer = net::buffer_of(body);
  co_await exchange_.write({&buffer, 1}, true);
}

// Paths that are in no table still tell which SDK is calling.
Dialect Call::likely_dialect() const {
  if (matched_) return match_.dialect;
  const http::RequestHead& head = exchange_.head();
  if (head.headers.has(HeaderId::anthropic_version)) return Dialect::anthropic;
  if (head.path.starts_with("/v1beta") || head.path.starts_with("/v1alpha") ||
      head.headers.has(HeaderId::x_goog_api_key))
    return Dialect::gemini;
  if (head.path.starts_with("/openai/deployments/")) return Dialect::azure;
  if (head.path.find("/publishers/anthropic/") != std::string_view::npos) return Dialect::anthropic;
  if (head.path.starts_with("/model/")) return Dialect::bedrock;
  return Dialect::openai_chat;
}

chat::Framing Call::framing() const {
  const bool gemini = match_.dialect == Dialect::gemini || match_.dialect == Dialect::vertex;
  if (gemini && match_.streams) {
    return exchange_.head().query.find("alt=sse") == std::string_view::npos ? chat::Framing::json_array
                                                                            : chat::Framing::sse;
  }
  if (match_.dialect == Dialect::bedrock) return match_.streams ? chat::Framing::event_stream : chat::Framing::json;
  return streams() ? chat::Framing::sse : chat::Framing::json;
}

Task<void> Call::refuse(const chat::ClientError& asked) {
  drained_ = drained_ || drained_unanswered();
  const chat::ClientError& error = drained_ ? kDrained : asked;
  error_ = error.kind;
  if (exchange_.started()) co_return exchange_.abort();
  const Dialect dialect = likely_dialect();
  // An error before the stream has begun is a JSON document for every SDK; only Gemini's array wraps it.
  const chat::Framing shape = framing() == chat::Framing::json_array ? chat::Framing::json_array : chat::Framing::json;
  const auto answered = dialects::write_error(dialect, shape, error, id_.view());
  http::Headers headers;
  for (const auto& header : answered.headers()) headers.append(header.name, header.value);
  if (answered.status == kUpgradeRequired) offer_websocket(headers);
  const std::string warnings = conversion_ != nullptr ? conversion_->warnings().header() : std::string();
  if (!warnings.empty()) headers.append(kWarningsHeader, warnings);
  co_await answer(static_cast<uint16_t>(answered.status), answered.content_type, answered.body, headers);
}

Task<void> Call::refuse_endpoint(const EndpointRefusal& refusal) {
  const http::RequestHead& head = exchange_.head();
  std::string message = refusal.message;
  auto kind = ErrorKind::invalid_request;
  if (refusal.status == 404) {
    kind = ErrorKind::not_found;
    message = not_found_message(head.method_text, head.path);
  } else if (refusal.status == 405) {
    kind = ErrorKind::method_not_allowed;
  }
  error_ = kind;
  const auto answered = dialects::write_error(likely_dialect(), chat::Framing::json,
                                              {.kind = kind, .message = message, .status = refusal.status}, id_.view());
  http::Headers headers;
  for (const auto& header : answered.headers()) headers.append(header.name, header.value);
  if (!refusal.allow.empty()) headers.append("allow", refusal.allow);
  co_await answer(static_cast<uint16_t>(answered.status), answered.content_type, answered.body, headers);
}

}  // namespace llmgw::gateway
