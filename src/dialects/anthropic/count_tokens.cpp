#include "dialects/anthropic/codec.h"
#include "dialects/anthropic/error_body.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::anthropic {

Outcome<uint64_t> read_token_count(std::string_view body, const ReadContext& context) {
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (root) {
    if (const auto count = (*root)["input_tokens"].unsigned_integer()) return *count;
    if ((*root)["error"].is_object()) return std::unexpected(error_of(*root, 0, context.arena));
  }
  return std::unexpected(chat::ClientError{.kind = chat::ErrorKind::upstream_failed,
                                           .message = "The provider's answer has no count of tokens."});
}

void write_token_count(uint64_t input_tokens, std::string& out) {
  json::Writer(out).begin_object().member("input_tokens", input_tokens).end_object();
}

}  // namespace llmgw::dialects::anthropic
