// Citations of places in documents and search results that came with the request. Anthropic and Bedrock have the same
// four kinds under other names (platform.claude.com/docs/en/build-with-claude/citations, 2026; botocore's service model
// of 2023-09-30, CitationLocation, state of Aug 2026; a recorded answer has the same ends, which are exclusive). Cohere
// names the document and no place in it (docs.cohere.com/docs/rag-citations and tool-use-citations, 2026); other APIs
// have no place for them. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "dialects/sent_documents.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects {

// What each of the two calls one kind.
struct DocumentPlace {
  std::string_view type;   // Anthropic's
  std::string_view start;  // its members
  std::string_view end;
  std::string_view location;  // Bedrock's
  bool of_search_result = false;
};

struct DocumentCitation {
  const DocumentPlace* place = nullptr;
  uint64_t index = 0;  // of the document, or of the search result, among those of the request
  uint64_t start = 0;  // in characters, pages, or blocks
  uint64_t end = 0;    // behind the last one
  std::string_view title = {};
  std::string_view source = {};  // of a search result
  std::string_view cited_text = {};
};

// Nothing if it is of another kind, or of another API. Texts are in the arena.
std::optional<DocumentCitation> read_document_citation(json::Value citation, base::Arena& arena);

// All of a document that was sent, for providers that do not say where in it.
DocumentCitation whole_document(const SentDocument& sent, const CitedDocument& document, std::string_view cited_text);

// Those of a text of an earlier answer, as they go back with the conversation to `own`, Anthropic or Bedrock, in the
// form of that. `all`: false if some cannot go, being of no document that is sent along.
struct EarlierCitations {
  std::string_view list;  // JSON, in the arena; empty: none
  bool all = true;
};
EarlierCitations earlier_citations(chat::Dialect own, const chat::Part& text, const CitedRequest& asked,
                                   json::Parser& parser, base::Arena& arena);

void write_anthropic(json::Writer& w, const DocumentCitation& citation);
void write_bedrock(json::Writer& w, const DocumentCitation& citation);

}  // namespace llmgw::dialects
