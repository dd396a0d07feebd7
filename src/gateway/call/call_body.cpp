// The body of a call to an upstream of the client's own API: as it came, but for the model's name, what was said to the
// gateway, the envelopes in which other clouds take Claude's, what a vendor of OpenAI's API refuses, and marks of the
// cache that the connection asks for.
#include "dialects/anthropic/betas.h"
#include "dialects/anthropic/host_body.h"
#include "dialects/cache_marks.h"
#include "dialects/openai_chat/vendor_body.h"
#include "gateway/call/call.h"
#include "gateway/conversion/nested_models.h"
#include "json/splice.h"
#include "providers/families.h"

namespace llmgw::gateway {

using chat::ClientError;
using chat::ErrorKind;
using http::HeaderId;

namespace {

std::unexpected<ClientError> refusal(ErrorKind kind, std::string_view message) {
  return std::unexpected(ClientError{.kind = kind, .message = message});
}

}  // namespace

// The body without what was said to the gateway.
Outcome<std::string_view> Call::unrouted_body() {
  const std::string_view body(body_.data(), body_.size());
  if (!body_is_json_ || peek_.owned_by_span.empty()) return body;
  const json::Edit cut{peek_.owned_by_span, {}};
  auto pieces = json::splice(body, {&cut, 1});
  if (!pieces) return refusal(ErrorKind::internal, pieces.error().context);
  return pieces->joined(arena_);
}

// Claude's own body, out of another cloud's envelope, as Anthropic's clients send it.
Outcome<std::string_view> Call::plain_body(std::string_view model) {
  const dialects::ReadContext context{
      .parser = worker_.parser(), .arena = arena_, .minter = chat::Minter::none, .model = {}, .id_seed = {}};
  TRY(body, unrouted_body());
  std::string plain;
  chat::List<std::string_view> betas;
  auto written = dialects::anthropic::write_plain_body(body, model, streams(), context, plain, betas);
  if (!written) return std::unexpected(written.error());
  body_betas_ = dialects::anthropic::betas_header(betas, arena_);
  return arena_.copy(plain);
}

// Where the body has no place for them, and Vertex takes them as a header, too.
bool Call::add_betas(http::Headers& headers, std::string_view betas) {
  if (betas.empty()) return true;
  dialects::anthropic::Betas all;
  dialects::anthropic::add_betas(headers.value(HeaderId::anthropic_beta), arena_, all);
  dialects::anthropic::add_betas(betas, arena_, all);
  headers.remove(HeaderId::anthropic_beta);
  return headers.append(HeaderId::anthropic_beta, dialects::anthropic::betas_header(all, arena_));
}

// Claude's body as another cloud takes it.
Outcome<json::Pieces> Call::wrap_body(std::string_view body, const providers::BodyEnvelope& envelope,
                                      std::string_view& warnings) {
  using dialects::anthropic::Host;
  const dialects::ReadContext context{
      .parser = worker_.parser(), .arena = arena_, .minter = chat::Minter::none, .model = {}, .id_seed = {}};
  std::string wrapped;
  const auto host = envelope.drop_stream ? Host::bedrock : Host::vertex;
  // A header that Bedrock has a member for. Vertex has them as the header that they are.
  dialects::anthropic::Betas head;
  dialects::anthropic::Betas own;
  dialects::anthropic::add_betas(exchange_.head().headers.value(HeaderId::anthropic_beta), arena_, head);
  dialects::anthropic::add_betas(body_betas_, arena_, own);
  const auto* const taken = host == Host::bedrock ? &dialects::anthropic::kInvokeBetas : nullptr;
  const auto chosen = dialects::anthropic::choose_betas(head, own, taken, arena_);
  if (auto written = dialects::anthropic::write_host_body(body, host, chosen.taken, context, wrapped); !written) {
    return std::unexpected(written.error());
  }
  if (!chosen.refused.empty()) {
    chat::Warnings told(arena_, match_.dialect);
    told.dropped(kBetasHeader, dialects::anthropic::why_refused(chosen, *taken, arena_));
    warnings = arena_.copy(told.header());
  }
  auto pieces = json::splice(arena_.copy(wrapped), {});
  if (!pieces) return refusal(ErrorKind::internal, pieces.error().context);
  return *pieces;
}

// The version that another cloud wants in a body which keeps its model.
json::Edit Call::version_edit(std::string_view body, const providers::BodyEnvelope& envelope) {
  const std::string_view version = json::quoted(arena_, envelope.anthropic_version);
  return {body.substr(body.find('{') + 1, 0), arena_.concat(arena_.concat("\"anthropic_version\":", version), ",")};
}

// A field to stand before the first of the client's form.
std::string_view Call::form_field(std::string_view name, std::string_view value) {
  const std::string_view line = arena_.concat(arena_.concat("--", form_boundary_), "\r\n");
  const std::string_view head =
      arena_.concat(arena_.concat("Content-Disposition: form-data; name=\"", name), "\"\r\n\r\n");
  return arena_.concat(arena_.concat(line, head), arena_.concat(value, "\r\n"));
}

// Everything but the model's name and the routing member stays as it came.
Outcome<json::Pieces> Call::edit_body(const providers::UpstreamTarget& target, std::string_view& warnings) {
  std::string_view body(body_.data(), body_.size());
  const bool gemini = match_.dialect == chat::Dialect::gemini || match_.dialect == chat::Dialect::vertex;
  if (gemini && body_is_json_ && target.model != model_) {
    auto replaced = replace_nested_models(worker_.parser(), body, target.model, arena_);
    if (!replaced) return refusal(ErrorKind::invalid_request, replaced.error().context);
    if (replaced->data() != body.data()) {
      // The spans of the peek point into the old text, and none of its members is Gemini's.
      auto pieces = json::splice(*replaced, {});
      if (!pieces) return refusal(ErrorKind::internal, pieces.error().context);
      return *pieces;
    }
  }
  const bool enveloped = match_.enveloped && match_.dialect == chat::Dialect::anthropic;
  if (enveloped || target.envelope.drop_model) {
    TRY(plain, enveloped ? plain_body(target.model) : unrouted_body());
    if (target.envelope.drop_model) return wrap_body(plain, target.envelope, warnings);
    const bool versioned = !target.envelope.anthropic_version.empty();
    const json::Edit edit = versioned ? version_edit(plain, target.envelope) : json::Edit{};
    auto pieces = json::splice(plain, {&edit, versioned ? size_t{1} : size_t{0}});
    if (!pieces) return refusal(ErrorKind::internal, pieces.error().context);
    return *pieces;
  }
  json::Edit edits[3];
  size_t count = 0;
  if (!target.envelope.anthropic_version.empty()) edits[count++] = version_edit(body, target.envelope);
  if (body_is_json_ && !peek_.owned_by_span.empty()) edits[count++] = {peek_.owned_by_span, {}};
  if (target.body_model == providers::BodyModel::set && !body.empty()) {
    if (body_model_span_.data() != nullptr && (!body_is_json_ || peek_.has_model)) {
      const std::string_view now = body_is_json_ ? peek_.model : body_model_span_;
      if (now != target.model) {
        edits[count++] = {body_model_span_, body_is_json_ ? json::quoted(arena_, target.model) : target.model};
      }
    } else if (body_is_json_) {
      const size_t brace = body.find('{');
      const bool empty_object = body.find_first_not_of(" \t\r\n", brace + 1) == body.find('}', brace);
      const std::string_view member = arena_.concat("\"model\":", json::quoted(arena_, target.model));
      edits[count++] = {body.substr(brace + 1, 0), empty_object ? member : arena_.concat(member, ",")};
    } else if (!form_boundary_.empty()) {
      edits[count++] = {body.substr(0, 0), form_field("model", target.model)};
    }
  }
  auto pieces = json::splice(body, {edits, count});
  if (!pieces) return refusal(ErrorKind::internal, pieces.error().context);
  return *pieces;
}

// By the table of what is at the other end: what it refuses goes, the marks that the connection asks for come.
Outcome<void> Call::fit_body(Attempt& attempt, std::string_view model) {
  const providers::Upstream& upstream = attempt.connection->upstream;
  if (!body_is_json_ || !is_chat(match_.operation)) return {};
  const bool has_quirks =
      match_.dialect == chat::Dialect::openai_chat && match_.operation == Operation::chat && upstream.own_quirks;
  const chat::Dialect api = body_dialect(match_.operation, match_.dialect);
  // Others than Claude have bodies of their own for InvokeModel.
  const bool marks = (upstream.auto_cache.system || upstream.auto_cache.tools) &&
                     (api == match_.dialect || providers::is_claude(model));
  // No model of Claude refuses its clients' marks.
  const bool points = api == chat::Dialect::bedrock && !providers::is_claude(model) &&
                      dialects::may_have_cache_marks({body_.data(), body_.size()}, api);
  if (!has_quirks && !marks && !points) return {};
  const chat::Target target = providers::target_for(upstream, providers::ChatApi::chat, model);
  const bool fits = !has_quirks || !dialects::openai_chat::may_need_fitting({body_.data(), body_.size()}, target);
  if (fits && !marks && !points) return {};
  std::string_view body = attempt.body.joined(arena_);
  chat::Warnings warnings(arena_, match_.dialect);
  if (!fits) body = dialects::openai_chat::fit_vendor_body(body, target, worker_.parser(), arena_, warnings);
  // The client has chosen what is to be cached, also where it is left out.
  if (points) {
    body = dialects::drop_cache_marks(body, api, target, worker_.parser(), arena_, warnings);
  } else if (marks) {
    body = dialects::add_cache_marks(body, api, target, worker_.parser(), arena_);
  }
  if (const std::string header = warnings.header(); !header.empty()) attempt.warnings = arena_.copy(header);
  auto pieces = json::splice(body, {});
  if (!pieces) return refusal(ErrorKind::internal, pieces.error().context);
  attempt.body = *pieces;
  return {};
}

}  // namespace llmgw::gateway
