// Where one text stands in another, for bodies of requests: std::string_view::find takes a millisecond for a megabyte
// in which the first letter is frequent. Pure; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace llmgw::base {

// As text.find(needle, from); the needle has three bytes at least. 16 or 32 places at once are compared with its first
// three.
size_t find_text(std::string_view text, std::string_view needle, size_t from = 0);
// What it does on a processor without AVX2. For the test that compares the two.
size_t find_text_narrow(std::string_view text, std::string_view needle, size_t from = 0);

}  // namespace llmgw::base
