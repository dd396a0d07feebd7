// Citations of other dialects in a client's form: Gemini's grounding and citation metadata, and whoever else names an
// address or a place in a document.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "chat/dialect.h"
#include "dialects/document_citations.h"
#include "dialects/said_text.h"
#include "json/reader.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects {

inline bool has_grounding(chat::Dialect origin) {
  return origin == chat::Dialect::gemini || origin == chat::Dialect::vertex;
}

// A list of {"url","title","cited_text","start_index","end_index"}: one for each part of the text that is backed by a
// source with an address, with the first of its sources. `citations` is what Gemini's readers keep of a text
// ([{"groundingMetadata":{...}}, ...]; ai.google.dev/api/generate-content, GroundingMetadata, 2026). The indices are
// Google's own: see SaidText. In the arena; empty if there is none.
std::string_view grounding_citations(std::string_view citations, json::Parser& parser, base::Arena& arena);

// One citation, whoever wrote it but Google, if it names an address: OpenAI's url_citation (nested or flat),
// Anthropic's web_search_result_location, Bedrock's location, Cohere's sources (the first that has an address), and the
// form above.
struct WebCitation {
  std::string_view url;  // as it stands, whatever its scheme
  std::string_view title = {};
  std::string_view cited_text = {};
  std::optional<uint64_t> start = {};  // as the dialect that it is of counts: see SaidText
  std::optional<uint64_t> end = {};
};
std::optional<WebCitation> read_web_citation(json::Value citation, base::Arena& arena);

// How a dialect writes citations of others.
struct CitationForm {
  void (*web)(json::Writer& w, const WebCitation& citation);
  void (*document)(json::Writer& w, const DocumentCitation& citation);
};

// Those of the dialect `own` as they are; of the others' those that name an address on the web or a place in a document
// of the request, in `form`; Cohere's name all of a document that was sent. Who says only where in the answer a
// citation stands has the words that stand there as cited_text. `said`: the answer up to the end of the part they
// belong to. Empty if nothing is left.
std::string_view citations_as(chat::Dialect own, std::string_view citations, chat::Dialect origin, SaidText& said,
                              const CitedRequest& asked, const CitationForm& form, json::Parser& parser,
                              base::Arena& arena);

}  // namespace llmgw::dialects
