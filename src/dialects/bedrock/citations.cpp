#include "dialects/bedrock/citations.h"

#include <string>

#include "dialects/grounding.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::bedrock {

std::string_view citations_for(std::string_view citations, chat::Dialect origin, json::Parser& parser,
                               base::Arena& arena) {
  if (citations.empty() || origin == chat::Dialect::bedrock) return citations;
  const auto root = json::parse_tree(parser, web_citations(citations, origin, parser, arena), arena);
  if (!root) return {};
  std::string out;
  json::Writer w(out);
  w.begin_array();
  for (const json::Value citation : root->elements()) {
    w.begin_object().member("title", citation["title"].string(arena)).key("sourceContent").begin_array();
    const std::string_view cited = citation["cited_text"].string(arena);
    if (!cited.empty()) w.begin_object().member("text", cited).end_object();
    w.end_array().key("location").begin_object().key("web").begin_object();
    w.member("url", citation["url"].string(arena)).end_object().end_object().end_object();
  }
  w.end_array();
  return arena.copy(out);
}

}  // namespace llmgw::dialects::bedrock
