#include "dialects/gemini/codec.h"
#include "dialects/gemini/error_body.h"
#include "dialects/gemini/functions.h"
#include "dialects/gemini/request_object.h"
#include "dialects/gemini/request_writer.h"
#include "dialects/request_gates.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::gemini {

Outcome<void> read_count_request(std::string_view body, const ReadContext& context, chat::Request& request) {
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (!root) return invalid(context.arena, "", root.error().context);
  if (!root->is_object()) return invalid(context.arena, "", "The request body must be a JSON object.");
  const json::Value whole = root->any_of("generateContentRequest", "generate_content_request");
  return read_request_object(whole.is_object() ? whole : *root, context, request);
}

Outcome<void> write_count_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                                  std::string& out) {
  if (target.dialect == chat::Dialect::vertex) return RequestWriter(request, target, context, out).write_for_count();
  std::string whole;
  TRY_VOID(write_request(request, target, context, whole));
  // The request inside names its model itself, as its first member.
  std::string model("models/");
  model += target.model.starts_with(model) ? target.model.substr(model.size()) : target.model;
  out += R"({"generateContentRequest":{"model":)";
  json::append_quoted(out, model);
  out += ',';
  out += std::string_view(whole).substr(1);
  out += '}';
  return {};
}

Outcome<uint64_t> read_token_count(std::string_view body, const ReadContext& context) {
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (root) {
    if (const auto count = root->any_of("totalTokens", "total_tokens").unsigned_integer()) return *count;
    if ((*root)["error"].is_object()) return std::unexpected(read_error_value((*root)["error"], context.arena));
  }
  return std::unexpected(chat::ClientError{.kind = chat::ErrorKind::upstream_failed,
                                           .message = "The provider's answer has no count of tokens."});
}

void write_token_count(uint64_t input_tokens, std::string& out) {
  json::Writer w(out);
  w.begin_object().member("totalTokens", input_tokens).key("promptTokensDetails").begin_array();
  w.begin_object().member("modality", "TEXT").member("tokenCount", input_tokens).end_object();
  w.end_array().end_object();
}

}  // namespace llmgw::dialects::gemini
