#include "dialects/cohere/message_reader.h"

#include "dialects/cohere/words.h"
#include "dialects/media.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::cohere {
namespace {

using chat::Message;
using chat::Part;
using chat::PartKind;
using chat::Role;

// A document is an object of texts. One with a text and a title is that text; of others every member is told.
Part document_part(json::Value document, bool cited, std::string_view field, base::Arena& arena) {
  Part part{.kind = PartKind::document};
  chat::Media media{.source = chat::MediaSource::text, .data = {}, .media_type = "text/plain", .citations = cited};
  const json::Value data = document["data"];
  if (document.is_string()) {
    media.data = document.string(arena);
  } else if (data.is_string()) {
    media.data = data.string(arena);
  } else {
    const json::Value text = data.any_of("text", "snippet", "content");
    const json::Value title = data["title"];
    const size_t told = (text.is_string() ? 1 : 0) + (title.is_string() ? 1 : 0);
    const bool plain = text.is_string() && data.size() == told;
    media.data = plain ? text.string(arena) : data.raw();
    if (plain) part.name = title.string(arena);
  }
  if (document.is_object()) media.metadata = document.raw();
  media.path = field;
  part.id = document["id"].string(arena);
  part.origin = chat::Dialect::cohere;
  part.media = arena.make<chat::Media>(media);
  return part;
}

Outcome<void> read_part(json::Value value, std::string_view field, bool cited, const ReadContext& context, Part& part) {
  base::Arena& arena = context.arena;
  const json::Value type = value["type"];
  if (type.equals("text")) {
    part.text = value["text"].string(arena);
    part.signature = read_signature(value, context);
  } else if (type.equals("thinking")) {
    part.kind = PartKind::thinking;
    part.text = value["thinking"].string(arena);
    part.signature = read_signature(value, context);
  } else if (type.equals("image_url")) {
    json::Value url = value["image_url"];
    const std::string_view detail = url["detail"].string(arena);
    if (url.is_object()) url = url["url"];
    if (!url.is_string()) return wrong("expected an object with a text 'url'", field);
    chat::Media media = media_from_text(url.string(arena), {}, arena);
    media.detail = detail;
    media.path = field;
    part.kind = PartKind::image;
    part.media = arena.make<chat::Media>(media);
  } else if (type.equals("document")) {
    part = document_part(value["document"], cited, field, arena);
  } else if (type.is_string()) {
    part.kind = PartKind::opaque;
    part.origin = chat::Dialect::cohere;
    part.text = value.raw();
    part.id = field;
  } else {
    return wrong("expected an object with a text 'type'", field);
  }
  return {};
}

Outcome<void> read_content(json::Value content, std::string_view field, bool cited, const ReadContext& context,
                           chat::List<Part>& parts) {
  if (content.is_unset()) return {};
  if (content.is_string()) {
    parts.push(context.arena, {.text = content.string(context.arena)});
    return {};
  }
  if (!content.is_array()) return wrong("expected a text or a list of content", field);
  size_t index = 0;
  for (const json::Value element : content.elements()) {
    Part part;
    TRY_VOID(read_part(element, indexed(field, index++, "", context.arena), cited, context, part));
    parts.push(context.arena, part);
  }
  return {};
}

}  // namespace

std::unexpected<chat::ClientError> wrong(std::string_view message, std::string_view param) {
  return std::unexpected(
      chat::ClientError{.kind = chat::ErrorKind::invalid_request, .message = message, .param = param});
}

bool read_tool_call(json::Value call, const ReadContext& context, Part& part) {
  base::Arena& arena = context.arena;
  const json::Value function = call["function"];
  const json::Value arguments = function["arguments"];
  part.kind = PartKind::tool_call;
  part.id = call["id"].string(arena);
  part.name = function["name"].string(arena);
  part.text = arguments.is_object() ? arguments.raw() : arguments.string(arena);
  part.signature = read_signature(call, context);
  return !part.name.empty();
}

// Thinking, then the plan or the text, then the calls: the order in which the model makes them.
Outcome<void> read_assistant(json::Value message, std::string_view field, const ReadContext& context,
                             chat::List<Part>& parts) {
  base::Arena& arena = context.arena;
  chat::List<Part> content;
  Outcome<void> read =
      read_content(message["content"], context.arena.concat(field, ".content"), false, context, content);
  for (const Part& part : content) {
    if (part.kind == PartKind::text && part.text.empty() && part.signature == nullptr) continue;
    parts.push(arena, part);
  }
  if (const std::string_view plan = message["tool_plan"].string(arena); !plan.empty()) {
    parts.push(arena, {.text = plan});
  }
  const json::Value citations = message["citations"];
  if (citations.is_array() && !citations.empty()) {
    for (Part& part : parts) {
      if (part.kind != PartKind::text) continue;
      part.citations = citations.raw();
      part.origin = chat::Dialect::cohere;
      break;
    }
  }
  size_t index = 0;
  for (const json::Value call : message["tool_calls"].elements()) {
    const size_t number = index++;
    Part part;
    if (read_tool_call(call, context, part)) {
      parts.push(arena, part);
    } else if (read) {
      read = wrong("expected an object with 'id' and 'function'",
                   indexed(arena.concat(field, ".tool_calls"), number, "", arena));
    }
  }
  return read;
}

Outcome<void> read_messages(json::Value messages, bool cited, const ReadContext& context, chat::Request& request) {
  if (!messages.is_array()) return wrong("expected a list of messages", "messages");
  base::Arena& arena = context.arena;
  size_t index = 0;
  for (const json::Value value : messages.elements()) {
    const size_t number = index++;
    const std::string_view field = indexed("messages", number, ".content", arena);
    const json::Value role = value["role"];
    Message message{.path = indexed("messages", number, "", arena)};
    if (role.equals("assistant")) {
      message.role = Role::assistant;
      TRY_VOID(read_assistant(value, message.path, context, message.parts));
    } else if (role.equals("tool")) {
      message.role = Role::tool;
      Part result{.kind = PartKind::tool_result, .id = value["tool_call_id"].string(arena)};
      TRY_VOID(read_content(value["content"], field, cited, context, result.content));
      message.parts.push(arena, result);
    } else if (role.equals("system") || role.equals("developer") || role.equals("user")) {
      message.role = role.equals("user") ? Role::user : Role::system;
      TRY_VOID(read_content(value["content"], field, cited, context, message.parts));
    } else {
      return wrong("expected one of system, user, assistant, tool", indexed("messages", number, ".role", arena));
    }
    request.messages.push(arena, message);
  }
  return {};
}

void read_documents(json::Value documents, bool cited, const ReadContext& context, chat::Request& request) {
  if (!documents.is_array() || documents.empty()) return;
  base::Arena& arena = context.arena;
  for (size_t i = request.messages.size(); i-- > 0;) {
    Message& message = request.messages[i];
    if (message.role != Role::user) continue;
    chat::List<Part> parts;
    size_t index = 0;
    for (const json::Value document : documents.elements()) {
      parts.push(arena, document_part(document, cited, indexed("documents", index++, "", arena), arena));
    }
    for (const Part& part : message.parts) parts.push(arena, part);
    message.parts = parts;
    return;
  }
}

}  // namespace llmgw::dialects::cohere
