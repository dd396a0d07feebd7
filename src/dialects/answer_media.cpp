#include "dialects/answer_media.h"

namespace llmgw::dialects {

using chat::Dialect;
using chat::PartKind;

bool answers_carry(Dialect client, PartKind kind) {
  if (media_word(kind).empty()) return true;
  switch (client) {
    case Dialect::gemini:
    case Dialect::vertex: return true;
    case Dialect::openai_chat:
    case Dialect::azure: return kind == PartKind::image || kind == PartKind::audio;
    case Dialect::openai_responses:
    case Dialect::bedrock: return kind == PartKind::image;
    default: return false;
  }
}

std::string_view media_word(PartKind kind) {
  switch (kind) {
    case PartKind::image: return "image";
    case PartKind::audio: return "audio";
    case PartKind::video: return "video";
    case PartKind::document: return "document";
    default: return {};
  }
}

}  // namespace llmgw::dialects
