#include <algorithm>
#include <array>

#include "dialects/bedrock/codec.h"
#include "dialects/bedrock/functions.h"
#include "dialects/bedrock/meaning.h"
#include "dialects/request_gates.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::bedrock {

Outcome<void> write_count_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                                  std::string& out) {
  // ConverseTokensRequest of the service model.
  constexpr std::array<std::string_view, 4> kTaken{"messages", "system", "toolConfig", "additionalModelRequestFields"};
  std::string whole;
  TRY_VOID(write_request(request, target, context, whole));
  const auto root = json::parse_tree(context.parser, whole, context.arena);
  if (!root) return invalid(context.arena, "", root.error().context);
  json::Writer w(out);
  w.begin_object().key("input").begin_object().key("converse").begin_object();
  for (const json::Member member : root->members()) {
    const std::string_view key = member.key(context.arena);
    if (std::ranges::find(kTaken, key) != kTaken.end()) w.raw_member(key, member.value.raw());
  }
  w.end_object().end_object().end_object();
  return {};
}

Outcome<uint64_t> read_token_count(std::string_view body, const ReadContext& context) {
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (root) {
    if (const auto count = (*root)["inputTokens"].unsigned_integer()) return *count;
  }
  return std::unexpected(error_of(body, {}, 0, context, context.arena));
}

void write_token_count(uint64_t input_tokens, std::string& out) {
  json::Writer(out).begin_object().member("inputTokens", input_tokens).end_object();
}

}  // namespace llmgw::dialects::bedrock
