#include <algorithm>
#include <array>

#include "dialects/openai/error_reader.h"
#include "dialects/openai_responses/codec.h"
#include "dialects/openai_responses/functions.h"
#include "dialects/request_gates.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::openai_responses {

Outcome<void> write_count_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                                  std::string& out) {
  // InputTokenCountParams of openai-python 2.45.
  constexpr std::array<std::string_view, 8> kTaken{"model",       "input",     "instructions", "tools",
                                                   "tool_choice", "reasoning", "text",         "parallel_tool_calls"};
  std::string whole;
  TRY_VOID(write_request(request, target, context, whole));
  const auto root = json::parse_tree(context.parser, whole, context.arena);
  if (!root) return invalid(context.arena, "", root.error().context);
  json::Writer w(out);
  w.begin_object();
  for (const json::Member member : root->members()) {
    const std::string_view key = member.key(context.arena);
    if (std::ranges::find(kTaken, key) != kTaken.end()) w.raw_member(key, member.value.raw());
  }
  w.end_object();
  return {};
}

Outcome<uint64_t> read_token_count(std::string_view body, const ReadContext& context) {
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (root) {
    if (const auto count = (*root)["input_tokens"].unsigned_integer()) return *count;
    if (openai::is_error_value((*root)["error"])) {
      return std::unexpected(openai::read_error_value((*root)["error"], *root, context.arena));
    }
  }
  return std::unexpected(chat::ClientError{.kind = chat::ErrorKind::upstream_failed,
                                           .message = "The provider's answer has no count of tokens."});
}

void write_token_count(uint64_t input_tokens, std::string& out) {
  json::Writer w(out);
  w.begin_object().member("object", "response.input_tokens").member("input_tokens", input_tokens).end_object();
}

}  // namespace llmgw::dialects::openai_responses
