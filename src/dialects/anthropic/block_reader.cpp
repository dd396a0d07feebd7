#include "dialects/anthropic/block_reader.h"

#include <array>
#include <string>

#include "dialects/request_gates.h"

namespace llmgw::dialects::anthropic {

using chat::MediaSource;
using chat::Part;
using chat::PartKind;
using json::Value;

struct BlockReader::Members {
  Value type, text, id, name, input, tool_use_id, content, is_error, source, title, context, citations, thinking,
      signature, data, cache_control;
};

namespace {

std::string_view joined_texts(Value content, base::Arena& arena) {
  if (content.is_string()) return content.string(arena);
  std::string text;
  for (const Value block : content.elements()) {
    if (!block["type"].equals("text")) continue;
    if (!text.empty()) text += '\n';
    text += block["text"].string(arena);
  }
  return arena.copy(text);
}

}  // namespace

chat::CacheMark read_cache_mark(Value value) {
  if (!value.is_object()) return chat::CacheMark::none;
  return value["ttl"].equals("1h") ? chat::CacheMark::one_hour : chat::CacheMark::five_minutes;
}

Outcome<void> BlockReader::read(Value content, std::string_view path, chat::List<Part>& parts, int depth) {
  if (content.is_unset()) return {};
  if (content.is_string()) {
    push({.kind = PartKind::text, .text = content.string(context_.arena)}, parts);
    return {};
  }
  if (!content.is_array()) return invalid(context_.arena, path, "Expected a string or an array of content blocks.");
  size_t index = 0;
  for (const Value element : content.elements()) {
    TRY_VOID(block(element, path, index++, parts, depth));
  }
  if (pending_ != nullptr) {
    // The part it belonged to is gone; Gemini takes a signature on an empty text of its own.
    push({.kind = PartKind::text}, parts);
  }
  return {};
}

void BlockReader::read_block(Value value, chat::List<Part>& parts) {
  // Fails only for what is no object.
  (void)block(value, {}, 0, parts, 1);
}

void BlockReader::collect(Value value, Members& members) {
  struct Slot {
    std::string_view name;
    Value Members::* value;
  };
  static constexpr std::array<Slot, 16> kSlots{{
      {"type", &Members::type},
      {"text", &Members::text},
      {"id", &Members::id},
      {"name", &Members::name},
      {"input", &Members::input},
      {"tool_use_id", &Members::tool_use_id},
      {"content", &Members::content},
      {"is_error", &Members::is_error},
      {"source", &Members::source},
      {"title", &Members::title},
      {"context", &Members::context},
      {"citations", &Members::citations},
      {"thinking", &Members::thinking},
      {"signature", &Members::signature},
      {"data", &Members::data},
      {"cache_control", &Members::cache_control},
  }};
  for (const json::Member member : value.members()) {
    for (const Slot& slot : kSlots) {
      if (!member.is(slot.name)) continue;
      members.*slot.value = member.value;
      break;
    }
  }
}

Outcome<void> BlockReader::block(Value value, std::string_view path, size_t index, chat::List<Part>& parts, int depth) {
  base::Arena& arena = context_.arena;
  if (!value.is_object()) {
    return invalid(arena, indexed(path, index, "", arena), "Expected a content block, which is an object.");
  }
  Members members;
  collect(value, members);
  Part part{.cache = read_cache_mark(members.cache_control), .origin = chat::Dialect::anthropic};
  const auto is = [&members](std::string_view type) { return members.type.equals(type); };
  bool known = true;
  if (is("text")) {
    part.text = members.text.string(arena);
    known = !client_ || members.text.is_string();
    if (!members.citations.empty()) part.citations = members.citations.raw();
  } else if (is("thinking") || is("redacted_thinking")) {
    thinking(members, parts);
    return {};
  } else if (is("tool_use")) {
    tool_use(members, part);
  } else if (is("tool_result") && depth < kDepthMax) {
    part.kind = PartKind::tool_result;
    part.id = members.tool_use_id.string(arena);
    part.is_error = members.is_error.is_true();
    const std::string_view inner = client_ ? indexed(path, index, ".content", arena) : "";
    TRY_VOID(read(members.content, inner, part.content, depth + 1));
  } else if (is("image") || is("document")) {
    part.kind = is("image") ? PartKind::image : PartKind::document;
    known = media(members, value, client_ ? indexed(path, index, "", arena) : "", part);
  } else if (is("search_result")) {
    search_result(members, value, client_ ? indexed(path, index, "", arena) : "", part);
  } else {
    known = false;
  }
  if (!known) {
    part.kind = PartKind::opaque;
    part.text = value.raw();
    part.name = members.type.string(arena);
    if (client_) part.id = indexed(path, index, "", arena);
  }
  push(part, parts);
  return {};
}

void BlockReader::tool_use(const Members& members, Part& part) {
  base::Arena& arena = context_.arena;
  part.kind = PartKind::tool_call;
  part.id = members.id.string(arena);
  part.name = members.name.string(arena);
  // An object; some hosts encode it once more.
  part.text = members.input.is_string() ? members.input.string(arena) : members.input.raw();
  if (context_.is_format_tool(part.name)) {
    part = {
        .kind = PartKind::text, .origin = chat::Dialect::anthropic, .text = part.text, .name = chat::kFormatToolName};
  }
}

bool BlockReader::media(const Members& members, Value raw, std::string_view path, Part& part) {
  base::Arena& arena = context_.arena;
  const Value source = members.source;
  const Value type = source["type"];
  auto* media = arena.make<chat::Media>();
  part.media = media;
  media->path = path;
  part.name = members.title.string(arena);
  media->media_type = source["media_type"].string(arena);
  media->context = members.context.string(arena);
  media->citations = members.citations["enabled"].is_true();
  if (type.equals("base64")) {
    media->data = source["data"].string(arena);
  } else if (type.equals("url")) {
    media->source = MediaSource::url;
    media->data = source["url"].string(arena);
  } else if (type.equals("file")) {
    media->source = MediaSource::file_id;
    media->data = source["file_id"].string(arena);
  } else if (type.equals("text")) {
    media->source = MediaSource::text;
    media->data = source["data"].string(arena);
  } else if (type.equals("content") && part.kind == PartKind::document) {
    // Text in chunks of the client's making: other dialects get the text, Anthropic the block as it was.
    media->source = MediaSource::text;
    media->data = joined_texts(source["content"], arena);
    media->metadata = raw.raw();
  } else {
    return false;
  }
  return true;
}

// {"source","title","content":[{"type":"text"}],"citations"}: a document for those who know no search results.
void BlockReader::search_result(const Members& members, Value raw, std::string_view path, Part& part) {
  base::Arena& arena = context_.arena;
  part.kind = PartKind::document;
  part.name = members.title.string(arena);
  part.media = arena.make<chat::Media>(chat::Media{.source = MediaSource::text,
                                                   .data = joined_texts(members.content, arena),
                                                   .media_type = "text/plain",
                                                   .context = members.source.string(arena),
                                                   .metadata = raw.raw(),
                                                   .citations = members.citations["enabled"].is_true(),
                                                   .search_result = true,
                                                   .path = path});
}

void BlockReader::thinking(const Members& members, chat::List<Part>& parts) {
  base::Arena& arena = context_.arena;
  const bool redacted = members.type.equals("redacted_thinking");
  const chat::Signature* const proof = signature((redacted ? members.data : members.signature).string(arena));
  const std::string_view text = redacted ? std::string_view{} : members.thinking.string(arena);
  if (proof != nullptr && text.empty() && proof->place == chat::SignaturePlace::next_part) {
    pending_ = proof;
    return;
  }
  if (proof != nullptr && text.empty() && proof->place == chat::SignaturePlace::own_part) {
    push({.kind = PartKind::text, .signature = proof}, parts);
    return;
  }
  push({.kind = PartKind::thinking,
        .origin = chat::Dialect::anthropic,
        .redacted = redacted,
        .text = text,
        .signature = proof},
       parts);
}

const chat::Signature* BlockReader::signature(std::string_view text) {
  if (text.empty()) return nullptr;
  if (!client_) {
    return context_.arena.make<chat::Signature>(
        chat::Signature{.minter = context_.minter, .model = context_.model, .data = text});
  }
  return context_.arena.make<chat::Signature>(chat::unwrap_signature(text, context_.minter));
}

void BlockReader::push(Part part, chat::List<Part>& parts) {
  if (pending_ != nullptr && !part.has_signature()) {
    part.signature = pending_;
    pending_ = nullptr;
  }
  parts.push(context_.arena, part);
}

}  // namespace llmgw::dialects::anthropic
