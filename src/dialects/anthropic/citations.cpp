#include "dialects/anthropic/citations.h"

#include <string>

#include "dialects/grounding.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::anthropic {

std::string_view citations_for(std::string_view citations, chat::Dialect origin, json::Parser& parser,
                               base::Arena& arena) {
  if (citations.empty() || origin == chat::Dialect::anthropic) return citations;
  const auto root = json::parse_tree(parser, web_citations(citations, origin, parser, arena), arena);
  if (!root) return {};
  std::string out;
  json::Writer w(out);
  w.begin_array();
  for (const json::Value citation : root->elements()) {
    w.begin_object().member("type", "web_search_result_location");
    w.member("cited_text", citation["cited_text"].string(arena)).member("encrypted_index", "");
    w.member("title", citation["title"].string(arena)).member("url", citation["url"].string(arena)).end_object();
  }
  w.end_array();
  return arena.copy(out);
}

}  // namespace llmgw::dialects::anthropic
