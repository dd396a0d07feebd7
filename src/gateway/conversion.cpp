#include "gateway/conversion.h"

#include <algorithm>
#include <array>

#include "base/base64.h"
#include "dialects/anthropic/host_body.h"

namespace llmgw::gateway {

using chat::Dialect;
using providers::ProviderKind;
using providers::Surface;

namespace {

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

// Whether the operation belongs to the family that is converted.
bool is_chat(Operation operation) {
  switch (operation) {
    case Operation::chat:
    case Operation::responses_create:
    case Operation::messages:
    case Operation::generate_content:
    case Operation::stream_generate_content:
    case Operation::converse:
    case Operation::converse_stream: return true;
    default: return false;
  }
}

}  // namespace

ConvertedApi convertible(Operation operation, const control::Connection& connection, std::string_view model,
                         bool streams) {
  if (!is_chat(operation)) return {};
  const auto make = [](Dialect dialect, Surface surface, std::string_view path, std::string_view query = {}) {
    return ConvertedApi{.codec = dialects::find_codec(dialect), .surface = surface, .path = path, .query = query};
  };
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

dialects::Outcome<void> Conversion::read(std::string_view body, std::string_view model, bool streams) {
  const dialects::ReadContext context{
      .parser = parser_, .arena = arena_, .minter = chat::native_minter(client_.dialect), .model = {}, .id_seed = {}};
  request_ = {.from = client_.dialect};
  if (auto read = client_.read_request(body, context, request_); !read) return read;
  request_.model = model;
  request_.stream = streams;
  return {};
}

void Conversion::aim(const dialects::Codec& provider, const chat::Target& target,
                     const providers::BodyEnvelope& envelope) {
  provider_ = &provider;
  target_ = target;
  envelope_ = envelope;
}

chat::List<chat::Part*> Conversion::remote_media() {
  chat::List<chat::Part*> found;
  const auto visit = [&](auto& self, chat::List<chat::Part>& parts) -> void {
    for (chat::Part& part : parts) {
      if (part.kind == chat::PartKind::tool_result) self(self, part.content);
      const bool fetched_there = part.kind == chat::PartKind::image      ? target_.image_urls
                                 : part.kind == chat::PartKind::document ? target_.document_urls
                                                                         : true;
      if (fetched_there || part.media == nullptr || part.media->source != chat::MediaSource::url) continue;
      const std::string_view url = part.media->data;
      if (url.starts_with("http://") || url.starts_with("https://")) found.push(arena_, &part);
    }
  };
  for (chat::Message& message : request_.messages) visit(visit, message.parts);
  return found;
}

void Conversion::replace_media(chat::Part& part, std::string_view bytes, std::string_view media_type) {
  chat::Media media = *part.media;
  media.source = chat::MediaSource::base64;
  media.data = base::base64_encode(bytes, arena_);
  const std::string_view sniffed = sniff_media_type(bytes);
  media.media_type = arena_.copy(!sniffed.empty() ? sniffed : media_type);
  part.media = arena_.make<chat::Media>(media);
}

dialects::Outcome<std::string_view> Conversion::write() {
  body_.clear();
  dialects::WriteContext context{.parser = parser_, .arena = arena_, .warnings = warnings_};
  if (auto written = provider_->write_request(request_, target_, context, body_); !written) {
    return std::unexpected(written.error());
  }
  if (envelope_.any()) {
    // Claude on another cloud.
    namespace anthropic = dialects::anthropic;
    const auto host = envelope_.drop_stream ? anthropic::Host::bedrock : anthropic::Host::vertex;
    std::string wrapped;
    if (auto written = anthropic::write_host_body(body_, host, {}, read_context({}), wrapped); !written) {
      return std::unexpected(written.error());
    }
    body_ = std::move(wrapped);
  }
  return std::string_view(body_);
}

}  // namespace llmgw::gateway
