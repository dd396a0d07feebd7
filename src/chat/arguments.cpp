#include "chat/arguments.h"

#include <string>

#include "chat/request.h"
#include "json/text.h"
#include "json/tree.h"

namespace llmgw::chat {
namespace {

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first);
}

std::string_view wrapped(std::string_view member, std::string_view json, base::Arena& arena) {
  std::string out = "{";
  json::append_quoted(out, member);
  out += ':';
  out += json;
  out += '}';
  return arena.copy(out);
}

std::string_view wrapped_text(std::string_view member, std::string_view text, base::Arena& arena) {
  std::string json;
  json::append_quoted(json, text);
  return wrapped(member, json, arena);
}

}  // namespace

bool is_json_object(std::string_view text, json::Parser& parser, base::Arena& arena) {
  if (!trimmed(text).starts_with('{')) return false;
  return json::parse_tree(parser, text, arena).has_value();
}

ArgumentsObject arguments_object(std::string_view arguments, json::Parser& parser, base::Arena& arena) {
  const std::string_view text = trimmed(arguments);
  if (text.empty() || text == "null") return {.json = "{}"};
  const auto root = json::parse_tree(parser, text, arena);
  if (!root) return {.json = wrapped_text("value", arguments, arena), .wrapped = true};
  if (root->is_object()) return {.json = text};
  // Some vendors encode twice: a string that holds the object.
  if (root->is_string()) {
    const std::string_view inner = root->string(arena);
    if (is_json_object(inner, parser, arena)) return {.json = trimmed(inner)};
    if (trimmed(inner).empty()) return {.json = "{}"};
  }
  return {.json = wrapped("value", text, arena), .wrapped = true};
}

std::optional<std::string_view> executable_arguments(const Part& call, json::Parser& parser, base::Arena& arena) {
  if (call.custom) return wrapped_text(kCustomInputMember, call.text, arena);
  const ArgumentsObject arguments = arguments_object(call.text, parser, arena);
  return arguments.wrapped ? std::nullopt : std::optional(arguments.json);
}

std::string_view invalid_arguments(std::string_view text, base::Arena& arena) {
  return wrapped_text("INVALID_JSON", text, arena);
}

std::string_view result_object(std::string_view text, std::string_view member, json::Parser& parser,
                               base::Arena& arena) {
  const std::string_view inner = trimmed(text);
  if (inner.starts_with('{') || inner.starts_with('[')) {
    if (json::parse_tree(parser, inner, arena)) return inner.front() == '{' ? inner : wrapped(member, inner, arena);
  }
  return wrapped_text(member, text, arena);
}

}  // namespace llmgw::chat
