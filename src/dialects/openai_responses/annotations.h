// Citations and token logprobs of other dialects in the form that the Responses API has. Pure; one thread.
#pragma once

#include <string>
#include <string_view>

#include "chat/dialect.h"
#include "dialects/said_text.h"
#include "json/reader.h"

namespace llmgw::dialects::openai_responses {

// Appends annotations, with commas between them, to `out` and says how many. `citations` is a JSON array in the shape
// of `origin`; what no annotation can say (a place in a document without an id) is left out. `said`: the answer up
// to the end of the part they belong to, all of which a citation stands for that knows no position.
size_t append_annotations(std::string& out, std::string_view citations, chat::Dialect origin, SaidText& said,
                          json::Parser& parser);

// An array of OpenAI's token logprobs with every member that schema LogProb requires, without its brackets.
void append_logprobs(std::string& out, std::string_view logprobs, json::Parser& parser);

}  // namespace llmgw::dialects::openai_responses
