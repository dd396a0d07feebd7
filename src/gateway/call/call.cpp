#include "gateway/call/call.h"

#include <algorithm>
#include <vector>

#include "base/query_text.h"
#include "base/text.h"
#include "gateway/call/own_headers.h"
#include "gateway/entrance/auth_key.h"
#include "gateway/entrance/malformed.h"
#include "gateway/entrance/websocket_handshake.h"
#include "gateway/handler.h"
#include "http/mime_multipart.h"
#include "json/splice.h"
#include "providers/families.h"
#include "routing/pattern.h"

namespace llmgw::gateway {
namespace {

using base::ErrorCode;
using chat::ClientError;
using chat::ErrorKind;
using control::Connection;
using control::Model;
using http::HeaderId;
using net::Task;

// Model names listed in a 404: enough to see a typing error, not the whole catalogue.
constexpr size_t kSuggestedModelsMax = 20;
// Of the lists of a key and of those above it, and of models that are patterns: a 404 must stay cheap.
constexpr size_t kComparedPatternsMax = 64;
// What OpenAI takes where a request names none (API reference, moderations, 2026-11).
constexpr std::string_view kModerationsModel = "omni-moderation-latest";

std::unexpected<ClientError> refusal(ErrorKind kind, std::string_view message, std::string_view param = {}) {
  return std::unexpected(ClientError{.kind = kind, .message = message, .param = param});
}

class Handler final : public http::RequestHandler {
 public:
  explicit Handler(Worker& worker) : worker_(worker) {}
  Task<void> handle(http::ServerExchange& exchange) override {
    Call call(worker_, exchange);
    co_await call.run();
  }
  http::MalformedAnswer malformed_request(const http::MalformedRequest& request) override {
    return answer_malformed(worker_, request);
  }
  void connection_failed(http::ConnectionFault fault, const base::Error& error, const net::Address& peer) override {
    note_connection_fault(worker_, fault, error, peer);
  }

 private:
  Worker& worker_;
};

}  // namespace

std::unique_ptr<http::RequestHandler> make_handler(Worker& worker) {
  return std::make_unique<Handler>(worker);
}

Call::Call(Worker& worker, http::ServerExchange& exchange, Kind kind)
    : worker_(worker),
      exchange_(exchange),
      kind_(kind),
      admission_{.generation = GenerationRef(worker.current()), .reservation = {}} {}

Call::Call(Worker& worker, http::ServerExchange& exchange, CallAdmission admission)
    : worker_(worker),
      exchange_(exchange),
      kind_(Kind::background),
      admission_(std::move(admission)),
      builds_on_memory_(true),
      admitted_(true) {}

Task<void> Call::run() {
  const http::RequestHead& head = exchange_.head();
  id_ = telemetry::RequestId::accept_or_mint(head.headers.value(HeaderId::x_request_id), worker_.loop().rng(),
                                             worker_.loop().wall_now());
  co_await dispatch();
  if (drained_unanswered()) co_await refuse({});
  settle();
}

void Call::give_up() {
  if (!drained_unanswered()) exchange_.abort();
}

bool Call::drained_unanswered() const {
  net::Cancellation& gone = exchange_.cancellation();
  return kind_ == Kind::ordinary && !exchange_.started() && gone.cancelled() && gone.reason() == ErrorCode::cancelled;
}

Task<void> Call::dispatch() {
  const http::RequestHead& head = exchange_.head();
  AdminEntrance* const admin = worker_.shared().admin;
  if (admin != nullptr && admin->owns(head.path)) {
    co_return co_await admin->handle(exchange_, generation_.snapshot());
  }
  const ClientHints hints{.anthropic_version = head.headers.has(HeaderId::anthropic_version),
                          .goog_api_key = head.headers.has(HeaderId::x_goog_api_key)};
  auto match = find_endpoint(head.method_text, head.path, hints);
  if (!match) {
    co_await refuse_endpoint(match.error());
    co_return;
  }
  match_ = *match;
  matched_ = true;
  switch (match_.operation) {
    case Operation::health: co_await answer_health(false); break;
    case Operation::ready: co_await answer_health(true); break;
    case Operation::metrics: co_await answer_metrics(); break;
    case Operation::models_list:
    case Operation::models_get: co_await answer_models(); break;
    default: co_await proxy(); break;
  }
}

Task<void> Call::proxy() {
  if (auto allowed = authenticate(); !allowed) co_return co_await refuse(allowed.error());
  has_own_headers_ = find_own_headers();
  if (has_own_headers_) [[unlikely]] {
    if (auto sound = check_own_headers(exchange_.head().headers, arena_); !sound)
      co_return co_await refuse(sound.error());
  }
  if (match_.websocket) {
    if (auto checked = check_websocket_handshake(exchange_.head()); !checked)
      co_return co_await refuse(checked.error());
  }
  auto body = co_await read_body();
  if (!body) co_return co_await refuse(body.error());
  if (auto verified = verify_signature(); !verified) co_return co_await refuse(verified.error());
  if (auto inspected = inspect_body(); !inspected) co_return co_await refuse(inspected.error());
  if (auto found = find_model_outside_body(); !found) co_return co_await refuse(found.error());
  if (asks_memory() && co_await answer_from_memory()) co_return;
  if (auto found = co_await find_memory(); !found) co_return co_await refuse(found.error());
  if (auto own = co_await check_maker(); !own) co_return co_await refuse(own.error());
  auto planned = match_.model_place == ModelPlace::none ? plan_without_model() : plan();
  if (!planned) co_return co_await refuse(planned.error());
  if (auto admitted = admit(); !admitted) co_return co_await refuse(admitted.error());
  if (!route().mirror.empty()) [[unlikely]]
    start_mirror();
  co_await try_instances();
}

Outcome<void> Call::authenticate() {
  const http::Headers& headers = exchange_.head().headers;
  const bool is_signed = providers::is_sigv4(headers.value(HeaderId::authorization));
  auto known = is_signed && !headers.repeated(HeaderId::authorization) ? authenticate_signed() : authenticate_key();
  return known ? check_standing() : known;
}

int64_t Call::wall_seconds() const {
  return std::chrono::floor<std::chrono::seconds>(worker_.loop().wall_now()).time_since_epoch().count();
}

Outcome<void> Call::check_standing() const {
  if (principal_->blocked) return refusal(ErrorKind::authentication, "the API key is blocked; ask who gave it to you");
  if (wall_seconds() >= principal_->expires.seconds) {
    return refusal(ErrorKind::authentication, "the API key has expired; ask for a new one");
  }
  return {};
}

Outcome<void> Call::authenticate_key() {
  const http::Headers& headers = exchange_.head().headers;
  for (const HeaderId id :
       {HeaderId::authorization, HeaderId::x_api_key, HeaderId::api_key, HeaderId::x_goog_api_key}) {
    if (headers.repeated(id)) return refusal(ErrorKind::invalid_request, "the credential header is there twice");
  }
  auto key = find_key({.authorization = headers.value(HeaderId::authorization),
                       .x_api_key = headers.value(HeaderId::x_api_key),
                       .api_key = headers.value(HeaderId::api_key),
                       .x_goog_api_key = headers.value(HeaderId::x_goog_api_key),
                       .query = exchange_.head().query},
                      arena_);
  std::string_view presented = match_.websocket && !key
                                   ? websocket_protocol_key(headers.value(HeaderId::sec_websocket_protocol))
                                   : std::string_view{};
  if (key) {
    presented = *key;
  } else if (presented.empty() && key.error().problem != KeyProblem::missing) {
    const bool ambiguous = key.error().problem == KeyProblem::ambiguous;
    return refusal(ambiguous ? ErrorKind::invalid_request : ErrorKind::authentication, key.error().message);
  }
  principal_ = generation_.snapshot().authenticate(presented, wall_seconds());
  if (principal_ != nullptr) return {};
  if (presented.empty()) return refusal(ErrorKind::authentication, key.error().message);
  return refusal(ErrorKind::authentication, "the API key is not known to this gateway; check the key and the address");
}

Task<Outcome<void>> Call::read_body() {
  const uint64_t bytes_max = generation_.snapshot().server.max_body_bytes.bytes;
  auto body = co_await exchange_.read_body(bytes_max);
  if (body) {
    body_ = *body;
    bytes_in_ = body_.size();
    co_return Outcome<void>{};
  }
  switch (body.error().code) {
    case ErrorCode::too_large:
      co_return refusal(ErrorKind::too_large,
                        arena_.concat("the request body is larger than this gateway accepts: server.max_body_bytes is ",
                                      arena_.copy(std::to_string(bytes_max))));
    case ErrorCode::deadline_exceeded:
      co_return refusal(ErrorKind::request_timeout, "the request body did not arrive in time");
    case ErrorCode::protocol: co_return refusal(ErrorKind::invalid_request, arena_.copy(body.error().context));
    default: co_return refusal(ErrorKind::invalid_request, "the connection ended inside the request body");
  }
}

Outcome<void> Call::inspect_body() {
  if (match_.model_place == ModelPlace::none || match_.model_place == ModelPlace::query || body_.empty()) {
    if (match_.model_place == ModelPlace::body) return refusal(ErrorKind::invalid_request, "the request has no body");
    return {};
  }
  const std::string_view coding = exchange_.head().headers.value(HeaderId::content_encoding);
  if (!coding.empty() && !base::equals_ignoring_case(coding, "identity")) {
    return std::unexpected(ClientError{
        .kind = ErrorKind::invalid_request,
        .message = arena_.concat("the request body is coded: send it without Content-Encoding: ", coding.substr(0, 40)),
        .status = 415});
  }
  const std::string_view body(body_.data(), body_.size());
  if (match_.model_place == ModelPlace::multipart || match_.form) {
    const auto type = http::parse_content_type(exchange_.head().headers.value(HeaderId::content_type));
    if (type && type->is("multipart/form-data")) {
      auto field = http::find_multipart_field(body, type->boundary, "model");
      if (!field) return refusal(ErrorKind::invalid_request, field.error().context, "model");
      if (*field) {
        body_model_span_ = body.substr((*field)->offset, (*field)->length);
        if (match_.model_place == ModelPlace::multipart) model_ = body_model_span_;
      }
      form_boundary_ = arena_.copy(type->boundary);
      return {};
    }
  }
  auto seen = peek(worker_.parser(), body, arena_);
  if (!seen) return refusal(ErrorKind::invalid_request, seen.error().message, seen.error().param);
  peek_ = *seen;
  body_is_json_ = true;
  body_model_span_ = peek_.model_span;
  if (match_.model_place != ModelPlace::path) model_ = peek_.model;
  return {};
}

Outcome<void> Call::find_model_outside_body() {
  if (match_.model_place == ModelPlace::path) {
    auto model = decode_model(match_.model, arena_);
    if (!model) return refusal(ErrorKind::invalid_request, model.error().context, "model");
    model_ = *model;
  } else if (match_.model_place == ModelPlace::query) {
    std::string_view query = exchange_.head().query;
    // A call that is under way already, or one whose session names its model itself.
    bool session_has_model = false;
    while (!query.empty()) {
      const std::string_view parameter = query.substr(0, query.find('&'));
      query.remove_prefix(std::min(query.size(), parameter.size() + 1));
      const size_t equals = parameter.find('=');
      const std::string_view name = parameter.substr(0, equals);
      session_has_model |= parameter.starts_with("call_id=") || parameter == "intent=transcription";
      if (equals == std::string_view::npos || (name != "model" && name != "deployment")) continue;
      auto model = decode_model(arena_.copy(base::query_text(parameter.substr(equals + 1))), arena_);
      if (!model) return refusal(ErrorKind::invalid_request, model.error().context, "model");
      model_ = *model;
    }
    if (model_.empty() && session_has_model) match_.model_place = ModelPlace::none;
  }
  if (model_.empty() && match_.operation == Operation::moderations) model_ = kModerationsModel;
  if (model_.empty() && match_.model_place != ModelPlace::none) {
    return refusal(ErrorKind::invalid_request, "the request names no model", "model");
  }
  return {};
}

// Names models this key may use, the nearest first: a typing error is then easy to see.
ClientError Call::unknown_model() const {
  const control::Snapshot& snapshot = generation_.snapshot();
  std::vector<std::string_view> names;
  for (const control::Assignment& own : snapshot.assignments_of(*principal_)) {
    if (snapshot.resolve(*principal_, own.alias)) names.push_back(own.alias);
  }
  const auto add = [&](std::string_view name) {
    if (names.size() > kSuggestedModelsMax || !snapshot.allows(*principal_, name)) return;
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  const routing::ModelTable& table = snapshot.model_table();
  for (const std::string_view name : table.suggest(model_, SIZE_MAX, principal_->models.patterns())) add(name);
  if (names.empty()) {
    for (const routing::Group& model : table.groups().first(table.exact_count())) add(model.name);
  }
  // Of models that are patterns, what the lists of the key and of those above it leave.
  auto patterns = table.groups().subspan(table.exact_count());
  patterns = patterns.first(std::min(patterns.size(), kComparedPatternsMax));
  for (const routing::Group& model : patterns) add(model.name);
  const auto add_served = [&](const control::ModelFilter& list) {
    for (const std::string_view own : list.patterns().first(std::min(list.patterns().size(), kComparedPatternsMax))) {
      // One that holds a whole pattern says no more than that.
      const auto serves = [own](const routing::Group& model) {
        return routing::overlap(model.name, own) && !routing::matches(own, model.name);
      };
      if (std::ranges::any_of(patterns, serves)) add(own);
    }
  };
  add_served(principal_->models);
  if (principal_->user != control::kNone) add_served(snapshot.users[principal_->user].models);
  if (principal_->team != control::kNone) add_served(snapshot.teams[principal_->team].models);
  if (principal_->organization != control::kNone) add_served(snapshot.organizations[principal_->organization].models);
  std::string text;
  for (const std::string_view name : std::span(names).first(std::min(names.size(), kSuggestedModelsMax))) {
    text += (text.empty() ? "this key may use: " : ", ") + std::string(name);
  }
  if (names.size() > kSuggestedModelsMax) text += ", ...";
  if (table.groups().empty()) text = "no model is configured";
  if (text.empty())
    text = "there is no model that this key's list, and those of its user, team and organization, allow";
  auto& arena = const_cast<base::Arena&>(arena_);
  const std::string message = "the model '" + std::string(model_.substr(0, 200)) + "' does not exist; " + text;
  return {.kind = ErrorKind::model_not_found, .message = arena.copy(message), .param = "model"};
}

// Whether the connection answers the call as it is. One that says which of OpenAI's two APIs it has, has only that.
bool Call::native(const Connection& connection, std::string_view model) const {
  if (!providers::speaks(connection.upstream, model, surface())) return false;
  if (match_.operation == Operation::chat) return connection.api != control::UpstreamApi::responses;
  const bool responses =
      match_.operation == Operation::responses_create || match_.operation == Operation::responses_input_tokens;
  if (responses) return connection.api != control::UpstreamApi::chat;
  // Bedrock counts for Claude, and has a body of its own for it.
  const bool bedrock = connection.upstream.provider->kind == providers::ProviderKind::bedrock;
  if (bedrock && match_.operation == Operation::count_tokens) {
    return match_.dialect == chat::Dialect::bedrock && providers::is_claude(model);
  }
  return true;
}

// Without a model the key's first connection that speaks the API is meant, or the one named by a header.
Outcome<uint32_t> Call::find_without_model() const {
  const control::Snapshot& snapshot = generation_.snapshot();
  const std::string_view wanted = exchange_.head().headers.value(kConnectionHeader);
  std::optional<uint32_t> best;  // a model
  const auto rank = [&](uint32_t model) {
    return std::pair(snapshot.connections[snapshot.models[model].connection].priority, model);
  };
  const auto consider = [&](uint32_t model) {
    const Connection& connection = snapshot.connections[snapshot.models[model].connection];
    if (!wanted.empty() && connection.name != wanted) return;
    if (!providers::speaks(connection.upstream, {}, surface())) return;
    if (asks_memory() && connection.api == control::UpstreamApi::chat) return;
    if (!best || rank(model) < rank(*best)) best = model;
  };
  for (uint32_t i = 0; i < snapshot.models.size(); ++i) {
    if (snapshot.allows(*principal_, snapshot.models[i].name)) consider(i);
  }
  for (const control::Assignment& own : snapshot.assignments_of(*principal_)) {
    if (!snapshot.allows(*principal_, own)) continue;
    for (const routing::Target& target : own.group.targets) consider(target.id);
  }
  if (!best) {
    return refusal(ErrorKind::not_found,
                   wanted.empty() ? "no connection of this key speaks the API of this endpoint"
                                  : "no connection of that name speaks the API of this endpoint for this key");
  }
  return snapshot.models[*best].connection;
}

providers::Surface Call::surface() const {
  switch (match_.dialect) {
    case chat::Dialect::azure: return providers::Surface::azure;
    case chat::Dialect::anthropic: return providers::Surface::anthropic;
    case chat::Dialect::gemini: return providers::Surface::gemini;
    case chat::Dialect::vertex: return providers::Surface::vertex;
    case chat::Dialect::bedrock: return providers::Surface::bedrock;
    case chat::Dialect::cohere: return providers::Surface::cohere;
    default:
      // Azure's v1 API: its paths are OpenAI's, its query is not.
      return exchange_.head().path.starts_with("/openai/") ? providers::Surface::azure_v1 : providers::Surface::openai;
  }
}

// The client's path under the surface's own root, whatever alias of it the client used.
std::string_view Call::canonical_path() {
  const std::string_view path = exchange_.head().path;
  switch (surface()) {
    case providers::Surface::openai:
    case providers::Surface::anthropic: return arena_.concat("/v1/", match_.tail);
    case providers::Surface::azure_v1: return arena_.concat("/openai/v1/", match_.tail);
    case providers::Surface::bedrock: return arena_.concat("/model/", match_.tail);
    case providers::Surface::cohere: return arena_.concat("/v2/", match_.tail);
    case providers::Surface::gemini: return path.starts_with("/gemini/") ? path.substr(7) : path;
    default: return path;
  }
}

Outcome<Attempt> Call::address(const Model* model, uint32_t connection_index) {
  const Connection& connection = generation_.snapshot().connections[connection_index];
  Attempt attempt{
      .model = model, .connection = &connection, .connection_index = connection_index, .target = {}, .body = {}};
  const providers::ClientCall call{
      .surface = surface(),
      .path = canonical_path(),
      .query = exchange_.head().query,
      .model = model != nullptr ? model->upstream_name(plan_.model) : std::string_view{},
      .deployment = model != nullptr ? std::string_view(model->deployment) : std::string_view{},
      .stream = streams()};
  auto target = providers::make_upstream_target(connection.upstream, call, arena_);
  if (!target) {
    const bool unsupported = target.error().code == ErrorCode::unsupported;
    return refusal(unsupported ? ErrorKind::unsupported : ErrorKind::invalid_request, target.error().context);
  }
  attempt.target = target->path_and_query;
  auto body = edit_body(*target, attempt.warnings);
  if (!body) return std::unexpected(body.error());
  attempt.body = *body;
  if (auto fitted = fit_body(attempt, call.model); !fitted) return std::unexpected(fitted.error());
  return attempt;
}

}  // namespace llmgw::gateway
