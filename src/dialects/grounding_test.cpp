#include "dialects/grounding.h"

#include <gtest/gtest.h>

namespace llmgw::dialects {
namespace {

TEST(Grounding, OneCitationForEachTextThatASourceBacks) {
  struct Row {
    std::string_view citations;
    std::string_view expected;
  };
  const Row rows[] = {
      {R"([{"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a","title":"A"}},{"web":{"uri":"https://b"}}],)"
       R"("groundingSupports":[{"segment":{"startIndex":2,"endIndex":9,"text":"It is."},"groundingChunkIndices":[1,0]},)"
       R"({"segment":{"endIndex":4,"text":"Yes."},"groundingChunkIndices":[0]},{"groundingChunkIndices":[7]}]}}])",
       R"([{"url":"https://b","title":"","cited_text":"It is.","start_index":2,"end_index":9},)"
       R"({"url":"https://a","title":"A","cited_text":"Yes.","end_index":4}])"},
      {R"([{"citationMetadata":{"citationSources":[{"startIndex":1,"endIndex":3,"uri":"https://c"},{"endIndex":3}]}}])",
       R"([{"url":"https://c","title":"","cited_text":"","start_index":1,"end_index":3}])"},
      {R"([{"groundingMetadata":{"webSearchQueries":["q"]}}])", ""},
      {"not JSON", ""},
  };
  for (const Row& row : rows) {
    json::Parser parser;
    base::Arena arena;
    EXPECT_EQ(grounding_citations(row.citations, parser, arena), row.expected) << row.citations;
  }
}

constexpr CitationForm kForm{.web =
                                 [](json::Writer& w, const WebCitation& citation) {
                                   w.begin_object().member("url", citation.url).member("title", citation.title);
                                   w.member("cited_text", citation.cited_text).end_object();
                                 },
                             .document = [](json::Writer& w, const DocumentCitation&) { w.null(); }};

TEST(Grounding, OneFormForAddressesOfEveryDialect) {
  using chat::Dialect;
  struct Row {
    Dialect origin;
    std::string_view citations;
  };
  const Row rows[] = {
      {Dialect::openai_chat,
       R"([{"type":"url_citation","url_citation":{"url":"https://a","title":"A","start_index":1,"end_index":2}}])"},
      {Dialect::openai_responses,
       R"([{"type":"file_citation"},{"type":"url_citation","url":"https://a","title":"A"}])"},
      {Dialect::anthropic,
       R"([{"type":"web_search_result_location","url":"https://a","title":"A","encrypted_index":"x"}])"},
      {Dialect::bedrock, R"([{"title":"A","location":{"web":{"url":"https://a"}}}])"},
      {Dialect::cohere, R"([{"sources":[{"document":{"url":"https://a","title":"A"}}]}])"},
      {Dialect::vertex, R"([{"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a","title":"A"}}],)"
                        R"("groundingSupports":[{"groundingChunkIndices":[0]}]}}])"},
  };
  for (const Row& row : rows) {
    json::Parser parser;
    base::Arena arena;
    SaidText said;
    EXPECT_EQ(citations_as(Dialect::openai_embeddings, row.citations, row.origin, said, {}, kForm, parser, arena),
              R"([{"url":"https://a","title":"A","cited_text":""}])")
        << row.citations;
  }
}

}  // namespace
}  // namespace llmgw::dialects
