#include "chat/turns.h"
#include "dialects/openai_chat/message_reader.h"
#include "dialects/openai_chat/request_reader.h"
#include "dialects/openai_chat/words.h"

namespace llmgw::dialects::openai_chat {
namespace {

using chat::Message;
using chat::Part;
using chat::PartKind;
using chat::Role;

class MessagesReader {
 public:
  MessagesReader(const ReadContext& context, chat::Request& request) : context_(context), request_(request) {}

  Outcome<void> read(json::Value messages) {
    if (!messages.is_array()) return invalid("expected a list of messages", "messages");
    size_t index = 0;
    for (const json::Value message : messages.elements()) {
      field_ = path(context_.arena, "messages", index++);
      if (!message.is_object()) return invalid("expected an object", field_);
      TRY_VOID(read_message(message));
    }
    return {};
  }

 private:
  std::string_view member(std::string_view name) {
    return context_.arena.concat(context_.arena.concat(field_, "."), name);
  }

  Outcome<void> read_message(json::Value value) {
    const json::Value role = value["role"];
    Message message;
    message.path = field_;
    message.name = value["name"].string(context_.arena);
    if (role.equals("assistant")) {
      message.role = Role::assistant;
      TRY_VOID(read_assistant(value, message));
    } else if (role.equals("tool") || role.equals("function")) {
      message.role = Role::tool;
      TRY_VOID(read_result(value, role.equals("function"), message));
    } else {
      if (role.equals("system")) {
        message.role = Role::system;
      } else if (role.equals("developer")) {
        message.role = Role::developer;
      } else if (!role.equals("user")) {
        return invalid("expected one of system, developer, user, assistant, tool, function", member("role"));
      }
      TRY_VOID(read_content(value["content"], member("content"), context_, message.parts));
    }
    mark_last(value, message);
    request_.messages.push(context_.arena, message);
    return {};
  }

  // Reasoning first, then what was said, then the calls: the order in which models make them.
  Outcome<void> read_assistant(json::Value value, Message& message) {
    base::Arena& arena = context_.arena;
    const Reasoning reasoning = read_reasoning(value, context_);
    for (const Part& part : reasoning.parts) message.parts.push(arena, part);
    chat::List<Part> content;
    TRY_VOID(read_content(value["content"], member("content"), context_, content));
    const chat::Signature* signature = reasoning.on_text;
    if (signature == nullptr) signature = read_thought_signature(value, context_);
    for (Part& part : content) {
      // An empty text beside calls is how clients write "nothing".
      if (part.kind == PartKind::text && part.text.empty() && signature == nullptr) continue;
      if (part.kind == PartKind::text && signature != nullptr) {
        part.signature = signature;
        signature = nullptr;
      }
      message.parts.push(arena, part);
    }
    if (signature != nullptr) message.parts.push(arena, {.kind = PartKind::text, .signature = signature});
    for (const chat::Signature* own : reasoning.on_empty) {
      message.parts.push(arena, {.kind = PartKind::text, .signature = own});
    }
    if (const std::string_view refusal = value["refusal"].string(arena); !refusal.empty()) {
      message.parts.push(arena, {.kind = PartKind::refusal, .text = refusal});
    }
    read_earlier_audio(value["audio"], message);
    return read_calls(value, message);
  }

  // The model's own speech of an earlier turn, by its id.
  void read_earlier_audio(json::Value audio, Message& message) {
    const json::Value id = audio["id"];
    if (!id.is_string()) return;
    const chat::Media media{
        .source = chat::MediaSource::file_id, .data = id.string(context_.arena), .path = member("audio")};
    message.parts.push(context_.arena, {.kind = PartKind::audio, .media = context_.arena.make<chat::Media>(media)});
  }

  Outcome<void> read_calls(json::Value value, Message& message) {
    const json::Value calls = value["tool_calls"];
    if (!calls.is_unset() && !calls.is_array()) return invalid("expected a list of tool calls", member("tool_calls"));
    size_t index = 0;
    for (const json::Value call : calls.elements()) {
      Part part;
      if (!read_tool_call(call, context_, part)) {
        return invalid("expected an object with 'id' and 'function'",
                       path(context_.arena, member("tool_calls"), index));
      }
      message.parts.push(context_.arena, part);
      ++index;
    }
    const json::Value call = value["function_call"];
    Part part;
    if (call.is_object() && read_tool_call(call, context_, part)) {
      part.id = chat::mint_tool_id(context_.id_seed, legacy_calls_++, context_.arena);
      legacy_id_ = part.id;
      message.parts.push(context_.arena, part);
    }
    return {};
  }

  Outcome<void> read_result(json::Value value, bool legacy, Message& message) {
    Part result{.kind = PartKind::tool_result};
    result.name = message.name;
    message.name = {};
    result.id = legacy ? legacy_id_ : value["tool_call_id"].string(context_.arena);
    if (!legacy && !value["tool_call_id"].is_string()) return invalid("expected a text", member("tool_call_id"));
    TRY_VOID(read_content(value["content"], member("content"), context_, result.content));
    message.parts.push(context_.arena, result);
    return {};
  }

  // LiteLLM's clients mark whole messages.
  void mark_last(json::Value value, Message& message) {
    const chat::CacheMark mark = read_cache_mark(value);
    if (mark != chat::CacheMark::none && !message.parts.empty()) message.parts.back().cache = mark;
  }

  const ReadContext& context_;
  chat::Request& request_;
  std::string_view field_;
  std::string_view legacy_id_;
  uint32_t legacy_calls_ = 0;
};

}  // namespace

Outcome<void> read_messages(json::Value messages, const ReadContext& context, chat::Request& request) {
  return MessagesReader(context, request).read(messages);
}

}  // namespace llmgw::dialects::openai_chat
