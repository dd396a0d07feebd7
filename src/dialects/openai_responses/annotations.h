// Citations and token logprobs of other dialects in the form that the Responses API has. Pure; one thread.
#pragma once

#include <string>
#include <string_view>

#include "chat/dialect.h"
#include "json/reader.h"

namespace llmgw::dialects::openai_responses {

// Appends annotations, with commas between them, to `out` and says how many. `citations` is a JSON array in the shape
// of `origin`; what no annotation can say (a place in a document without an id) is left out. `text_size` is the length
// of the text so far in characters, for citations that know no position and stand for all of it.
size_t append_annotations(std::string& out, std::string_view citations, chat::Dialect origin, size_t text_size,
                          json::Parser& parser);

// An array of OpenAI's token logprobs with every member that schema LogProb requires, without its brackets.
void append_logprobs(std::string& out, std::string_view logprobs, json::Parser& parser);

// Code points in UTF-8 text.
size_t character_count(std::string_view text);

}  // namespace llmgw::dialects::openai_responses
