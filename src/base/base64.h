// Base64 (RFC 4648, October 2006): sections 4 and 5. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"

namespace llmgw::base {

// Of the padded text.
constexpr size_t base64_size(size_t bytes) {
  return (bytes + 2) / 3 * 4;
}

// The standard alphabet, padded; writes base64_size(bytes.size()) characters.
void base64_encode(std::string_view bytes, char* out);
// The same into the arena.
std::string_view base64_encode(std::string_view bytes, Arena& arena);

// The alphabet for URLs and file names, without padding.
std::string base64url_encode(std::string_view bytes);

// Both alphabets, padding or none; line breaks and blanks are skipped. Writes at most text.size() bytes and says how
// many; nothing for any other character or a length that cannot be.
std::optional<size_t> base64_decode(std::string_view text, char* out);

// Whether base64_decode() takes the text, in a fraction of its time.
bool is_base64(std::string_view text);

}  // namespace llmgw::base
