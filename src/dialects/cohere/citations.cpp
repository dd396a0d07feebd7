#include "dialects/cohere/citations.h"

#include <vector>

#include "dialects/grounding.h"

namespace llmgw::dialects::cohere {
namespace {

using json::Value;

std::string_view elements_of(std::string_view list) {
  return list.size() > 2 ? list.substr(1, list.size() - 2) : std::string_view{};
}

// One citation of another API, as far as it is of something that Cohere's can name.
struct Found {
  std::optional<WebCitation> web;
  std::optional<CitedDocument> document;
};

std::vector<Found> find_all(std::string_view citations, const CitedRequest& asked, json::Parser& parser,
                            base::Arena& arena) {
  std::vector<Found> all;
  const auto root = json::parse_tree(parser, citations, arena);
  if (!root) return all;
  for (const Value citation : root->elements()) {
    if (const auto place = read_document_citation(citation, arena)) {
      const auto document = find_document(asked, sent_at(asked, place->index, place->place->of_search_result));
      if (document) all.push_back({.web = {}, .document = document});
    } else if (const auto web = read_web_citation(citation, arena)) {
      all.push_back({.web = web, .document = {}});
    }
  }
  return all;
}

// What the client has put into the document, and how it is called.
void write_document(json::Writer& w, const CitedDocument& cited, json::Parser& parser, base::Arena& arena) {
  const chat::Part& part = *cited.part;
  const bool of_tool = cited.result != nullptr;
  std::string_view id = part.id;
  if (id.empty()) {
    const std::string_view list = of_tool ? cited.result->id : std::string_view("doc");
    id = arena.concat(arena.concat(list, ":"), std::to_string(cited.place));
  }
  w.begin_object().member("type", of_tool ? "tool" : "document").member("id", id);
  w.key(of_tool ? "tool_output" : "document").begin_object().member("id", id);
  const auto root = json::parse_tree(parser, part.media->metadata, arena);
  const Value data = root ? (*root)["data"] : Value();
  if (data.is_object()) {
    for (const json::Member member : data.members()) {
      if (!member.is("id")) w.raw_member(member.key(arena), member.value.raw());
    }
  } else {
    w.member(of_tool ? "content" : "text", part.media->data);
  }
  w.end_object().end_object();
}

void write_web(json::Writer& w, const WebCitation& web) {
  w.begin_object().member("type", "document").member("id", web.url).key("document").begin_object();
  w.member("url", web.url).member("title", web.title).end_object().end_object();
}

}  // namespace

std::string citations_from(std::string_view citations, chat::Dialect origin, SaidText& said, const CitedRequest& asked,
                           json::Parser& parser, base::Arena& arena) {
  if (origin == chat::Dialect::cohere) return std::string(elements_of(citations));
  if (has_grounding(origin)) citations = grounding_citations(citations, parser, arena);
  std::string out;
  json::Writer w(out);
  for (const Found& found : find_all(citations, asked, parser, arena)) {
    const WebCitation web = found.web.value_or(WebCitation{});
    const CitedPlace place = said.place(web.start, web.end, origin, chat::Dialect::cohere);
    w.begin_object().member("start", place.start).member("end", place.end);
    // Cohere's `text` is what the answer says there, not what the source says.
    w.member("text", place.text.empty() ? web.cited_text : place.text).key("sources").begin_array();
    found.document ? write_document(w, *found.document, parser, arena) : write_web(w, web);
    w.end_array().member("type", "TEXT_CONTENT").end_object();
  }
  return out;
}

}  // namespace llmgw::dialects::cohere
