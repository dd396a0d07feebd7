#include "gateway/conversion/tagged_signatures.h"

#include <algorithm>

#include "base/find_text.h"
#include "chat/signature.h"

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

bool may_hold_unsigned_thought(std::string_view body) {
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

}  // namespace llmgw::gateway
