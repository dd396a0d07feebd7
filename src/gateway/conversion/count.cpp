// How many tokens a prompt has: asked of a provider in its own protocol, or estimated where it does not count.
#include "chat/token_estimate.h"
#include "dialects/counting.h"
#include "gateway/call/call.h"
#include "gateway/failover/hold_back.h"

namespace llmgw::gateway {

using http::ClientExchange;
using http::ResponseHead;
using net::Task;

// The request has not been read yet if nobody was asked.
Task<void> Call::answer_estimate() {
  if (attempt_->target.empty()) {
    if (auto read = co_await read_converted(); !read) co_return co_await refuse(read.error());
  }
  const chat::Target& target = conversion_->target();
  conversion_->warnings().add(chat::WarningKind::estimated, "input_tokens",
                              "the provider does not count tokens of this model");
  co_await answer_count(chat::estimate_tokens(conversion_->request(), chat::token_model(target.model, target.dialect)));
}

Task<void> Call::answer_count(uint64_t input_tokens) {
  std::string body;
  dialects::find_counting(conversion_->client().dialect)->write_count(input_tokens, body);
  http::Headers headers;
  const std::string warnings = conversion_->warnings().header();
  if (!warnings.empty()) headers.append(kWarningsHeader, warnings);
  co_await answer(200, "application/json", body, headers);
}

Task<void> Call::relay_count(ClientExchange& upstream, const ResponseHead& head) {
  const std::string body = co_await read_document(upstream, head);
  if (exchange_.cancellation().cancelled()) co_return give_up();
  if (head.status >= 200 && head.status < 300) {
    const dialects::ReadContext context = conversion_->read_context(id_.view());
    const auto count = dialects::find_counting(conversion_->provider().dialect)->read_count(body, context);
    if (!count) co_return co_await refuse(count.error());
    co_return co_await answer_count(*count);
  }
  const chat::ClientError error = refusal_of(head, body);
  if (!dialects::refuses_to_count(head.status, error.message)) co_return co_await refuse_as_provider(error);
  upstream_status_ = 0;  // what it does not have is no failure of the call
  co_await answer_estimate();
}

// Of a provider of the client's own protocol. Many that are compatible with an API do not have this part of it.
Task<void> Call::relay_count_refusal(ClientExchange& upstream, const ResponseHead& head) {
  Beginning beginning;
  co_await read_beginning(upstream, beginning, kErrorBodyBytesMax);
  if (exchange_.cancellation().cancelled()) co_return give_up();
  const control::Model* const model = attempt_->model;
  const auto api = convertible(match_.operation, *attempt_->connection, model->upstream_name(plan_.model), false);
  bool estimates = false;
  if (auto converted = address_converted(*model, api)) {
    const std::string body = decode_document(beginning.bytes, head.headers.value(http::HeaderId::content_encoding));
    estimates = dialects::refuses_to_count(head.status, refusal_of(head, body).message);
    if (estimates) attempt_->target = {};
  }
  if (estimates) {
    upstream_status_ = 0;
    co_return co_await answer_estimate();
  }
  conversion_.reset();
  co_await relay_words(upstream, head, &beginning);
}

}  // namespace llmgw::gateway
