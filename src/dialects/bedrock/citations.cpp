#include "dialects/bedrock/citations.h"

#include "dialects/grounding.h"

namespace llmgw::dialects::bedrock {
namespace {

void write_citation(json::Writer& w, json::Value citation, base::Arena& arena) {
  w.begin_object().member("title", citation["title"].string(arena)).key("sourceContent").begin_array();
  const std::string_view cited = citation["cited_text"].string(arena);
  if (!cited.empty()) w.begin_object().member("text", cited).end_object();
  w.end_array().key("location").begin_object().key("web").begin_object();
  w.member("url", citation["url"].string(arena)).end_object().end_object().end_object();
}

}  // namespace

std::string_view citations_for(std::string_view citations, chat::Dialect origin, SaidText& said, json::Parser& parser,
                               base::Arena& arena) {
  return citations_as(chat::Dialect::bedrock, citations, origin, said, &write_citation, parser, arena);
}

}  // namespace llmgw::dialects::bedrock
