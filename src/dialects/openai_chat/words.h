// What Chat Completions calls things, for readers and writers of documents and streams alike. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "chat/answer.h"
#include "chat/error.h"
#include "chat/request.h"
#include "dialects/said_text.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::openai_chat {

// Also the words of vendors behind OpenAI's format. Unknown words are `unknown`, or `stop` if they say nothing bad.
chat::Finish finish_from(std::string_view word);
// The vendor's word that it broke the answer off itself: what came is not the whole, and no end of the model's.
bool is_failure(std::string_view word);
chat::ClientError failure(std::string_view word, base::Arena& arena);
// What the specification allows: stop, length, tool_calls, function_call, content_filter. `refused`: the answer has a
// `refusal`, which OpenAI ends with a plain stop.
std::string_view finish_word(chat::Finish finish, bool legacy_functions, bool refused);

// Cache reads and writes are part of prompt_tokens, reasoning of completion_tokens; xAI counts reasoning apart, and
// its total tells so. Nothing where all is zero or absent.
chat::Usage read_usage(json::Value usage);
void write_usage(json::Writer& w, const chat::Usage& usage);

// Citations in any dialect's shape that have an address, as url_citation annotations; others are left out. Those of
// this dialect stay as they are. `said`: the answer up to the end of the part they belong to. Empty if there are none.
std::string annotations_from(std::string_view citations, chat::Dialect origin, SaidText& said, json::Parser& parser,
                             base::Arena& arena);

// What clients of OpenAI know of service tiers; empty for others.
std::string_view service_tier_word(std::string_view tier);

// chatcmpl-..., of the provider's id if it has the form of one, else of the request's.
std::string_view answer_id(std::string_view id, std::string_view request_id, base::Arena& arena);

// "messages[3].content[1]" and the like, in the arena.
std::string_view path(base::Arena& arena, std::string_view list, size_t index, std::string_view member = {});

}  // namespace llmgw::dialects::openai_chat
