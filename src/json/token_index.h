// Where every token of a JSON document begins: each bracket, brace, colon and comma outside strings, and the first byte
// of each string and of each other run of bytes that is no white space. Nothing is parsed, but a string must end, must
// have no control bytes, and the whole must be UTF-8. Positions are of one pass with bit masks over 64 bytes (Langdale
// and Lemire, "Parsing Gigabytes of JSON per Second", 2019, section 3.1). Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace llmgw::json {

// What index_tokens() may write behind the last token, in tokens: positions are written many at a time.
inline constexpr size_t kIndexSlack = 64;

// The number of tokens of `text`, at most 2^32 - 64 bytes, whose positions are in `tokens`, which has room for
// text.size() + kIndexSlack of them.
// invalid_argument: empty or only white space, a string that is not closed, a control byte in one, not UTF-8.
base::Result<uint32_t> index_tokens(std::string_view text, uint32_t* tokens);
// What it does on a processor without AVX2. For the test that compares the two.
base::Result<uint32_t> index_tokens_narrow(std::string_view text, uint32_t* tokens);

}  // namespace llmgw::json
