#include "dialects/openai_responses/input_reader.h"

#include <algorithm>
#include <string>

#include "dialects/openai_responses/items.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::openai_responses {
namespace {

using chat::Message;
using chat::Part;
using chat::PartKind;
using chat::Role;

std::unexpected<chat::ClientError> bad_item(base::Arena& arena, size_t index, std::string_view behind,
                                            std::string_view message) {
  return invalid(arena, indexed("input", index, behind, arena), message);
}

bool read_role(json::Value value, Role& role) {
  if (value.equals("user")) return role = Role::user, true;
  if (value.equals("assistant")) return role = Role::assistant, true;
  if (value.equals("system")) return role = Role::system, true;
  if (value.equals("developer")) return role = Role::developer, true;
  return false;
}

chat::CacheMark cache_mark(json::Value part) {
  return part["prompt_cache_breakpoint"].is_object() ? chat::CacheMark::five_minutes : chat::CacheMark::none;
}

}  // namespace

Outcome<void> InputReader::read(json::Value input) {
  if (input.is_string()) {
    Message message{.role = Role::user};
    message.parts.push(context_.arena, {.kind = PartKind::text, .text = input.string(context_.arena)});
    push(message);
    return {};
  }
  if (!input.is_array()) return invalid(context_.arena, "input", "input must be a string or an array of items");
  size_t index = 0;
  for (const json::Value element : input.elements()) {
    index_ = index;
    if (auto read = item(element, index++); !read) return read;
  }
  flush_signature();
  return {};
}

Outcome<void> InputReader::item(json::Value value, size_t index) {
  if (!value.is_object()) return bad_item(context_.arena, index, "", "an item of the input must be an object");
  switch (item_type(value)) {
    case ItemType::message: return message(value, index);
    case ItemType::function_call:
    case ItemType::custom_tool_call: call(value); return {};
    case ItemType::function_call_output: return output(value, index, false);
    case ItemType::custom_tool_call_output: return output(value, index, true);
    case ItemType::reasoning: reasoning(value); return {};
    case ItemType::item_reference:
      return bad_item(context_.arena, index, "", "the item that this reference names is not stored here");
    case ItemType::image_generation_call:
    case ItemType::other: break;
  }
  opaque(value);
  return joining_tools(value, index);
}

// Beside the item itself, which goes on as it stands where it is understood.
Outcome<void> InputReader::joining_tools(json::Value item, size_t index) {
  base::Arena& arena = context_.arena;
  if (!item["type"].equals("additional_tools")) return {};
  const std::string_view list = indexed("input", index, ".tools", arena);
  size_t number = 0;
  for (const json::Value element : item["tools"].elements()) {
    TRY(tool, read_tool(element, indexed(list, number++, "", arena), arena));
    const bool known =
        !tool.name.empty() && std::ranges::find(request_.tools, tool.name, &chat::Tool::name) != request_.tools.end();
    if (!known) request_.tools.push(arena, tool);
  }
  return {};
}

Outcome<void> InputReader::message(json::Value item, size_t index) {
  base::Arena& arena = context_.arena;
  Message message{.phase = item["phase"].string(arena), .id = item["id"].string(arena)};
  if (!read_role(item["role"], message.role)) {
    return bad_item(arena, index, ".role", "role must be one of user, assistant, system, developer");
  }
  const bool assistant = message.role == Role::assistant;
  if (!assistant) flush_signature();
  const json::Value content = item["content"];
  if (content.is_string()) {
    const Part part{.kind = PartKind::text, .text = content.string(arena)};
    assistant ? assistant_part(message, part) : static_cast<void>(message.parts.push(arena, part));
  } else if (content.is_array()) {
    size_t number = 0;
    const std::string_view list = indexed("input", index, ".content", arena);
    for (const json::Value element : content.elements()) {
      auto part = content_part(element, indexed(list, number++, "", arena));
      if (!part) return std::unexpected(part.error());
      assistant ? assistant_part(message, *part) : static_cast<void>(message.parts.push(arena, *part));
    }
  } else if (!content.is_unset()) {
    return bad_item(arena, index, ".content", "content must be a string or an array of parts");
  }
  push(message);
  return {};
}

Outcome<Part> InputReader::content_part(json::Value part, std::string_view path) {
  base::Arena& arena = context_.arena;
  const json::Value type = part["type"];
  Part read;
  if (type.equals("input_text") || type.equals("output_text") || type.equals("text")) {
    read = output_part(part, {}, {}, arena);
  } else if (type.equals("refusal")) {
    read = {.kind = PartKind::refusal, .text = part["refusal"].string(arena)};
  } else {
    read = media_part(part, path, arena);
    if (read.kind == PartKind::text) {
      return invalid(arena, path,
                     "a part must be input_text, input_image, input_file, input_audio, output_text or refusal, "
                     "and have what its type needs");
    }
  }
  read.cache = cache_mark(part);
  return read;
}

Outcome<void> InputReader::output(json::Value item, size_t index, bool custom) {
  base::Arena& arena = context_.arena;
  flush_signature();
  Part result{.kind = PartKind::tool_result,
              .custom = custom,
              .id = item["call_id"].string(arena),
              .name = item["name"].string(arena)};
  if (result.id.empty()) return bad_item(arena, index, ".call_id", "an output needs the call_id of its call");
  const json::Value output = item["output"];
  if (output.is_array()) {
    size_t number = 0;
    const std::string_view list = indexed("input", index, ".output", arena);
    for (const json::Value element : output.elements()) {
      auto part = content_part(element, indexed(list, number++, "", arena));
      if (!part) return std::unexpected(part.error());
      result.content.push(arena, *part);
    }
  } else {
    // A result that is no text is taken as the JSON it is.
    const std::string_view text = output.is_string() ? output.string(arena) : output.is_unset() ? "" : output.raw();
    result.content.push(arena, {.kind = PartKind::text, .text = text});
  }
  Message message{.role = Role::tool, .id = item["id"].string(arena)};
  message.parts.push(arena, result);
  push(message);
  return {};
}

void InputReader::call(json::Value item) {
  Message message{.role = Role::assistant, .id = item["id"].string(context_.arena)};
  assistant_part(message, call_part(item, context_.arena));
  push(message);
}

void InputReader::reasoning(json::Value item) {
  base::Arena& arena = context_.arena;
  flush_signature();
  bool redacted = false;
  const chat::Signature* const signature = reasoning_signature(item, context_, redacted);
  const std::string_view text = reasoning_text(item, arena);
  const bool of_other_part = signature != nullptr && signature->place != chat::SignaturePlace::thinking;
  if (!of_other_part || !text.empty()) {
    Message message{.role = Role::assistant, .id = item["id"].string(arena)};
    message.parts.push(arena, {.kind = PartKind::thinking,
                               .redacted = redacted,
                               .text = text,
                               .signature = of_other_part ? nullptr : signature});
    push(message);
  }
  if (!of_other_part) return;
  waiting_ = signature;
  if (signature->place == chat::SignaturePlace::own_part) flush_signature();
}

void InputReader::opaque(json::Value item) {
  const std::string_view type = item["type"].escaped();
  // What the client's side answers to a built-in tool; everything else is the model's.
  const bool clients = type.ends_with("_output") || type.ends_with("_response") || type == "additional_tools";
  Message message{.role = clients ? Role::user : Role::assistant, .id = item["id"].string(context_.arena)};
  message.parts.push(context_.arena, opaque_part(item));
  push(message);
}

void InputReader::assistant_part(Message& message, Part part) {
  if (waiting_ != nullptr) {
    part.signature = waiting_;
    waiting_ = nullptr;
  }
  message.parts.push(context_.arena, part);
}

void InputReader::push(Message message) {
  message.path = indexed("input", index_, "", context_.arena);
  request_.messages.push(context_.arena, message);
}

void InputReader::flush_signature() {
  if (waiting_ == nullptr) return;
  Message message{.role = Role::assistant};
  message.parts.push(context_.arena, {.kind = PartKind::text, .signature = waiting_});
  waiting_ = nullptr;
  push(message);
}

}  // namespace llmgw::dialects::openai_responses
