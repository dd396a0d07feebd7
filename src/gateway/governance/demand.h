// What a call will use, before it is made, for limits that are reserved beforehand. Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace llmgw::gateway {

// Generated tokens of a call that sets no limit: about twice what an answer of a chat has on average. What it really
// used is settled afterwards.
inline constexpr uint64_t kAssumedOutputTokens = 1024;
// But of all its answers together no more than this part of the tightest limit of tokens a minute.
inline constexpr uint64_t kAssumedShareOfMinute = 4;
// What a call may be expected to use at most: beyond every limit, and far from where sums of such numbers overflow.
inline constexpr uint64_t kDemandTokensMax = uint64_t{1} << 60;
// Of an image or file inside a body, whatever its size: what a full-sized image costs with most providers.
inline constexpr uint64_t kMediaTokens = 1000;

// Prompt tokens of a JSON body, in one pass over its quotation marks: a token for every four bytes, and for each long
// text without spaces (an image or file in base64) kMediaTokens. Within a factor of two of what providers count for
// prose and code; too high for small bodies full of settings, too low for Chinese.
uint64_t estimate_prompt_tokens(std::string_view body);

// Tokens of so many answers to each of so many prompts; at most kDemandTokensMax.
uint64_t tokens_of_answers(uint64_t tokens_of_one, uint64_t answers, uint64_t prompts);

// Generated tokens of so many bytes of text, thoughts and arguments. In recorded streams with known usage the median
// error is 22 % for text alone; with calls and hidden thoughts half, nearly always too low: providers count what no
// byte of the stream shows.
uint64_t estimate_generated_tokens(uint64_t text_bytes);

}  // namespace llmgw::gateway
