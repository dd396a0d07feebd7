// Citations of answers in Converse's form. Pure; any thread.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "chat/dialect.h"
#include "dialects/said_text.h"
#include "dialects/sent_documents.h"
#include "json/reader.h"

namespace llmgw::dialects::bedrock {

// A JSON list: Bedrock's own as they are, those of others that name an address with a location on the web, Anthropic's
// and Cohere's of documents with a location in them (botocore's service model of 2023-09-30, Citation, state of Aug
// 2026). `said`: the answer up to the end of the part they belong to. Empty if nothing is left.
std::string_view citations_for(std::string_view citations, chat::Dialect origin, SaidText& said,
                               const CitedRequest& asked, json::Parser& parser, base::Arena& arena);

}  // namespace llmgw::dialects::bedrock
