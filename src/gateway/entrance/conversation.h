// Which conversation a request belongs to, by its body: what stays the same of it while it grows. Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "chat/dialect.h"

namespace llmgw::gateway {

// A hash over the rules (a system prompt, wherever its API has it) and the messages up to the first answer of the model
// to a user, however short or long: `dialect` is the body's. Neither how texts are wrapped (a text, or a list of one)
// nor where a cache is to begin counts, since clients change both from call to call. In the Responses API the
// `conversation` or, failing that, the response that the call goes on from stands for all before it. Completions, which
// know no messages, are known by the first kilobyte of their prompt. 0: the body says nothing of a conversation, or is
// no JSON object. One pass, in which most is passed over.
uint64_t conversation_of(std::string_view body, chat::Dialect dialect, uint64_t seed);

// The same of a request that goes on from that response.
uint64_t conversation_after(std::string_view response_id, uint64_t seed);

// The id of a response that is one JSON document, by its first bytes. A view of them; empty: it does not stand there.
std::string_view response_id_in(std::string_view beginning);

}  // namespace llmgw::gateway
