#include "dialects/bedrock/block_reader.h"

#include <string>

#include "dialects/bedrock/meaning.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::bedrock {

using chat::Dialect;
using chat::MediaSource;
using chat::Part;
using chat::PartKind;
using json::Value;

chat::CacheMark read_cache_point(Value value) {
  return value["ttl"].equals("1h") ? chat::CacheMark::one_hour : chat::CacheMark::five_minutes;
}

std::string_view joined_texts(Value blocks, std::string_view separator, base::Arena& arena) {
  std::string text;
  for (const Value block : blocks.elements()) {
    if (!text.empty()) text += separator;
    text += block["text"].string(arena);
  }
  return arena.copy(text);
}

Outcome<void> BlockReader::read(Value content, std::string_view path, chat::List<Part>& parts) {
  if (content.is_unset()) return {};
  if (!content.is_array()) return invalid(context_.arena, path, "Expected an array of content blocks.");
  size_t index = 0;
  list_ = path;
  for (const Value element : content.elements()) {
    index_ = index;
    if (!element.is_object()) {
      return invalid(context_.arena, indexed(path, index, "", context_.arena),
                     "Expected a content block, which is an object.");
    }
    if (!block(element, parts)) {
      push({.kind = PartKind::opaque, .origin = Dialect::bedrock, .text = element.raw(), .id = this->path()}, parts);
    }
    ++index;
  }
  if (pending_ != nullptr) push({.kind = PartKind::text}, parts);
  return {};
}

// False for a block that only Converse understands.
bool BlockReader::block(Value value, chat::List<Part>& parts) {
  base::Arena& arena = context_.arena;
  Part part{.origin = Dialect::bedrock};
  for (const json::Member member : value.members()) {
    const Value inner = member.value;
    if (inner.is_null() || member.is("type")) continue;
    if (member.is("text")) {
      part.text = inner.string(arena);
    } else if (member.is("image")) {
      if (media(PartKind::image, inner, value, part) == nullptr) return false;
    } else if (member.is("video")) {
      if (media(PartKind::video, inner, value, part) == nullptr) return false;
    } else if (member.is("audio")) {
      if (media(PartKind::audio, inner, value, part) == nullptr) return false;
    } else if (member.is("document")) {
      document(inner, value, part);
    } else if (member.is("toolUse")) {
      tool_use(inner, value, part);
    } else if (member.is("toolResult")) {
      if (inner["type"].is_string()) return false;  // of a server tool
      tool_result(inner, part);
    } else if (member.is("reasoningContent")) {
      reasoning(inner, parts);
      return true;
    } else if (member.is("cachePoint")) {
      if (!parts.empty()) parts.back().cache = read_cache_point(inner);
      return true;
    } else if (member.is("citationsContent")) {
      part.text = joined_texts(inner["content"], "", arena);
      if (!inner["citations"].empty()) part.citations = inner["citations"].raw();
    } else if (member.is("guardContent") && inner["text"].is_object()) {
      // Text for everybody; Bedrock gets back what says that a guardrail is to look at it.
      part.text = inner["text"]["text"].string(arena);
      part.media = arena.make<chat::Media>(
          chat::Media{.source = MediaSource::text, .data = {}, .metadata = value.raw(), .path = path()});
    } else if (member.is("searchResult")) {
      part.kind = PartKind::document;
      part.name = inner["title"].string(arena);
      part.media = arena.make<chat::Media>(chat::Media{.source = MediaSource::text,
                                                       .data = joined_texts(inner["content"], "\n", arena),
                                                       .media_type = "text/plain",
                                                       .context = inner["source"].string(arena),
                                                       .metadata = value.raw(),
                                                       .citations = inner["citations"]["enabled"].is_true(),
                                                       .search_result = true,
                                                       .path = path()});
    } else {
      return false;
    }
    push(part, parts);
    return true;
  }
  return false;
}

// Of the block at hand; nothing of a provider's.
std::string_view BlockReader::path() const {
  return client_ ? indexed(list_, index_, "", context_.arena) : std::string_view{};
}

chat::Media* BlockReader::media(PartKind kind, Value value, Value block, Part& part) {
  base::Arena& arena = context_.arena;
  const Value source = value["source"];
  auto* const media = arena.make<chat::Media>();
  media->path = path();
  media->media_type = media_type_of(value["format"].string(arena));
  if (source["bytes"].is_string()) {
    media->data = source["bytes"].string(arena);
  } else if (source["s3Location"].is_object()) {
    media->source = MediaSource::url;
    media->data = source["s3Location"]["uri"].string(arena);
    media->metadata = block.raw();  // it may name the bucket's owner
  } else {
    return nullptr;
  }
  part.kind = kind;
  part.media = media;
  return media;
}

void BlockReader::document(Value value, Value block, Part& part) {
  base::Arena& arena = context_.arena;
  chat::Media* document = media(PartKind::document, value, block, part);
  if (document == nullptr) {
    const Value source = value["source"];
    document = arena.make<chat::Media>(chat::Media{
        .source = MediaSource::text, .data = source["text"].string(arena), .media_type = "text/plain", .path = path()});
    if (!source["text"].is_string()) {
      // Text in chunks of the client's making: other dialects get the text, Bedrock the block as it was.
      document->data = joined_texts(source["content"], "\n", arena);
      document->metadata = block.raw();
    }
    part.kind = PartKind::document;
    part.media = document;
  }
  document->context = value["context"].string(arena);
  document->citations = value["citations"]["enabled"].is_true();
  part.name = value["name"].string(arena);
}

void BlockReader::tool_use(Value value, Value block, Part& part) {
  base::Arena& arena = context_.arena;
  if (value["type"].equals("server_tool_use")) {
    part.kind = PartKind::opaque;
    part.text = block.raw();
    part.id = path();
    return;
  }
  const Value input = value["input"];
  part.text = input.is_string() ? input.string(arena) : input.raw();
  part.name = value["name"].string(arena);
  if (context_.is_format_tool(part.name)) {
    part.name = chat::kFormatToolName;
    return;
  }
  part.kind = PartKind::tool_call;
  part.id = value["toolUseId"].string(arena);
}

void BlockReader::tool_result(Value value, Part& part) {
  base::Arena& arena = context_.arena;
  part.kind = PartKind::tool_result;
  part.id = value["toolUseId"].string(arena);
  part.is_error = value["status"].equals("error");
  BlockReader inner(context_, client_);
  if (client_) inner.list_ = arena.concat(path(), ".toolResult.content");
  size_t index = 0;
  for (const Value element : value["content"].elements()) {
    inner.index_ = index++;
    const Value json = element["json"];
    if (!json.is_unset()) {
      part.json_result = value["content"].size() == 1;
      part.content.push(arena, {.kind = PartKind::text, .origin = Dialect::bedrock, .text = json.raw()});
    } else if (!inner.block(element, part.content)) {
      part.content.push(
          arena, {.kind = PartKind::opaque, .origin = Dialect::bedrock, .text = element.raw(), .id = inner.path()});
    }
  }
}

void BlockReader::reasoning(Value value, chat::List<Part>& parts) {
  base::Arena& arena = context_.arena;
  Part part{.kind = PartKind::thinking, .origin = Dialect::bedrock};
  chat::Signature proof{.minter = context_.minter, .model = context_.model};
  const std::string_view hidden = value["redactedContent"].string(arena);
  if (!hidden.empty()) {
    part.redacted = true;
    proof.data = hidden;
    if (client_) proof = chat::unwrap_signature_base64(hidden, context_.minter, arena);
  } else {
    const Value text = value["reasoningText"];
    part.text = text["text"].string(arena);
    proof.data = text["signature"].string(arena);
    if (client_) proof = chat::unwrap_signature(proof.data, context_.minter);
  }
  if (proof.present()) part.signature = arena.make<chat::Signature>(proof);
  if (part.has_signature() && part.text.empty() && proof.place == chat::SignaturePlace::next_part) {
    pending_ = part.signature;
    return;
  }
  if (part.has_signature() && part.text.empty() && proof.place == chat::SignaturePlace::own_part) {
    part = {.kind = PartKind::text, .signature = part.signature};
  }
  push(part, parts);
}

void BlockReader::push(Part part, chat::List<Part>& parts) {
  if (pending_ != nullptr && !part.has_signature()) {
    part.signature = pending_;
    pending_ = nullptr;
  }
  parts.push(context_.arena, part);
}

}  // namespace llmgw::dialects::bedrock
