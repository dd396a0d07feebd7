// What Cohere calls things, for readers and writers of documents and streams alike. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/arena.h"
#include "chat/answer.h"
#include "dialects/codec.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::cohere {

// COMPLETE, STOP_SEQUENCE, MAX_TOKENS, TOOL_CALL. ERROR and TIMEOUT are no ends of an answer: is_failure().
chat::Finish finish_from(std::string_view word);
bool is_failure(std::string_view finish_word);
std::string_view finish_word(const chat::Choice& choice);
chat::ClientError failure(std::string_view finish_word, std::string_view message);

// `tokens` counts what the model saw and made, cached_tokens what of it came from the cache; where there is no
// `tokens`, `billed_units`.
chat::Usage read_usage(json::Value usage);
void write_usage(json::Writer& w, const chat::Usage& usage);

// Cohere's logprobs (a text, its tokens' ids, their probabilities) as OpenAI's, and back. Empty if there are none.
std::string logprobs_from(json::Value item, base::Arena& arena);
void write_logprobs(json::Writer& w, std::string_view logprobs, json::Parser& parser, base::Arena& arena);

// Answers have UUIDs for ids: the provider's if it is one, else the request's id.
std::string_view answer_id(std::string_view id, std::string_view request_id);

// A thinking or text part's signature, in a member of its own beside the text: clients keep members they do not know.
const chat::Signature* read_signature(json::Value holder, const ReadContext& context);
void write_signature(json::Writer& w, const chat::Part& part, base::Arena& arena);

}  // namespace llmgw::dialects::cohere
