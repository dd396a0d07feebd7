#include "dialects/bedrock/citations.h"

#include "dialects/grounding.h"

namespace llmgw::dialects::bedrock {
namespace {

void write_web(json::Writer& w, const WebCitation& citation) {
  w.begin_object().member("title", citation.title).key("sourceContent").begin_array();
  if (!citation.cited_text.empty()) w.begin_object().member("text", citation.cited_text).end_object();
  w.end_array().key("location").begin_object().key("web").begin_object().member("url", citation.url);
  w.end_object().end_object().end_object();
}

}  // namespace

std::string_view citations_for(std::string_view citations, chat::Dialect origin, SaidText& said,
                               const CitedRequest& asked, json::Parser& parser, base::Arena& arena) {
  constexpr CitationForm kForm{.web = &write_web, .document = &write_bedrock};
  return citations_as(chat::Dialect::bedrock, citations, origin, said, asked, kForm, parser, arena);
}

}  // namespace llmgw::dialects::bedrock
