#include "gateway/failover/first_content.h"

#include <algorithm>
#include <array>

namespace llmgw::gateway {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// What stands in quotes behind `before`, blanks around it or not; `text` is then what follows.
std::optional<std::string_view> take_quoted(std::string_view& text, char before) {
  size_t at = text.find_first_not_of(" \t\r\n");
  if (at == std::string_view::npos || text[at] != before) return std::nullopt;
  at = text.find_first_not_of(" \t\r\n", at + 1);
  if (at == std::string_view::npos || text[at] != '"') return std::nullopt;
  const size_t end = text.find('"', at + 1);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view quoted = text.substr(at + 1, end - at - 1);
  text.remove_prefix(end + 1);
  return quoted;
}

}  // namespace

// Anthropic's, the Responses API's, Bedrock's.
bool is_prelude_name(std::string_view event) {
  constexpr std::array<std::string_view, 10> kNames{"message_start",
                                                    "content_block_start",
                                                    "ping",
                                                    "response.created",
                                                    "response.in_progress",
                                                    "response.queued",
                                                    "response.output_item.added",
                                                    "response.content_part.added",
                                                    "messageStart",
                                                    "contentBlockStart"};
  return std::ranges::find(kNames, event) != kNames.end();
}

std::optional<std::string_view> name_inside(std::string_view json) {
  const auto member = take_quoted(json, '{');
  if (member == "type") return take_quoted(json, ':');
  if (!member || is_prelude_name(*member) || *member == "messageStop") return member;
  return std::string_view{};
}

bool is_prelude(std::string_view event, std::string_view data) {
  if (is_prelude_name(event)) return true;
  if (!contains(data, "\"delta\":{") && !contains(data, "\"delta\": {")) return data.empty();
  if (!event.empty()) return false;
  // Chat completions: a chunk with a role and nothing else.
  const bool says = contains(data, "\"tool_calls\"") || contains(data, "\"reasoning") ||
                    contains(data, "\"refusal\":\"") || contains(data, "\"finish_reason\":\"") ||
                    contains(data, "\"finish_reason\": \"");
  if (says) return false;
  const size_t content = data.find("\"content\":");
  if (content == std::string_view::npos) return true;
  const size_t at = data.find_first_not_of(' ', content + 10);
  if (at == std::string_view::npos) return true;
  const std::string_view value = data.substr(at);
  return value.starts_with("\"\"") || value.starts_with("null");
}

bool FirstContent::feed(std::string_view bytes) {
  while (!seen_) {
    const auto event = sse_.next(bytes);
    if (event && !*event) return false;
    const std::string_view data = event ? (*event)->data : "";
    seen_ = !event || (!data.empty() && data != "[DONE]" && !is_prelude((*event)->event, data));
  }
  return true;
}

}  // namespace llmgw::gateway
