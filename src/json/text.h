// JSON string text: what stands between the quotes, escaped and not. Any thread.
// Unescaped text is UTF-8, except that a lone surrogate escape (\ud83d without its partner, which JSON allows and
// models do emit) becomes its three-byte form (WTF-8); the writer turns that form back into the escape, so nothing is
// lost.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"

namespace llmgw::json {

// Writes the unescaped text to `out`, which must have room for escaped.size() bytes (unescaping never grows).
// Returns the bytes written; invalid_argument for an escape JSON does not have, a bare quote or a control byte.
base::Result<size_t> unescape(std::string_view escaped, char* out);

// The same into the arena; the text itself where nothing is escaped.
base::Result<std::string_view> unescape(std::string_view escaped, base::Arena& arena);

// Appends the text as it must stand between quotes. Bytes that are not UTF-8 become U+FFFD, one for each maximal
// broken part (Unicode 15, section 3.9, U+FFFD substitution); WTF-8 surrogates become \udXXX.
void append_escaped(std::string& out, std::string_view text);

// Appends the text escaped and with its quotes.
void append_quoted(std::string& out, std::string_view text);

}  // namespace llmgw::json
