#include "dialects/openai_chat/message_writer.h"

#include "dialects/media.h"
#include "json/tree.h"

namespace llmgw::dialects::openai_chat {

using chat::Part;
using chat::PartKind;
using chat::SignaturePlace;

std::string_view signature_text(const chat::Signature& signature, SignaturePlace place, base::Arena& arena) {
  const bool own = signature.minter == chat::Minter::other && place == SignaturePlace::thinking;
  if (own && signature.id.empty()) return signature.data;
  chat::Signature placed = signature;
  placed.place = place;
  return chat::wrap_signature(placed, arena);
}

void write_detail(json::Writer& w, const Part& part, uint32_t index, base::Arena& arena) {
  w.begin_object();
  if (part.kind == PartKind::text) {
    const SignaturePlace place = part.text.empty() ? SignaturePlace::own_part : SignaturePlace::next_part;
    w.member("type", "reasoning.encrypted").member("data", signature_text(*part.signature, place, arena));
  } else if (part.redacted) {
    w.member("type", "reasoning.encrypted");
    w.member("data", signature_text(*part.signature, SignaturePlace::thinking, arena));
  } else {
    w.member("type", "reasoning.text").member("text", part.text);
    w.member("signature", signature_text(*part.signature, SignaturePlace::thinking, arena));
  }
  w.member("index", index).end_object();
}

// Under its model's name: another of Google's would refuse it.
void write_thought_signature(json::Writer& w, const chat::Signature& signature, base::Arena& arena) {
  w.key("extra_content").begin_object().key("google").begin_object();
  w.member("thought_signature", chat::wrap_signature(signature, arena));
  w.end_object().end_object();
}

bool is_custom_tool(const chat::Request& request, std::string_view name) {
  for (const chat::Tool& tool : request.tools) {
    if (tool.kind == chat::ToolKind::custom && tool.name == name) return true;
  }
  return false;
}

std::string_view custom_input(std::string_view arguments, json::Parser& parser, base::Arena& arena) {
  const auto root = json::parse_tree(parser, arguments, arena);
  if (!root) return arguments;
  const json::Value input = (*root)[chat::kCustomInputMember];
  return input.is_string() ? input.string(arena) : arguments;
}

void write_audio(json::Writer& w, const Part& part, const AnswerContext& context) {
  constexpr int64_t kKeptSeconds = 3600;  // OpenAI's own time; nothing here can be asked for by its id later
  w.begin_object();
  w.member("id", part.id.empty() ? context.arena.concat("audio_", context.request_id) : part.id);
  w.member("data", part.media->data).member("expires_at", context.now + kKeptSeconds);
  w.member("transcript", part.text).end_object();
}

void write_image(json::Writer& w, const Part& part, uint32_t index) {
  std::string url;
  if (part.media->source == chat::MediaSource::url) {
    url = part.media->data;
  } else {
    append_data_url(url, *part.media, "image/png");
  }
  w.begin_object().member("type", "image_url").member("index", index);
  w.key("image_url").begin_object().member("url", url).end_object().end_object();
}

}  // namespace llmgw::dialects::openai_chat
