#include "dialects/openai_responses/items.h"

#include <array>
#include <string>

#include "dialects/media.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::openai_responses {
namespace {

using chat::Part;
using chat::PartKind;

struct TypeName {
  std::string_view name;
  ItemType type;
};

constexpr std::array<TypeName, 8> kItemTypes{{
    {"message", ItemType::message},
    {"function_call", ItemType::function_call},
    {"function_call_output", ItemType::function_call_output},
    {"custom_tool_call", ItemType::custom_tool_call},
    {"custom_tool_call_output", ItemType::custom_tool_call_output},
    {"reasoning", ItemType::reasoning},
    {"image_generation_call", ItemType::image_generation_call},
    {"item_reference", ItemType::item_reference},
}};

void append_texts(std::string& text, json::Value parts, base::Arena& arena) {
  bool first = true;
  for (const json::Value part : parts.elements()) {
    if (!first) text += kReasoningSeparator;
    first = false;
    text += part["text"].string(arena);
  }
}

const chat::Media* keep(const chat::Media& media, base::Arena& arena) {
  return arena.make<chat::Media>(media);
}

Part image_part(json::Value part, std::string_view path, base::Arena& arena) {
  const json::Value image_url = part["image_url"];
  const json::Value url = image_url.is_object() ? image_url["url"] : image_url;
  chat::Media media;
  if (url.is_string()) {
    media = media_from_text(url.string(arena), {}, arena);
  } else {
    media = {.source = chat::MediaSource::file_id, .data = part["file_id"].string(arena)};
  }
  if (media.data.empty()) return {};
  media.detail = part["detail"].string(arena);
  media.path = path;
  return {.kind = PartKind::image, .media = keep(media, arena)};
}

Part file_part(json::Value part, std::string_view path, base::Arena& arena) {
  const std::string_view name = part["filename"].string(arena);
  chat::Media media;
  if (const json::Value data = part.any_of("file_data", "file_url"); data.is_string()) {
    media = media_from_text(data.string(arena), type_of_file_name(name), arena);
  } else {
    media = {.source = chat::MediaSource::file_id, .data = part["file_id"].string(arena)};
  }
  if (media.data.empty()) return {};
  media.path = path;
  const bool image = media.media_type.starts_with("image/");
  return {.kind = image ? PartKind::image : PartKind::document, .name = name, .media = keep(media, arena)};
}

Part audio_part(json::Value part, std::string_view path, base::Arena& arena) {
  const json::Value audio = part["input_audio"];
  const std::string_view format = audio["format"].string(arena);
  chat::Media media = media_from_text(audio["data"].string(arena), audio_type_from(format, arena), arena);
  media.path = path;
  if (media.data.empty()) return {};
  return {.kind = PartKind::audio, .media = keep(media, arena)};
}

}  // namespace

ItemType item_type(json::Value item) {
  const json::Value type = item["type"];
  if (type.is_unset()) return item["role"].is_unset() ? ItemType::item_reference : ItemType::message;
  for (const TypeName& entry : kItemTypes) {
    if (type.equals(entry.name)) return entry.type;
  }
  return ItemType::other;
}

std::string_view reasoning_text(json::Value item, base::Arena& arena) {
  const json::Value summary = item["summary"];
  const json::Value content = item["content"];
  if (summary.size() == 1 && content.empty()) return summary.first_element()["text"].string(arena);
  std::string text;
  append_texts(text, summary, arena);
  append_texts(text, content, arena);
  return arena.copy(text);
}

const chat::Signature* reasoning_signature(json::Value item, const ReadContext& context, bool& redacted) {
  redacted = false;
  const std::string_view data = item["encrypted_content"].string(context.arena);
  if (data.empty()) return nullptr;
  chat::Signature signature = chat::unwrap_signature(data, context.minter);
  if (data.starts_with(chat::kSignatureTag) && signature.data.size() != data.size()) {
    redacted = signature.id == kRedactedId;
    if (redacted) signature.id = {};
  } else {
    signature.id = item["id"].string(context.arena);
    signature.model = context.model;
  }
  return context.arena.make<chat::Signature>(signature);
}

Part media_part(json::Value part, std::string_view path, base::Arena& arena) {
  const json::Value type = part["type"];
  if (type.equals("input_image")) return image_part(part, path, arena);
  if (type.equals("input_file")) return file_part(part, path, arena);
  if (type.equals("input_audio")) return audio_part(part, path, arena);
  return {};
}

Part output_part(json::Value part, std::string_view item_id, std::string_view phase, base::Arena& arena) {
  if (part["type"].equals("refusal")) {
    return {.kind = PartKind::refusal, .text = part["refusal"].string(arena), .id = item_id, .name = phase};
  }
  Part text{.kind = PartKind::text,
            .origin = chat::Dialect::openai_responses,
            .text = part["text"].string(arena),
            .id = item_id,
            .name = phase};
  if (const json::Value annotations = part["annotations"]; annotations.is_array() && !annotations.empty()) {
    text.citations = annotations.raw();
  }
  return text;
}

Part call_part(json::Value item, base::Arena& arena) {
  const bool custom = item["type"].equals("custom_tool_call");
  Part call{.kind = PartKind::tool_call,
            .custom = custom,
            .text = item[custom ? "input" : "arguments"].string(arena),
            .id = item.any_of("call_id", "id").string(arena),
            .name = item["name"].string(arena)};
  // Some vendors send the arguments as the object they are.
  if (!custom && item["arguments"].is_object()) call.text = item["arguments"].raw();
  return call;
}

Part generated_image(json::Value item, base::Arena& arena) {
  const std::string_view data = item["result"].string(arena);
  if (data.empty()) return opaque_part(item);
  const std::string_view format = item["output_format"].string(arena);
  const chat::Media media{.data = data, .media_type = arena.concat("image/", format.empty() ? "png" : format)};
  return {.kind = PartKind::image, .id = item["id"].string(arena), .media = keep(media, arena)};
}

Part opaque_part(json::Value item) {
  return {.kind = PartKind::opaque, .origin = chat::Dialect::openai_responses, .text = item.raw()};
}

Outcome<chat::Tool> read_tool(json::Value value, std::string_view path, base::Arena& arena) {
  const json::Value type = value["type"];
  if (!type.is_string()) {
    return invalid(arena, arena.concat(path, ".type"), "a tool must be an object with a type");
  }
  chat::Tool tool{.origin = chat::Dialect::openai_responses, .raw = value.raw(), .path = path};
  tool.kind = type.equals("function") ? chat::ToolKind::function
              : type.equals("custom") ? chat::ToolKind::custom
                                      : chat::ToolKind::opaque;
  if (tool.kind == chat::ToolKind::opaque) return tool;
  tool.raw = {};
  tool.name = value["name"].string(arena);
  if (tool.name.empty()) return invalid(arena, arena.concat(path, ".name"), "a tool must have a name");
  tool.description = value["description"].string(arena);
  tool.strict = value["strict"].boolean();
  const json::Value schema = value[tool.kind == chat::ToolKind::custom ? "format" : "parameters"];
  if (!schema.is_unset()) tool.schema = schema.raw();
  return tool;
}

chat::Usage read_usage(json::Value usage) {
  chat::Usage read;
  if (!usage.is_object()) return read;
  const json::Value input_details = usage["input_tokens_details"];
  read.cache_read = input_details["cached_tokens"].unsigned_integer();
  read.cache_write = input_details["cache_write_tokens"].unsigned_integer();
  if (const auto total = usage["input_tokens"].unsigned_integer()) {
    const uint64_t cached = read.cache_read.value_or(0) + read.cache_write.value_or(0);
    read.input = *total > cached ? *total - cached : 0;
  }
  read.output = usage["output_tokens"].unsigned_integer();
  read.reasoning = usage["output_tokens_details"]["reasoning_tokens"].unsigned_integer();
  return read;
}

chat::Choice read_finish(json::Value response, bool any_tool_call, bool any_refusal, base::Arena& arena) {
  chat::Choice choice;
  const std::string_view status = response["status"].string(arena);
  choice.native_finish = status;
  if (status != "incomplete") {
    choice.finish = any_tool_call ? chat::Finish::tool : any_refusal ? chat::Finish::refusal : chat::Finish::stop;
    return choice;
  }
  const std::string_view reason = response["incomplete_details"]["reason"].string(arena);
  if (!reason.empty()) {
    const std::string native = std::string(status) + ':' + std::string(reason);
    choice.native_finish = arena.copy(native);
  }
  // Whatever cut it, it is not whole: length is the reason that says so.
  choice.finish = reason == "content_filter" ? chat::Finish::filter : chat::Finish::length;
  return choice;
}

}  // namespace llmgw::dialects::openai_responses
