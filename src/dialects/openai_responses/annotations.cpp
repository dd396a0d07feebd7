#include "dialects/openai_responses/annotations.h"

#include "base/arena.h"
#include "dialects/grounding.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::openai_responses {
namespace {

struct UrlCitation {
  std::string_view url;
  std::string_view title;
  uint64_t start = 0;
  uint64_t end = 0;
};

void append_separated(std::string& out, std::string_view json) {
  if (!out.empty()) out += ',';
  out += json;
}

void append_url(std::string& out, const UrlCitation& citation) {
  std::string json;
  json::Writer writer(json);
  writer.begin_object().member("type", "url_citation").member("start_index", citation.start);
  writer.member("end_index", citation.end).member("title", citation.title).member("url", citation.url).end_object();
  append_separated(out, json);
}

bool read_url(json::Value citation, chat::Dialect origin, SaidText& said, base::Arena& arena, UrlCitation& read) {
  const auto web = read_web_citation(citation, arena);
  if (!web || !web->url.starts_with("http")) return false;
  read.url = web->url;
  read.title = web->title.empty() ? web->cited_text : web->title;
  const CitedPlace place = said.place(web->start, web->end, origin, chat::Dialect::openai_responses);
  read.start = place.start;
  read.end = place.end;
  return true;
}

void append_one_logprob(json::Writer& writer, json::Value value, bool alternatives) {
  writer.begin_object().raw_member("token", value["token"].raw());
  writer.raw_member("logprob", value["logprob"].is_number() ? value["logprob"].raw() : "0");
  writer.raw_member("bytes", value["bytes"].is_array() ? value["bytes"].raw() : "[]");
  if (alternatives) {
    writer.key("top_logprobs").begin_array();
    for (const json::Value other : value["top_logprobs"].elements()) {
      if (other["token"].is_string()) append_one_logprob(writer, other, false);
    }
    writer.end_array();
  }
  writer.end_object();
}

}  // namespace

size_t append_annotations(std::string& out, std::string_view citations, chat::Dialect origin, SaidText& said,
                          json::Parser& parser) {
  base::Arena arena;
  if (has_grounding(origin)) citations = grounding_citations(citations, parser, arena);
  const auto root = json::parse_tree(parser, citations, arena);
  if (!root) return 0;
  size_t count = 0;
  for (const json::Value citation : root->elements()) {
    UrlCitation url;
    if (origin == chat::Dialect::openai_responses) {
      append_separated(out, citation.raw());
    } else if (read_url(citation, origin, said, arena, url)) {
      append_url(out, url);
    } else {
      continue;
    }
    ++count;
  }
  return count;
}

void append_logprobs(std::string& out, std::string_view logprobs, json::Parser& parser) {
  base::Arena arena;
  const auto root = json::parse_tree(parser, logprobs, arena);
  if (!root) return;
  for (const json::Value value : root->elements()) {
    if (!value["token"].is_string()) continue;
    std::string one;
    json::Writer writer(one);
    append_one_logprob(writer, value, true);
    append_separated(out, one);
  }
}

}  // namespace llmgw::dialects::openai_responses
