// A stream that broke off in the middle of its text is finished by another instance: it is given what the client has
// as the beginning of its own answer. The client sees one answer, and pays for what each instance used.
#include <algorithm>

#include "gateway/conversion/converted_relay.h"
#include "providers/families.h"

namespace llmgw::gateway {

using accounting::CallOutcome;
using chat::ErrorKind;
using net::Task;
using routing::Candidate;

namespace {

// Failures of an instance; what is wrong with the request is wrong everywhere.
bool is_instance_failure(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::upstream_failed:
    case ErrorKind::upstream_timeout:
    case ErrorKind::overloaded:
    case ErrorKind::rate_limited:
    case ErrorKind::internal: return true;
    default: return false;
  }
}

providers::ChatApi api_kind(const dialects::Codec& codec) {
  return codec.dialect == chat::Dialect::openai_responses ? providers::ChatApi::responses : providers::ChatApi::chat;
}

}  // namespace

// Where client and provider speak the same protocol, the answer is read only so that another instance can go on from
// it. The Responses API keeps state at its provider, and Claude on other clouds comes in an envelope: those pass as
// they are.
bool Call::reads_along(const control::Connection& connection, const ConvertedApi& api) const {
  using providers::ProviderKind;
  if (api.codec == nullptr || match_.operation == Operation::responses_create) return false;
  if (api.codec != dialects::find_codec(body_dialect(match_.operation, match_.dialect))) return false;
  const ProviderKind kind = connection.upstream.provider->kind;
  return api.codec->dialect != chat::Dialect::anthropic || kind == ProviderKind::anthropic;
}

bool Call::may_continue(const Relay& relay) const {
  const Transcoder& transcoder = relay.transcoder;
  if (!route().continuation || !transcoder.can_continue() || !is_instance_failure(transcoder.error()->kind))
    return false;
  const chat::Request& request = conversion_->request();
  if (request.n.value_or(1) > 1 || request.background || request.messages.empty()) return false;
  // A grammar would begin anew in the middle.
  if (request.format.kind == chat::FormatKind::json_object || request.format.kind == chat::FormatKind::json_schema) {
    return false;
  }
  // The client has begun the answer itself: where its beginning ends is its own affair.
  return request.continues_last || request.messages.back().role != chat::Role::assistant;
}

// False: nobody goes on, and the client is to be told.
Task<bool> Call::continue_elsewhere(Relay& relay) {
  if (!may_continue(relay)) co_return false;
  Transcoder& transcoder = relay.transcoder;
  const std::string beginning(transcoder.beginning());
  const chat::Usage used = charge_attempt(CallOutcome::cut, transcoder.text_bytes());
  relay.said_before += used.output.value_or(0);
  count_failed_attempt();
  if (!transcoder.output().empty()) {
    const iovec buffer = net::buffer_of(transcoder.output());
    if (!co_await exchange_.write({&buffer, 1}, false)) co_return false;
    transcoder.output().clear();
  }
  continuing_ = true;
  exclude_those_that_cannot_continue(!beginning.empty());
  for (;;) {
    relay.upstream.reset();
    end_attempt();
    const bool may = plan_.attempts < route().attempts && worker_.loop().now() < deadline_ &&
                     !exchange_.cancellation().cancelled() && retry_budget().take();
    if (!may || !co_await aim_continuation(beginning, relay.said_before)) break;
    ++retries_;
    worker_.metrics().count(telemetry::FailoverEvent::continuation);
    worker_.log().info("another instance goes on",
                       {{"request_id", id_.view()}, {"connection", attempt_->connection->name}});
    if (co_await open_continuation(relay, used)) co_return true;
  }
  // What was used has been charged; the client has part of an answer.
  chat::Usage& nothing = reading_.converted_usage.emplace();
  nothing.input = nothing.output = 0;
  upstream_status_ = 200;
  co_return false;
}

Task<bool> Call::aim_continuation(std::string_view beginning, uint64_t said) {
  auto next = co_await next_attempt();
  if (!next || !*next) co_return false;
  write_beginning(beginning, said);
  auto body = conversion_->write();
  if (!body) co_return false;
  auto pieces = json::splice(*body, {});
  if (!pieces) co_return false;
  attempt_->body = *pieces;
  attempt_->betas = conversion_->betas_header();
  co_return true;
}

// True: the next instance answers.
Task<bool> Call::open_continuation(Relay& relay, const chat::Usage& used) {
  blameless_ = false;
  auto head = co_await exchange_heads(relay.upstream);
  if (!head) {
    worker_.log().warn(
        "upstream failed",
        {{"request_id", id_.view()}, {"connection", attempt_->connection->name}, {"error", head.error()}});
    note_unanswered(head.error(), waiting_for_);
    co_return false;
  }
  upstream_status_ = (*head)->status;
  note_status(**head);
  if (upstream_status_ < 200 || upstream_status_ >= 300) co_return false;
  auto decoder = http::ContentDecoder::create((*head)->headers.value(http::HeaderId::content_encoding),
                                              chat::Collector::kAnswerBytesMax);
  if (!decoder) co_return false;
  relay.decoder = std::move(*decoder);
  relay.transcoder.resume(sides(**head), used);
  waiting_for_ = kIdleTimeout;
  co_return true;
}

void Call::write_beginning(std::string_view beginning, uint64_t said) {
  chat::Request& request = conversion_->request();
  if (beginning.empty()) return;
  if (!request.continues_last) {
    chat::Message message{.role = chat::Role::assistant};
    message.parts.push(arena_, {});
    request.messages.push(arena_, message);
    request.continues_last = true;
  }
  request.messages.back().parts[0].text = arena_.copy(beginning);
  // Its thoughts it has had.
  if (request.reasoning.mode != chat::ReasoningMode::unset || conversion_->target().reasons_by_default) {
    request.reasoning = {.mode = chat::ReasoningMode::off};
  }
  if (!peek_.max_output_tokens) return;
  request.max_tokens = *peek_.max_output_tokens > said ? *peek_.max_output_tokens - said : 1;
}

void Call::exclude_those_that_cannot_continue(bool said_something) {
  for (size_t i = 0; i < plan_.options.size(); ++i) {
    const Option& option = plan_.options[i];
    Candidate& candidate = plan_.candidates[i];
    if (candidate.excluded) continue;
    candidate.excluded = option.api.codec == nullptr;
    if (candidate.excluded || !said_something) continue;
    const control::Connection& connection = generation_.snapshot().connections[option.connection];
    const chat::Target target = providers::target_for(connection.upstream, api_kind(*option.api.codec),
                                                      option.model->upstream_name(plan_.model));
    const bool thinks_again = target.reasons_by_default && !target.reasoning_can_be_off;
    candidate.excluded = target.continuation == chat::Continuation::none || thinks_again;
  }
}

}  // namespace llmgw::gateway
