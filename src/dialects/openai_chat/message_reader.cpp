#include "dialects/openai_chat/message_reader.h"

#include "dialects/media.h"
#include "dialects/openai_chat/words.h"

namespace llmgw::dialects::openai_chat {
namespace {

using chat::Part;
using chat::PartKind;

std::string_view text_of(json::Value value, base::Arena& arena) {
  if (value.is_string()) return value.string(arena);
  // Mistral's thinking: a list of text parts.
  std::string text;
  for (const json::Value part : value.elements()) text += part["text"].string(arena);
  return arena.copy(text);
}

void add_detail(json::Value detail, uint64_t& last_index, const ReadContext& context, Reasoning& reasoning) {
  base::Arena& arena = context.arena;
  const std::string_view id = detail["id"].string(arena);
  if (detail["type"].equals("reasoning.encrypted")) {
    const chat::Signature* const signature = read_signature(detail["data"], id, context, context.minter);
    if (signature == nullptr) return;
    if (signature->place == chat::SignaturePlace::next_part) {
      reasoning.on_text = signature;
    } else if (signature->place == chat::SignaturePlace::own_part) {
      reasoning.on_empty.push(arena, signature);
    } else {
      reasoning.parts.push(arena, {.kind = PartKind::thinking, .redacted = true, .signature = signature});
    }
    return;
  }
  const std::string_view text = detail.any_of("text", "summary").string(arena);
  const chat::Signature* const signature = read_signature(detail["signature"], id, context, context.minter);
  const uint64_t index = detail["index"].unsigned_integer().value_or(UINT64_MAX);
  // Clients that only collect what was streamed send a block back in pieces.
  if (index != UINT64_MAX && index == last_index && !reasoning.parts.empty() && !reasoning.parts.back().redacted &&
      reasoning.parts.back().signature == nullptr) {
    Part& open = reasoning.parts.back();
    if (!text.empty()) open.text = arena.concat(open.text, text);
    open.signature = signature;
    return;
  }
  last_index = index;
  if (text.empty() && signature == nullptr && index == UINT64_MAX) return;
  reasoning.parts.push(arena, {.kind = PartKind::thinking, .text = text, .signature = signature});
}

void add_thinking_block(json::Value block, const ReadContext& context, Reasoning& reasoning) {
  base::Arena& arena = context.arena;
  const bool redacted = block["type"].equals("redacted_thinking");
  const chat::Signature* const signature =
      read_signature(redacted ? block["data"] : block["signature"], {}, context, context.minter);
  const std::string_view text = block["thinking"].string(arena);
  if (text.empty() && signature == nullptr) return;
  reasoning.parts.push(arena, {.kind = PartKind::thinking, .redacted = redacted, .text = text, .signature = signature});
}

// Blocks without text or signature say nothing.
void drop_empty(chat::List<Part>& parts, base::Arena& arena) {
  chat::List<Part> kept;
  for (const Part& part : parts) {
    if (!part.text.empty() || part.signature != nullptr) kept.push(arena, part);
  }
  parts = kept;
}

// The parts, with what none of them has of the whole text as parts without a signature. Where their texts are no pieces
// of the whole, they are right and it is not.
chat::List<Part> with_unsigned(const chat::List<Part>& parts, std::string_view whole, base::Arena& arena) {
  chat::List<Part> all;
  std::string_view rest = whole;
  bool any_text = false;
  for (const Part& part : parts) any_text |= !part.text.empty();
  // The text comes before what only proves it.
  if (!any_text && !rest.empty()) all.push(arena, {.kind = PartKind::thinking, .text = rest});
  if (!any_text) rest = {};
  for (const Part& part : parts) {
    const size_t at = part.text.empty() ? 0 : rest.find(part.text);
    if (at == std::string_view::npos) return parts;
    if (at > 0) all.push(arena, {.kind = PartKind::thinking, .text = rest.substr(0, at)});
    rest.remove_prefix(at + part.text.size());
    all.push(arena, part);
  }
  if (!rest.empty()) all.push(arena, {.kind = PartKind::thinking, .text = rest});
  return all;
}

Outcome<void> read_image(json::Value part, std::string_view field, const ReadContext& context, Part& out) {
  json::Value image = part.any_of("image_url", "video_url");
  const std::string_view detail = image["detail"].string(context.arena);
  if (image.is_object()) image = image["url"];
  if (!image.is_string()) return invalid("expected an object with a text 'url'", field);
  const std::string_view url = image.string(context.arena);
  const auto inline_media = media_from_data_url(url, context.arena);
  chat::Media media = inline_media.value_or(chat::Media{.source = chat::MediaSource::url, .data = url});
  if (media.data.empty()) return invalid("the address or the data is empty", field);
  media.detail = detail;
  media.path = field;
  out.media = context.arena.make<chat::Media>(media);
  return {};
}

Outcome<void> read_audio(json::Value part, std::string_view field, const ReadContext& context, Part& out) {
  const json::Value audio = part["input_audio"];
  const json::Value data = audio.is_string() ? audio : audio["data"];
  if (!data.is_string()) return invalid("expected an object with the texts 'data' and 'format'", field);
  const std::string_view type = audio_type_from(audio["format"].string(context.arena), context.arena);
  out.kind = PartKind::audio;
  chat::Media media = media_from_text(data.string(context.arena), type, context.arena);
  media.path = field;
  out.media = context.arena.make<chat::Media>(media);
  return {};
}

Outcome<void> read_file(json::Value part, std::string_view field, const ReadContext& context, Part& out) {
  base::Arena& arena = context.arena;
  const json::Value file = part["file"];
  out.kind = PartKind::document;
  out.name = file.any_of("filename", "file_name").string(arena);
  if (const json::Value id = file["file_id"]; id.is_string() && !id.escaped().empty()) {
    out.media = arena.make<chat::Media>(
        chat::Media{.source = chat::MediaSource::file_id, .data = id.string(arena), .media_type = {}, .path = field});
    return {};
  }
  const json::Value data = file.any_of("file_data", "file_url", "url");
  if (!data.is_string()) return invalid("expected an object with a text 'file_data' or 'file_id'", field);
  chat::Media media = media_from_text(data.string(arena), type_of_file_name(out.name), arena);
  media.path = field;
  out.media = arena.make<chat::Media>(media);
  return {};
}

Outcome<void> read_part(json::Value part, std::string_view field, const ReadContext& context, Part& out) {
  base::Arena& arena = context.arena;
  if (part.is_string()) {
    out.text = part.string(arena);
    return {};
  }
  const json::Value type = part["type"];
  if (!type.is_string()) return invalid("expected an object with a text 'type'", field);
  const std::string_view word = type.string(arena);
  out.cache = read_cache_mark(part);
  if (word == "text" || word == "input_text" || word == "output_text") {
    if (!part["text"].is_string()) return invalid("expected a text 'text'", field);
    out.text = part["text"].string(arena);
  } else if (word == "refusal") {
    out.kind = PartKind::refusal;
    out.text = part["refusal"].string(arena);
  } else if (word == "image_url") {
    out.kind = PartKind::image;
    return read_image(part, field, context, out);
  } else if (word == "video_url") {
    out.kind = PartKind::video;
    return read_image(part, field, context, out);
  } else if (word == "input_audio") {
    return read_audio(part, field, context, out);
  } else if (word == "file") {
    return read_file(part, field, context, out);
  } else if (word == "thinking") {
    out.kind = PartKind::thinking;
    out.text = text_of(part["thinking"], arena);
    out.signature = read_signature(part["signature"], {}, context, context.minter);
  } else {
    out.kind = PartKind::opaque;
    out.origin = chat::Dialect::openai_chat;
    out.text = part.raw();
    out.id = field;
  }
  return {};
}

}  // namespace

std::unexpected<chat::ClientError> invalid(std::string_view message, std::string_view param) {
  return std::unexpected(
      chat::ClientError{.kind = chat::ErrorKind::invalid_request, .message = message, .param = param});
}

chat::CacheMark read_cache_mark(json::Value holder) {
  if (const json::Value mark = holder["cache_control"]; mark.is_object()) {
    return mark["ttl"].equals("1h") ? chat::CacheMark::one_hour : chat::CacheMark::five_minutes;
  }
  return holder["prompt_cache_breakpoint"].is_object() ? chat::CacheMark::five_minutes : chat::CacheMark::none;
}

const chat::Signature* read_signature(json::Value text, std::string_view id, const ReadContext& context,
                                      chat::Minter native) {
  if (!text.is_string() || text.escaped().empty()) return nullptr;
  const std::string_view tagged = text.string(context.arena);
  chat::Signature signature = chat::unwrap_signature(tagged, native);
  if (!tagged.starts_with(chat::kSignatureTag)) {
    signature.model = context.model;
    signature.id = id;
  }
  return context.arena.make<chat::Signature>(signature);
}

const chat::Signature* read_thought_signature(json::Value holder, const ReadContext& context) {
  const json::Value signature = holder["extra_content"]["google"]["thought_signature"];
  // From a client: what Gemini minted goes out bare. From a provider: its own.
  const bool from_client = context.minter == chat::native_minter(chat::Dialect::openai_chat) && context.model.empty();
  return read_signature(signature, {}, context, from_client ? chat::Minter::gemini : context.minter);
}

Reasoning read_reasoning(json::Value message, const ReadContext& context) {
  base::Arena& arena = context.arena;
  Reasoning reasoning;
  uint64_t last_index = UINT64_MAX;
  for (const json::Value detail : message["reasoning_details"].elements()) {
    add_detail(detail, last_index, context, reasoning);
  }
  if (reasoning.parts.empty()) {
    for (const json::Value block : message["thinking_blocks"].elements()) {
      add_thinking_block(block, context, reasoning);
    }
  }
  drop_empty(reasoning.parts, arena);
  std::string_view text = message["reasoning_content"].string(arena);
  if (text.empty()) text = message["reasoning"].string(arena);
  reasoning.parts = with_unsigned(reasoning.parts, text, arena);
  return reasoning;
}

Outcome<void> read_content(json::Value content, std::string_view field, const ReadContext& context,
                           chat::List<Part>& parts) {
  if (content.is_unset()) return {};
  if (content.is_string()) {
    parts.push(context.arena, {.kind = PartKind::text, .text = content.string(context.arena)});
    return {};
  }
  // One part without its list: some clients do.
  if (content.is_object()) {
    Part part;
    TRY_VOID(read_part(content, field, context, part));
    parts.push(context.arena, part);
    return {};
  }
  if (!content.is_array()) return invalid("expected a text or a list of content parts", field);
  size_t index = 0;
  for (const json::Value element : content.elements()) {
    Part part;
    // Texts need no path: they are taken everywhere.
    const bool text = element.is_string() || element["type"].equals("text");
    auto read = read_part(element, text ? field : path(context.arena, field, index), context, part);
    if (!read && text) read.error().param = path(context.arena, field, index);
    if (!read) return read;
    parts.push(context.arena, part);
    ++index;
  }
  return {};
}

std::string_view read_arguments(json::Value arguments, base::Arena& arena) {
  if (arguments.is_string()) return arguments.string(arena);
  return arguments.is_unset() ? std::string_view{} : arguments.raw();
}

bool read_tool_call(json::Value call, const ReadContext& context, Part& part) {
  base::Arena& arena = context.arena;
  part.kind = PartKind::tool_call;
  part.id = call["id"].string(arena);
  const json::Value custom = call["custom"];
  part.custom = custom.is_object() && (call["type"].equals("custom") || !call["function"].is_object());
  // Some vendors leave out `function` and put its members one level up.
  const json::Value function = call["function"].is_object() ? call["function"] : call;
  part.name = part.custom ? custom["name"].string(arena) : function["name"].string(arena);
  part.text =
      part.custom ? custom["input"].string(arena) : read_arguments(function.any_of("arguments", "parameters"), arena);
  part.signature = read_thought_signature(call, context);
  return !part.name.empty();
}

}  // namespace llmgw::dialects::openai_chat
