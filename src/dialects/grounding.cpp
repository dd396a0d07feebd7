#include "dialects/grounding.h"

#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects {
namespace {

using json::Value;

struct Source {
  std::string_view url;
  std::string_view title;
};

void write_citation(json::Writer& w, const Source& source, Value span, base::Arena& arena) {
  w.begin_object().member("url", source.url).member("title", source.title);
  w.member("cited_text", span["text"].string(arena));
  if (const auto start = span.any_of("startIndex", "start_index").unsigned_integer()) w.member("start_index", *start);
  if (const auto end = span.any_of("endIndex", "end_index").unsigned_integer()) w.member("end_index", *end);
  w.end_object();
}

// The first chunk that a support names and that has an address.
Source source_of(Value support, Value chunks, base::Arena& arena) {
  for (const Value wanted : support.any_of("groundingChunkIndices", "grounding_chunk_indices").elements()) {
    const auto index = wanted.unsigned_integer();
    uint64_t at = 0;
    for (const Value chunk : chunks.elements()) {
      if (!index || at++ != *index) continue;
      const Value named = chunk.any_of("web", "retrievedContext", "maps");
      const std::string_view url = named.any_of("uri", "url").string(arena);
      if (!url.empty()) return {.url = url, .title = named["title"].string(arena)};
    }
  }
  return {};
}

void add_grounding(json::Writer& w, Value grounding, base::Arena& arena) {
  const Value chunks = grounding.any_of("groundingChunks", "grounding_chunks");
  for (const Value support : grounding.any_of("groundingSupports", "grounding_supports").elements()) {
    const Source source = source_of(support, chunks, arena);
    if (!source.url.empty()) write_citation(w, source, support["segment"], arena);
  }
}

void add_citations(json::Writer& w, Value metadata, base::Arena& arena) {
  for (const Value citation : metadata.any_of("citations", "citationSources", "citation_sources").elements()) {
    const std::string_view url = citation["uri"].string(arena);
    if (!url.empty()) {
      write_citation(w, {.url = url, .title = citation["title"].string(arena)}, citation, arena);
    }
  }
}

// Cohere's: what is named was given with the request, or by a tool.
Value addressed_source(Value citation) {
  for (const Value source : citation["sources"].elements()) {
    const Value named = source.any_of("document", "tool_output");
    if (named["url"].is_string()) return named;
  }
  return {};
}

}  // namespace

std::optional<WebCitation> read_web_citation(Value citation, base::Arena& arena) {
  const Value nested = citation.any_of("url_citation", "web", "retrievedContext");
  const Value from = nested.is_object() ? nested : citation;
  const Value source = addressed_source(citation);
  WebCitation web{.url = from.any_of("url", "uri").string(arena)};
  if (web.url.empty()) web.url = citation["location"]["web"]["url"].string(arena);
  if (web.url.empty()) web.url = source["url"].string(arena);
  if (web.url.empty()) return std::nullopt;
  web.title = from["title"].string(arena);
  if (web.title.empty()) web.title = source["title"].string(arena);
  web.cited_text = from.any_of("cited_text", "text").string(arena);
  if (web.cited_text.empty()) web.cited_text = citation["sourceContent"].first_element()["text"].string(arena);
  web.start = from.any_of("start_index", "startIndex", "start").unsigned_integer();
  web.end = from.any_of("end_index", "endIndex", "end").unsigned_integer();
  return web;
}

namespace {

// Cohere's: of every source that is a document of the request. False: there is none.
bool write_whole_documents(json::Writer& w, Value citation, const CitedRequest& asked, const CitationForm& form,
                           base::Arena& arena) {
  bool any = false;
  for (const Value source : citation["sources"].elements()) {
    const SentDocument* const sent = sent_as(asked, source["id"].string(arena));
    const auto document = find_document(asked, sent);
    if (!document || !document->part->media->citations) continue;
    form.document(w, whole_document(*sent, *document, citation["text"].string(arena)));
    any = true;
  }
  return any;
}

// With the words that it quotes, if the place of them is known.
std::optional<WebCitation> quoted_web_citation(Value citation, chat::Dialect origin, SaidText& said,
                                               base::Arena& arena) {
  auto web = read_web_citation(citation, arena);
  if (!web || !web->url.starts_with("http")) return std::nullopt;
  if (!web->cited_text.empty()) return web;
  const CitedPlace place = said.place(web->start, web->end, origin, origin);
  if (place.known) web->cited_text = place.text;
  return web;
}

}  // namespace

std::string_view grounding_citations(std::string_view citations, json::Parser& parser, base::Arena& arena) {
  const auto root = json::parse_tree(parser, citations, arena);
  if (!root) return {};
  std::string found;
  json::Writer w(found);
  w.begin_array();
  for (const Value element : root->elements()) {
    add_grounding(w, element["groundingMetadata"], arena);
    add_citations(w, element["citationMetadata"], arena);
  }
  w.end_array();
  return found.size() > 2 ? arena.copy(found) : std::string_view{};
}

std::string_view citations_as(chat::Dialect own, std::string_view citations, chat::Dialect origin, SaidText& said,
                              const CitedRequest& asked, const CitationForm& form, json::Parser& parser,
                              base::Arena& arena) {
  if (citations.empty() || origin == own) return citations;
  if (has_grounding(origin)) citations = grounding_citations(citations, parser, arena);
  const auto root = json::parse_tree(parser, citations, arena);
  if (!root) return {};
  std::string out;
  json::Writer w(out);
  w.begin_array();
  for (const Value citation : root->elements()) {
    if (origin == chat::Dialect::cohere && write_whole_documents(w, citation, asked, form, arena)) continue;
    if (auto document = read_document_citation(citation, arena)) {
      // Of a document that nobody knows the provider's count is as good as any.
      const auto* const sent = sent_at(asked, document->index, document->place->of_search_result);
      if (const auto known = find_document(asked, sent)) document->index = known->index;
      form.document(w, *document);
    } else if (const auto web = quoted_web_citation(citation, origin, said, arena)) {
      form.web(w, *web);
    }
  }
  w.end_array();
  return out.size() > 2 ? arena.copy(out) : std::string_view{};
}

}  // namespace llmgw::dialects
