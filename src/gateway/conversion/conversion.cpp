#include "gateway/conversion/conversion.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/base64.h"
#include "dialects/anthropic/host_body.h"
#include "dialects/counting.h"
#include "dialects/losses.h"
#include "dialects/media.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::gateway {

using chat::Dialect;
using dialects::anthropic::Betas;
using providers::ProviderKind;
using providers::Surface;

namespace {

// What Claude's betas are called in a body, and in Converse's.
constexpr std::string_view kBetas = "anthropic_beta";
constexpr std::string_view kConverseBetas = "additionalModelRequestFields.anthropic_beta";

// Servers lie about types, providers refuse what does not match: the first bytes know better (WHATWG MIME Sniffing,
// section 6.1, 2024).
std::string_view sniff_media_type(std::string_view bytes) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kMagic{{
      {"\x89PNG\r\n\x1a\n", "image/png"},
      {"\xff\xd8\xff", "image/jpeg"},
      {"GIF87a", "image/gif"},
      {"GIF89a", "image/gif"},
      {"%PDF-", "application/pdf"},
  }};
  for (const auto& [magic, type] : kMagic) {
    if (bytes.starts_with(magic)) return type;
  }
  if (bytes.starts_with("RIFF") && bytes.substr(std::min<size_t>(8, bytes.size())).starts_with("WEBP")) {
    return "image/webp";
  }
  return {};
}

// No provider can read what is no base64, and some say so in words that nobody understands.
dialects::Outcome<void> check_media(const chat::List<chat::Part>& parts, std::string_view messages) {
  for (const chat::Part& part : parts) {
    if (auto checked = check_media(part.content, messages); !checked) return checked;
    const chat::Media* const media = part.media;
    if (media == nullptr || media->source != chat::MediaSource::base64 || base::is_base64(media->data)) continue;
    return std::unexpected(chat::ClientError{.kind = chat::ErrorKind::invalid_request,
                                             .message = "the bytes of an image or document are not in base64",
                                             .param = media->path.empty() ? messages : media->path});
  }
  return {};
}

ConvertedApi make(Dialect dialect, Surface surface, std::string_view path, std::string_view query = {}) {
  return {.codec = dialects::find_codec(dialect), .surface = surface, .path = path, .query = query};
}

// How the connection counts a prompt's tokens. Bedrock does so for Claude only, and by Converse's body whichever way
// Claude is called.
ConvertedApi counting_api(const control::Connection& connection, std::string_view model) {
  const ProviderKind kind = connection.upstream.provider->kind;
  if (kind == ProviderKind::bedrock) {
    return make(Dialect::bedrock, Surface::bedrock, providers::is_claude(model) ? "/model/m/count-tokens" : "");
  }
  if (providers::speaks(connection.upstream, model, Surface::anthropic)) {
    return make(Dialect::anthropic, Surface::anthropic, "/v1/messages/count_tokens");
  }
  switch (kind) {
    case ProviderKind::openai:
    case ProviderKind::azure:
      return connection.api == control::UpstreamApi::chat
                 ? make(Dialect::openai_chat, Surface::openai, "")
                 : make(Dialect::openai_responses, Surface::openai, "/v1/responses/input_tokens");
    case ProviderKind::google:
    case ProviderKind::vertex: return make(Dialect::gemini, Surface::gemini, "/v1beta/models/m:countTokens");
    case ProviderKind::cohere: return make(Dialect::cohere, Surface::cohere, "");
    default: return {};
  }
}

}  // namespace

bool is_chat(Operation operation) {
  switch (operation) {
    case Operation::chat:
    case Operation::responses_create:
    case Operation::messages:
    case Operation::generate_content:
    case Operation::stream_generate_content:
    case Operation::converse:
    case Operation::converse_stream:
    case Operation::invoke:
    case Operation::invoke_stream: return true;
    default: return false;
  }
}

bool generates(Operation operation) {
  return is_chat(operation) || operation == Operation::completions;
}

bool is_own_answer(Operation operation) {
  switch (operation) {
    case Operation::completions:
    case Operation::embeddings:
    case Operation::responses_input_tokens:
    case Operation::responses_compact:
    case Operation::rerank:
    case Operation::moderations:
    case Operation::images:
    case Operation::audio_speech:
    case Operation::audio_transcription:
    case Operation::count_tokens:
    case Operation::embed_content:
    case Operation::batch_embed_contents: return true;
    default: return is_chat(operation);
  }
}

bool answers_json(Operation operation) {
  return is_own_answer(operation) && operation != Operation::audio_speech &&
         operation != Operation::audio_transcription;
}

bool only_answers(Operation operation) {
  switch (operation) {
    case Operation::completions:
    case Operation::embeddings:
    case Operation::rerank:
    case Operation::count_tokens: return true;
    case Operation::responses_create: return false;
    default: return is_chat(operation);
  }
}

bool counts_tokens(Operation operation) {
  return operation == Operation::count_tokens || operation == Operation::responses_input_tokens;
}

Dialect body_dialect(Operation operation, Dialect client) {
  return operation == Operation::invoke || operation == Operation::invoke_stream ? Dialect::anthropic : client;
}

ConvertedApi convertible(Operation operation, const control::Connection& connection, std::string_view model,
                         bool streams) {
  if (counts_tokens(operation)) return counting_api(connection, model);
  if (!is_chat(operation)) return {};
  const ProviderKind kind = connection.upstream.provider->kind;
  if (providers::speaks(connection.upstream, model, Surface::anthropic)) {
    return make(Dialect::anthropic, Surface::anthropic, "/v1/messages");
  }
  switch (kind) {
    case ProviderKind::openai:
    case ProviderKind::azure:
      return connection.api == control::UpstreamApi::responses
                 ? make(Dialect::openai_responses, Surface::openai, "/v1/responses")
                 : make(Dialect::openai_chat, Surface::openai, "/v1/chat/completions");
    case ProviderKind::google:
    case ProviderKind::vertex:
      return streams ? make(Dialect::gemini, Surface::gemini, "/v1beta/models/m:streamGenerateContent", "alt=sse")
                     : make(Dialect::gemini, Surface::gemini, "/v1beta/models/m:generateContent");
    case ProviderKind::bedrock:
      return make(Dialect::bedrock, Surface::bedrock, streams ? "/model/m/converse-stream" : "/model/m/converse");
    case ProviderKind::cohere: return make(Dialect::cohere, Surface::cohere, "/v2/chat");
    default: return {};
  }
}

ConvertedApi responses_api() {
  return make(Dialect::openai_responses, Surface::openai, "/v1/responses");
}

dialects::Outcome<void> Conversion::read(std::string_view body, std::string_view model, bool streams,
                                         const chat::List<chat::Spelling>& places) {
  const dialects::ReadContext context{
      .parser = parser_, .arena = arena_, .minter = chat::native_minter(client_.dialect), .model = {}, .id_seed = {}};
  request_ = {.from = client_.dialect, .spellings = places};
  betas_.clear();
  request_.model = model;
  if (enveloped_) {
    auto plain = plain_body(body, streams, context);
    if (!plain) return named(plain.error());
    body = *plain;
  }
  const dialects::Outcome<void> read =
      counts_tokens(operation_) ? dialects::find_counting(client_.dialect)->read_request(body, context, request_)
                                : client_.read_request(body, context, request_);
  request_.model = model;
  request_.stream = streams;
  gather_betas();
  gather_tier();
  warnings_.speak_as(request_.spellings);
  read_warnings_ = warnings_.list().size();
  if (!read) return named(read.error());
  for (const chat::Message& message : request_.messages) {
    if (auto checked = check_media(message.parts, messages_field()); !checked) return named(checked.error());
  }
  return read;
}

// The member at fault by the client's own name; in the message too where the dialect's errors have no place for it.
std::unexpected<chat::ClientError> Conversion::named(chat::ClientError error) const {
  using chat::Dialect;
  error.param = warnings_.name_of(error.param);
  const bool has_place = client_.dialect == Dialect::openai_chat || client_.dialect == Dialect::openai_responses;
  if (!has_place && !error.param.empty() && error.message.find(error.param) == std::string_view::npos) {
    const std::string message = std::string(error.param) + ": " + std::string(error.message);
    error.message = arena_.copy(message);
  }
  return std::unexpected(error);
}

// Claude's own body, out of another cloud's envelope.
dialects::Outcome<std::string_view> Conversion::plain_body(std::string_view body, bool streams,
                                                           const dialects::ReadContext& context) {
  std::string plain;
  auto written = dialects::anthropic::write_plain_body(body, request_.model, streams, context, plain, betas_);
  if (!written) return std::unexpected(written.error());
  return arena_.copy(plain);
}

// Out of the request, into which they are put again where the target has them in its body.
void Conversion::gather_betas() {
  chat::List<chat::Extra> others;
  for (const chat::Extra& extra : request_.extras) {
    const bool own = extra.name == kBetas;
    if (own || extra.name == kConverseBetas) {
      const auto value = json::parse_tree(parser_, extra.value, arena_);
      if (!value || !dialects::anthropic::add_betas(*value, arena_, betas_))
        warnings_.dropped(extra.name, "it is no list of names");
    }
    if (!own) others.push(arena_, extra);
  }
  request_.extras = others;
  if (betas_.empty()) request_.spellings.push(arena_, {.field = kBetas, .client = kBetasHeader});
}

// What a client of InvokeModel has in the head, one of Converse has in the body.
void Conversion::gather_tier() {
  tier_in_head_ = !head_.service_tier.empty() && request_.service_tier.empty();
  if (tier_in_head_) request_.spellings.push(arena_, {.field = "service_tier", .client = kBedrockTierHeader});
}

// At Anthropic and on Vertex they are a header, by InvokeModel a member of the envelope, by Converse one of the
// additional fields. Other providers' writers say that they have none.
void Conversion::place_betas() {
  if (!request_.extras.empty() && request_.extras.back().name == kBetas)
    request_.extras.pop();  // for an attempt before
  const bool claudes_own = provider_->dialect == Dialect::anthropic;
  const bool converse = provider_->dialect == Dialect::bedrock && target_.bedrock == chat::BedrockFamily::claude;
  const auto* const taken = converse                               ? &dialects::anthropic::kConverseBetas
                            : claudes_own && envelope_.drop_stream ? &dialects::anthropic::kInvokeBetas
                                                                   : nullptr;
  // Any other provider of the client's own API gets the header as one.
  const bool header_goes = !claudes_own && dialects::same_format(client_.dialect, provider_->dialect);
  const auto chosen = dialects::anthropic::choose_betas(header_goes ? Betas{} : head_.betas, betas_, taken, arena_);
  placed_betas_ = chosen.taken;
  if (!chosen.refused.empty()) {
    warnings_.dropped(kBetasHeader, dialects::anthropic::why_refused(chosen, *taken, arena_));
  }
  // What a client of Converse has in its body is there.
  if (claudes_own || client_.dialect == Dialect::bedrock || placed_betas_.empty()) return;
  const std::string_view member = dialects::anthropic::betas_member(placed_betas_, arena_);
  request_.extras.push(arena_, {.name = kBetas, .value = member});
}

std::string_view Conversion::betas_header() const {
  if (provider_->dialect != Dialect::anthropic || envelope_.drop_stream) return {};
  return dialects::anthropic::betas_header(placed_betas_, arena_);
}

// A guardrail that nobody checks is no guardrail.
dialects::Outcome<void> Conversion::place_head() {
  // InvokeModel itself reads them.
  const bool pass = headers_pass_ && envelope_.drop_stream;
  if (tier_in_head_) request_.service_tier = pass ? std::string_view{} : head_.service_tier;
  if (pass || counts_tokens(operation_)) return {};
  if (!head_.guardrail.empty()) {
    return std::unexpected(chat::ClientError{.kind = chat::ErrorKind::unsupported,
                                             .message = "A guardrail in the head is checked by Bedrock's InvokeModel "
                                                        "only: leave it out, or choose a model that is called so.",
                                             .param = head_.guardrail});
  }
  constexpr std::string_view kNone = "this model's API has no such parameter";
  if (!head_.trace.empty()) warnings_.dropped(head_.trace, kNone);
  if (!head_.latency.empty()) warnings_.dropped(kBedrockLatencyHeader, kNone);
  return {};
}

void Conversion::aim(const dialects::Codec& provider, const chat::Target& target,
                     const providers::BodyEnvelope& envelope) {
  provider_ = &provider;
  target_ = target;
  envelope_ = envelope;
}

std::vector<RemoteMedia> Conversion::remote_media() {
  std::vector<RemoteMedia> found;
  std::unordered_map<std::string_view, size_t> known;
  const auto visit = [&](auto& self, chat::List<chat::Part>& parts) -> void {
    for (chat::Part& part : parts) {
      if (part.kind == chat::PartKind::tool_result) self(self, part.content);
      const bool fetched_there = part.kind == chat::PartKind::image      ? target_.image_urls
                                 : part.kind == chat::PartKind::document ? target_.document_urls
                                                                         : true;
      if (fetched_there || part.media == nullptr || part.media->source != chat::MediaSource::url) continue;
      const std::string_view url = part.media->data;
      if (!dialects::is_web_address(url)) continue;
      const auto [place, is_new] = known.try_emplace(url, found.size());
      if (is_new) found.push_back({.url = url, .parts = {}});
      found[place->second].parts.push(arena_, &part);
    }
  };
  for (chat::Message& message : request_.messages) visit(visit, message.parts);
  return found;
}

bool Conversion::replace_media(const RemoteMedia& remote, std::string_view bytes, std::string_view media_type) {
  const std::string_view sniffed = sniff_media_type(bytes);
  // A page that says that there is no such picture has status 200 often enough.
  const bool is_text = sniffed.empty() && media_type.starts_with("text/");
  if (is_text &&
      std::ranges::any_of(remote.parts, [](const chat::Part* part) { return part->kind == chat::PartKind::image; })) {
    return false;
  }
  const std::string_view encoded = base::base64_encode(bytes, arena_);
  const std::string_view type = arena_.copy(!sniffed.empty() ? sniffed : media_type);
  for (chat::Part* const part : remote.parts) {
    chat::Media media = *part->media;
    media.source = chat::MediaSource::base64;
    media.data = encoded;
    media.media_type = type;
    part->media = arena_.make<chat::Media>(media);
  }
  return true;
}

dialects::Outcome<std::string_view> Conversion::write() {
  body_.clear();
  // What an earlier attempt's target could not take, this one may.
  warnings_.keep_first(read_warnings_);
  if (auto placed = place_head(); !placed) return named(placed.error());
  place_betas();
  dialects::WriteContext context{.parser = parser_, .arena = arena_, .warnings = warnings_};
  if (auto written = write_body(context); !written) {
    return named(written.error());
  }
  format_tool_ = context.format_tool;
  documents_ = context.documents;
  if (envelope_.any()) {
    if (auto wrapped = wrap(); !wrapped) return std::unexpected(wrapped.error());
  }
  return std::string_view(body_);
}

dialects::Outcome<void> Conversion::write_body(dialects::WriteContext& context) {
  if (!counts_tokens(operation_)) return provider_->write_request(request_, target_, context, body_);
  return dialects::find_counting(provider_->dialect)->write_request(request_, target_, context, body_);
}

// Claude on another cloud.
dialects::Outcome<void> Conversion::wrap() {
  namespace anthropic = dialects::anthropic;
  if (!envelope_.drop_model) {
    std::string version(R"("anthropic_version":)");
    json::append_quoted(version, envelope_.anthropic_version);
    body_.insert(1, version + ",");
    return {};
  }
  const auto host = envelope_.drop_stream ? anthropic::Host::bedrock : anthropic::Host::vertex;
  std::string wrapped;
  // Vertex has the betas as a header.
  if (auto written = anthropic::write_host_body(body_, host, placed_betas_, read_context({}), wrapped); !written) {
    return written;
  }
  body_ = std::move(wrapped);
  return {};
}

}  // namespace llmgw::gateway
