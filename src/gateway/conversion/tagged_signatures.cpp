#include "gateway/conversion/tagged_signatures.h"

#include <algorithm>

#include "base/find_text.h"
#include "chat/signature.h"
#include "json/tree.h"

namespace llmgw::gateway {
namespace {

// What the tag begins with in base64, whatever follows it.
constexpr std::string_view kTagInBase64 = "bGd3MT";

bool contains(std::string_view text, std::string_view needle) {
  return base::find_text(text, needle) != std::string_view::npos;
}

std::string_view without_blanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return text;
}

}  // namespace

bool may_hold_tagged_signature(std::string_view body, chat::Dialect dialect) {
  const bool bytes = dialect == chat::Dialect::gemini || dialect == chat::Dialect::vertex;
  // Bedrock has texts, and bytes where a thought is hidden.
  if ((bytes || dialect == chat::Dialect::bedrock) && contains(body, kTagInBase64)) return true;
  return !bytes && contains(body, chat::kSignatureTag);
}

namespace {

// Anthropic's have an empty signature, which no other text of theirs has.
bool has_empty_signature(std::string_view body) {
  constexpr std::string_view kMember = "\"signature\"";
  for (size_t at = base::find_text(body, kMember); at != std::string_view::npos;
       at = base::find_text(body, kMember, at + 1)) {
    std::string_view rest = without_blanks(body.substr(at + kMember.size()));
    if (!rest.starts_with(':')) continue;
    rest = without_blanks(rest.substr(1));
    if (rest.starts_with("\"\"") || rest.starts_with("null")) return true;
  }
  return false;
}

// Bedrock's have none.
bool lacks_signature(std::string_view body, json::Parser& parser) {
  if (!contains(body, "\"reasoningText\"")) return false;
  base::Arena arena;
  const auto root = json::parse_tree(parser, body, arena);
  if (!root) return false;
  for (const json::Value message : (*root)["messages"].elements()) {
    for (const json::Value block : message["content"].elements()) {
      const json::Value thought = block["reasoningContent"]["reasoningText"];
      if (thought.is_object() && (thought["signature"].is_unset() || thought["signature"].equals(""))) return true;
    }
  }
  return false;
}

}  // namespace

bool may_hold_unsigned_thought(std::string_view body, chat::Dialect dialect, json::Parser& parser) {
  if (dialect == chat::Dialect::bedrock) return lacks_signature(body, parser);
  return dialect == chat::Dialect::anthropic && has_empty_signature(body);
}

}  // namespace llmgw::gateway
