// links: json
// Tokens stand where one who looks at a byte after the other sees them, whatever the processor can do.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/token_index.h"
#include "json/utf8.h"

namespace base = llmgw::base;
namespace json = llmgw::json;

namespace {

using Tokens = std::optional<std::vector<uint32_t>>;

Tokens look_at_each_byte(std::string_view text) {
  std::vector<uint32_t> tokens;
  bool in_string = false;
  bool escaped = false;
  bool in_scalar = false;
  for (uint32_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool quote = c == '"' && !escaped;
    escaped = c == '\\' && !escaped;
    if (in_string) {
      if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
      in_string = !quote;
      in_scalar = false;  // what follows the closing quote begins a token
      continue;
    }
    const bool space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    const bool punctuation = std::string_view("{}[]:,").find(c) != std::string_view::npos;
    if (punctuation || (!space && !in_scalar)) tokens.push_back(i);
    in_string = quote;
    in_scalar = !space && !punctuation && !quote;
  }
  if (in_string || tokens.empty() || !json::is_utf8_narrow(text)) return std::nullopt;
  return tokens;
}

Tokens index_with(base::Result<uint32_t> (*index)(std::string_view, uint32_t*), std::string_view text) {
  std::vector<uint32_t> tokens(text.size() + json::kIndexSlack);
  const auto count = index(text, tokens.data());
  if (!count) return std::nullopt;
  tokens.resize(*count);
  return tokens;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<char> bytes(data, data + size);
  const std::string_view text(bytes.data(), bytes.size());
  const Tokens expected = look_at_each_byte(text);
  if (index_with(json::index_tokens, text) != expected) std::abort();
  if (index_with(json::index_tokens_narrow, text) != expected) std::abort();
  return 0;
}
