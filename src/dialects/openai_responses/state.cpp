#include "dialects/openai_responses/state.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/find_text.h"
#include "dialects/openai_responses/items.h"
#include "dialects/openai_responses/response_object.h"
#include "dialects/request_gates.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::openai_responses {
namespace {

std::string_view id_prefix(json::Value item) {
  switch (item_type(item)) {
    case ItemType::message: return "msg_";
    case ItemType::function_call: return "fc_";
    case ItemType::function_call_output: return "fco_";
    case ItemType::custom_tool_call: return "ctc_";
    case ItemType::custom_tool_call_output: return "ctco_";
    case ItemType::reasoning: return kReasoningPrefix;
    case ItemType::image_generation_call: return "ig_";
    default: return "item_";
  }
}

const StateItem* find(std::span<const StateItem> items, std::string_view id) {
  const auto found = std::ranges::find(items, id, &StateItem::id);
  return found == items.end() ? nullptr : &*found;
}

void write_part(json::Writer& writer, json::Value part, bool assistant) {
  const json::Value type = part["type"];
  const bool output = type.equals("output_text");
  const bool text = output || type.equals("input_text") || type.equals("text");
  writer.begin_object();
  if (text) writer.member("type", assistant ? "output_text" : "input_text");
  for (const json::Member member : part.members()) {
    if (text && member.is("type")) continue;
    writer.raw_member(member.escaped_key, member.value.raw());
  }
  if (text && assistant && part["annotations"].is_unset()) writer.raw_member("annotations", "[]");
  if (text && assistant && part["logprobs"].is_unset()) writer.raw_member("logprobs", "[]");
  if (type.equals("input_image") && part["detail"].is_unset()) writer.member("detail", "auto");
  writer.end_object();
}

void write_message_content(json::Writer& writer, json::Value item) {
  const bool assistant = item["role"].equals("assistant");
  const json::Value content = item["content"];
  writer.key("content").begin_array();
  if (content.is_string()) {
    writer.begin_object().member("type", assistant ? "output_text" : "input_text").raw_member("text", content.raw());
    if (assistant) writer.raw_member("annotations", "[]").raw_member("logprobs", "[]");
    writer.end_object();
  }
  for (const json::Value part : content.elements()) write_part(writer, part, assistant);
  writer.end_array();
}

// An item as it is listed: with type, id and status.
std::string whole_item(json::Value item, std::string_view id) {
  const ItemType type = item_type(item);
  const bool message = type == ItemType::message;
  std::string json;
  json::Writer writer(json);
  writer.begin_object().member("id", id);
  if (message) writer.member("type", "message");
  for (const json::Member member : item.members()) {
    if (member.is("id") || (message && (member.is("type") || member.is("content")))) continue;
    if (member.is("status") && member.value.is_null()) continue;
    writer.raw_member(member.escaped_key, member.value.raw());
  }
  if (message) write_message_content(writer, item);
  const bool has_status = message || type == ItemType::function_call || type == ItemType::function_call_output ||
                          type == ItemType::custom_tool_call || type == ItemType::custom_tool_call_output;
  if (has_status && item["status"].is_unset()) writer.member("status", "completed");
  if (type == ItemType::reasoning && item["summary"].is_unset()) writer.raw_member("summary", "[]");
  writer.end_object();
  return json;
}

// An item on its way to a provider: without an id that only this gateway knows.
void append_sent(json::Writer& writer, std::string_view item, json::Parser& parser) {
  base::Arena arena;
  const auto root = json::parse_tree(parser, item, arena);
  if (!root || !is_minted((*root)["id"].string(arena))) return static_cast<void>(writer.raw(item));
  writer.begin_object();
  for (const json::Member member : root->members()) {
    if (!member.is("id")) writer.raw_member(member.escaped_key, member.value.raw());
  }
  writer.end_object();
}

// What may be meant by an id that was not made here.
constexpr std::string_view kProvidersOwn =
    " Responses and conversations that a provider keeps itself go on with that provider's models only; a conversation "
    "of this gateway (POST /v1/conversations) goes on with any.";

chat::ClientError missing(std::string_view what, std::string_view id, std::string_view param, std::string_view code,
                          base::Arena& arena, std::string_view more = {}) {
  const std::string message = std::string(what) + " with id '" + std::string(id) + "' not found." + std::string(more);
  return {.kind = chat::ErrorKind::not_found, .message = arena.copy(message), .param = param, .code = code};
}

std::unexpected<chat::ClientError> unreadable(base::Arena& arena) {
  return invalid(arena, "", "the body must be a JSON object");
}

}  // namespace

bool is_minted(std::string_view id) {
  const size_t end = id.find('_');
  return end != std::string_view::npos && id.substr(end + 1).starts_with(kMintedMark);
}

bool builds_on_minted(std::string_view body, json::Parser& parser) {
  // Most do not, and pay for one search.
  if (base::find_text(body, "_" + std::string(kMintedMark)) == std::string_view::npos) return false;
  const std::string thought = "\"" + minted_id(kReasoningPrefix, {});
  if (base::find_text(body, thought) != std::string_view::npos) return true;
  base::Arena arena;
  const auto request = StateBodies(parser, arena, {}).read(body);
  return request && (is_minted(request->previous_response_id) || is_minted(request->conversation_id) ||
                     std::ranges::any_of(request->references, is_minted));
}

std::string minted_id(std::string_view prefix, std::string_view text) {
  return std::string(prefix) + std::string(kMintedMark) + std::string(text);
}

Outcome<StateRequest> StateBodies::read(std::string_view body) {
  const auto root = json::parse_tree(parser_, body, arena_);
  if (!root || !root->is_object()) return unreadable(arena_);
  StateRequest request;
  for (const json::Member member : root->members()) {
    const json::Value value = member.value;
    if (member.is("previous_response_id")) {
      request.previous_response_id = value.string(arena_);
    } else if (member.is("conversation")) {
      request.conversation_id = (value.is_object() ? value["id"] : value).string(arena_);
    } else if (member.is("store")) {
      request.store = value.boolean().value_or(true);
    } else if (member.is("background")) {
      request.background = value.is_true();
    } else if (member.is("stream")) {
      request.stream = value.is_true();
    } else if (member.is("input")) {
      request.text = value.is_string();
      for (const json::Value item : value.elements()) {
        if (item.is_object() && item_type(item) == ItemType::item_reference) {
          request.references.emplace_back(item["id"].string(arena_));
        }
      }
    }
  }
  if (!request.previous_response_id.empty() && !request.conversation_id.empty()) {
    return invalid(arena_, "previous_response_id", "previous_response_id and conversation cannot be used together");
  }
  return request;
}

Outcome<std::vector<StateItem>> StateBodies::items_of(std::string_view body, std::string_view member,
                                                      std::span<const StateItem> known) {
  const auto root = json::parse_tree(parser_, body, arena_);
  if (!root || !root->is_object()) return unreadable(arena_);
  const json::Value list = (*root)[member];
  std::vector<StateItem> items;
  const auto mint = [&](std::string_view prefix) {
    return std::string(prefix) + std::string(kMintedMark) + id_text(seed_) + "_" + std::to_string(items.size());
  };
  if (list.is_string()) {
    StateItem item{.id = mint("msg_"), .json = {}};
    json::Writer writer(item.json);
    writer.begin_object().member("id", item.id).member("type", "message").member("role", "user");
    writer.key("content").begin_array().begin_object().member("type", "input_text").raw_member("text", list.raw());
    writer.end_object().end_array().member("status", "completed").end_object();
    items.push_back(std::move(item));
    return items;
  }
  for (const json::Value element : list.elements()) {
    if (!element.is_object()) {
      return invalid(arena_, indexed(member, items.size(), "", arena_), "an item must be an object");
    }
    const std::string_view id = element["id"].string(arena_);
    if (item_type(element) == ItemType::item_reference) {
      const StateItem* const referenced = find(known, id);
      if (referenced == nullptr) return std::unexpected(missing_item(id, arena_));
      items.push_back(*referenced);
      continue;
    }
    StateItem item{.id = id.empty() ? mint(id_prefix(element)) : std::string(id), .json = {}};
    item.json = whole_item(element, item.id);
    items.push_back(std::move(item));
  }
  return items;
}

Outcome<std::vector<StateItem>> StateBodies::input_items(std::string_view body, std::span<const StateItem> known) {
  return items_of(body, "input", known);
}

Outcome<std::string> StateBodies::stand_alone(std::string_view body, std::span<const StateItem> context,
                                              std::span<const StateItem> known) {
  const auto root = json::parse_tree(parser_, body, arena_);
  if (!root || !root->is_object()) return unreadable(arena_);
  constexpr std::array<std::string_view, 4> kMemory{"previous_response_id", "conversation", "input", "background"};
  json::Parser items_parser;  // the body's own tree has to stay
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  for (const json::Member member : root->members()) {
    if (std::ranges::any_of(kMemory, [&](std::string_view name) { return member.is(name); })) continue;
    writer.raw_member(member.escaped_key, member.value.raw());
  }
  writer.key("input").begin_array();
  for (const StateItem& item : context) append_sent(writer, item.json, items_parser);
  const json::Value input = (*root)["input"];
  if (input.is_string()) {
    writer.begin_object().member("role", "user").raw_member("content", input.raw()).end_object();
  }
  for (const json::Value item : input.elements()) {
    if (!item.is_object() || item_type(item) != ItemType::item_reference) {
      writer.raw(item.raw());
      continue;
    }
    const std::string_view id = item["id"].string(arena_);
    const StateItem* const referenced = find(known, id);
    if (referenced == nullptr) return std::unexpected(missing_item(id, arena_));
    append_sent(writer, referenced->json, items_parser);
  }
  writer.end_array().end_object();
  return out;
}

std::vector<StateItem> StateBodies::output_items(std::string_view response) {
  std::vector<StateItem> items;
  const auto root = json::parse_tree(parser_, response, arena_);
  if (!root) return items;
  for (const json::Value item : (*root)["output"].elements()) {
    items.push_back({.id = std::string(item["id"].string(arena_)), .json = std::string(item.raw())});
  }
  return items;
}

Outcome<std::string> StateBodies::conversation_metadata(std::string_view body, bool required) {
  if (body.empty() && !required) return "{}";
  const auto root = json::parse_tree(parser_, body, arena_);
  if (!root || !root->is_object()) return unreadable(arena_);
  const json::Value metadata = (*root)["metadata"];
  if (metadata.is_unset() && !required) return "{}";
  constexpr size_t kPairsMax = 16;  // OpenAI's bounds
  constexpr size_t kKeyBytesMax = 64;
  constexpr size_t kValueBytesMax = 512;
  size_t pairs = 0;
  bool good = metadata.is_object();
  for (const json::Member member : metadata.members()) {
    good &= ++pairs <= kPairsMax && member.key(arena_).size() <= kKeyBytesMax && member.value.is_string() &&
            member.value.string(arena_).size() <= kValueBytesMax;
  }
  if (!good) {
    return invalid(arena_, "metadata", "metadata must be an object of at most 16 texts: 64 bytes a key, 512 a value");
  }
  return std::string(metadata.raw());
}

Outcome<std::vector<StateItem>> StateBodies::new_items(std::string_view body, bool required) {
  if (body.empty() && !required) return std::vector<StateItem>{};
  constexpr std::string_view kNoList = "items must be an array of items";
  const auto root = json::parse_tree(parser_, body, arena_);
  if (root && !(*root)["items"].is_unset() && !(*root)["items"].is_array()) return invalid(arena_, "items", kNoList);
  auto items = items_of(body, "items", {});
  if (!items) return items;
  if (required && items->empty()) return invalid(arena_, "items", kNoList);
  if (items->size() > kNewItemsMax) return invalid(arena_, "items", "at most 20 items can be added at once");
  return items;
}

std::string with_status(std::string_view response, std::string_view status, json::Parser& parser) {
  base::Arena arena;
  const auto root = json::parse_tree(parser, response, arena);
  std::string out;
  if (!root) return out;
  json::Writer writer(out);
  writer.begin_object();
  for (const json::Member member : root->members()) {
    if (member.is("status")) {
      writer.member("status", status);
    } else {
      writer.raw_member(member.escaped_key, member.value.raw());
    }
  }
  writer.end_object();
  return out;
}

std::string item_list(std::span<const StateItem> items, bool has_more) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("object", "list").key("data").begin_array();
  for (const StateItem& item : items) writer.raw(item.json);
  writer.end_array().member("first_id", items.empty() ? std::string_view{} : std::string_view(items.front().id));
  writer.member("last_id", items.empty() ? std::string_view{} : std::string_view(items.back().id));
  writer.member("has_more", has_more).end_object();
  return out;
}

std::string deleted_response(std::string_view id) {
  std::string out;
  json::Writer(out).begin_object().member("id", id).member("object", "response").member("deleted", true).end_object();
  return out;
}

std::string conversation_object(std::string_view id, int64_t created_at, std::string_view metadata) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("id", id).member("object", "conversation").member("created_at", created_at);
  writer.raw_member("metadata", metadata.empty() ? "{}" : metadata).end_object();
  return out;
}

std::string deleted_conversation(std::string_view id) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("id", id).member("object", "conversation.deleted").member("deleted", true).end_object();
  return out;
}

chat::ClientError missing_response(std::string_view id, base::Arena& arena) {
  return missing("Response", id, {}, {}, arena);
}

chat::ClientError missing_previous_response(std::string_view id, base::Arena& arena) {
  chat::ClientError error = missing("Previous response", id, "previous_response_id", "previous_response_not_found",
                                    arena, is_minted(id) ? std::string_view{} : kProvidersOwn);
  error.kind = chat::ErrorKind::invalid_request;
  return error;
}

chat::ClientError broken_chain(std::string_view id, std::string_view missing, base::Arena& arena) {
  return {.kind = chat::ErrorKind::invalid_request,
          .message = arena.copy("Previous response with id '" + std::string(id) + "' cannot be continued: '" +
                                std::string(missing) + "', which it builds on, was deleted or has expired."),
          .param = "previous_response_id",
          .code = "previous_response_not_found"};
}

chat::ClientError missing_conversation(std::string_view id, base::Arena& arena) {
  return missing("Conversation", id, {}, {}, arena);
}

chat::ClientError conversation_elsewhere(std::string_view id, base::Arena& arena) {
  return missing("Conversation", id, "conversation", {}, arena, is_minted(id) ? std::string_view{} : kProvidersOwn);
}

chat::ClientError missing_item(std::string_view id, base::Arena& arena) {
  return missing("Item", id, {}, {}, arena);
}

}  // namespace llmgw::dialects::openai_responses
