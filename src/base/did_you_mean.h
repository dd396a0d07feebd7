// What an error message says of a word that is none of those that could stand there. Any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace llmgw::base {

// "; did you mean 'gpt-4o'?", if one of `candidates` is closest() to `word`, else empty.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace llmgw::base
