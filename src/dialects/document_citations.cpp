#include "dialects/document_citations.h"

#include <algorithm>

namespace llmgw::dialects {
namespace {

using json::Value;

constexpr DocumentPlace kPlaces[] = {
    {"char_location", "start_char_index", "end_char_index", "documentChar"},
    {"page_location", "start_page_number", "end_page_number", "documentPage"},
    {"content_block_location", "start_block_index", "end_block_index", "documentChunk"},
    {"search_result_location", "start_block_index", "end_block_index", "searchResultLocation", true},
};

uint64_t number(Value value) {
  return value.unsigned_integer().value_or(0);
}

DocumentCitation from_anthropic(Value citation, const DocumentPlace& place, base::Arena& arena) {
  return {.place = &place,
          .index = number(citation[place.of_search_result ? "search_result_index" : "document_index"]),
          .start = number(citation[place.start]),
          .end = number(citation[place.end]),
          .title = citation[place.of_search_result ? "title" : "document_title"].string(arena),
          .source = citation["source"].string(arena),
          .cited_text = citation["cited_text"].string(arena)};
}

DocumentCitation from_bedrock(Value citation, Value location, const DocumentPlace& place, base::Arena& arena) {
  std::string cited;
  for (const Value content : citation["sourceContent"].elements()) cited += content["text"].string(arena);
  return {.place = &place,
          .index = number(location[place.of_search_result ? "searchResultIndex" : "documentIndex"]),
          .start = number(location["start"]),
          .end = number(location["end"]),
          .title = citation["title"].string(arena),
          .source = citation["source"].string(arena),
          .cited_text = arena.copy(cited)};
}

}  // namespace

std::optional<DocumentCitation> read_document_citation(Value citation, base::Arena& arena) {
  for (const DocumentPlace& place : kPlaces) {
    if (citation["type"].equals(place.type)) return from_anthropic(citation, place, arena);
    const Value location = citation["location"][place.location];
    if (location.is_object()) return from_bedrock(citation, location, place, arena);
  }
  return std::nullopt;
}

DocumentCitation whole_document(const SentDocument& sent, const CitedDocument& document, std::string_view cited_text) {
  const chat::Media& media = *document.part->media;
  const auto is_kind = [&](const DocumentPlace& place) {
    if (media.search_result) return place.of_search_result;
    return place.location == (sent.blocks > 0 ? "documentChunk" : "documentChar");
  };
  DocumentCitation citation{.place = std::ranges::find_if(kPlaces, is_kind),
                            .index = document.index,
                            .end = sent.blocks > 0 ? sent.blocks : sent.characters,
                            .title = document.part->name,
                            .cited_text = cited_text};
  if (media.search_result) citation.source = media.context;
  return citation;
}

EarlierCitations earlier_citations(chat::Dialect own, const chat::Part& text, const CitedRequest& asked,
                                   json::Parser& parser, base::Arena& arena) {
  if (text.citations.empty() || text.origin == own) return {.list = text.citations};
  EarlierCitations earlier;
  const auto root = json::parse_tree(parser, text.citations, arena);
  if (!root) return {.list = {}, .all = false};
  std::string list;
  json::Writer w(list);
  w.begin_array();
  for (const Value element : root->elements()) {
    auto citation = read_document_citation(element, arena);
    const auto place = citation ? sent_place(asked, citation->index, citation->place->of_search_result) : std::nullopt;
    earlier.all = earlier.all && place;
    if (!place) continue;
    citation->index = *place;
    own == chat::Dialect::bedrock ? write_bedrock(w, *citation) : write_anthropic(w, *citation);
  }
  w.end_array();
  if (list.size() > 2) earlier.list = arena.copy(list);
  return earlier;
}

void write_anthropic(json::Writer& w, const DocumentCitation& citation) {
  const DocumentPlace& place = *citation.place;
  w.begin_object().member("type", place.type).member("cited_text", citation.cited_text);
  w.member(place.of_search_result ? "search_result_index" : "document_index", citation.index);
  const std::string_view title = place.of_search_result ? "title" : "document_title";
  citation.title.empty() ? w.null_member(title) : w.member(title, citation.title);
  if (place.of_search_result) w.member("source", citation.source);
  w.member(place.start, citation.start).member(place.end, citation.end).end_object();
}

void write_bedrock(json::Writer& w, const DocumentCitation& citation) {
  const DocumentPlace& place = *citation.place;
  w.begin_object();
  if (!citation.title.empty()) w.member("title", citation.title);
  if (!citation.source.empty()) w.member("source", citation.source);
  w.key("sourceContent").begin_array();
  if (!citation.cited_text.empty()) w.begin_object().member("text", citation.cited_text).end_object();
  w.end_array().key("location").begin_object().key(place.location).begin_object();
  w.member(place.of_search_result ? "searchResultIndex" : "documentIndex", citation.index);
  w.member("start", citation.start).member("end", citation.end).end_object().end_object().end_object();
}

}  // namespace llmgw::dialects
