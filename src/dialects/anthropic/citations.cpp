#include "dialects/anthropic/citations.h"

#include "dialects/grounding.h"

namespace llmgw::dialects::anthropic {
namespace {

void write_citation(json::Writer& w, json::Value citation, base::Arena& arena) {
  w.begin_object().member("type", "web_search_result_location");
  w.member("cited_text", citation["cited_text"].string(arena)).member("encrypted_index", "");
  w.member("title", citation["title"].string(arena)).member("url", citation["url"].string(arena)).end_object();
}

}  // namespace

std::string_view citations_for(std::string_view citations, chat::Dialect origin, SaidText& said, json::Parser& parser,
                               base::Arena& arena) {
  return citations_as(chat::Dialect::anthropic, citations, origin, said, &write_citation, parser, arena);
}

}  // namespace llmgw::dialects::anthropic
