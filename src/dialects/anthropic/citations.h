// Citations of answers in Anthropic's form. Pure; any thread.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "chat/dialect.h"
#include "dialects/said_text.h"
#include "dialects/sent_documents.h"
#include "json/reader.h"

namespace llmgw::dialects::anthropic {

// A JSON list: Anthropic's own as they are, those of others that name an address as web_search_result_location
// (platform.claude.com/docs/en/build-with-claude/citations, 2026; its encrypted_index only Anthropic can make: it is
// empty), Bedrock's and Cohere's of documents as char_location and the like. `said`: the answer up to the end of the
// part they belong to. Empty if nothing is left.
std::string_view citations_for(std::string_view citations, chat::Dialect origin, SaidText& said,
                               const CitedRequest& asked, json::Parser& parser, base::Arena& arena);

}  // namespace llmgw::dialects::anthropic
