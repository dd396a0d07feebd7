// Citations of answers in Cohere's form. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/arena.h"
#include "chat/dialect.h"
#include "dialects/said_text.h"
#include "dialects/sent_documents.h"
#include "json/reader.h"

namespace llmgw::dialects::cohere {

// Elements of a list without its brackets: Cohere's own as they are, those of others that name an address as documents
// with an address, Anthropic's and Bedrock's of documents as the document that the client has sent, by the id that it
// has given or the one that Cohere would have (docs.cohere.com/docs/rag-citations and tool-use-citations, 2026).
// `said`: the answer up to the end of the part they belong to.
std::string citations_from(std::string_view citations, chat::Dialect origin, SaidText& said, const CitedRequest& asked,
                           json::Parser& parser, base::Arena& arena);

}  // namespace llmgw::dialects::cohere
