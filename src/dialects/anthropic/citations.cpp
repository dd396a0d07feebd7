#include "dialects/anthropic/citations.h"

#include "dialects/grounding.h"

namespace llmgw::dialects::anthropic {
namespace {

void write_web(json::Writer& w, const WebCitation& citation) {
  w.begin_object().member("type", "web_search_result_location").member("cited_text", citation.cited_text);
  w.member("encrypted_index", "").member("title", citation.title).member("url", citation.url).end_object();
}

}  // namespace

std::string_view citations_for(std::string_view citations, chat::Dialect origin, SaidText& said,
                               const CitedRequest& asked, json::Parser& parser, base::Arena& arena) {
  constexpr CitationForm kForm{.web = &write_web, .document = &write_anthropic};
  return citations_as(chat::Dialect::anthropic, citations, origin, said, asked, kForm, parser, arena);
}

}  // namespace llmgw::dialects::anthropic
