#include "dialects/models_list.h"

#include <gtest/gtest.h>

#include <vector>

namespace llmgw::dialects {
namespace {

using chat::Dialect;

const ModelInfo kModels[] = {
    {"gpt-4", "openai", 1700000000}, {"llama \"3\"", "vllm", 0}, {"embed", "cohere", 951782400, Purpose::embedding}};

TEST(ModelsList, OpenAi) {
  EXPECT_EQ(
      write_models(Dialect::openai_rest, kModels, "limit=1").value(),
      R"({"object":"list","data":[{"id":"gpt-4","object":"model","created":1700000000,"owned_by":"openai"},)"
      R"({"id":"llama \"3\"","object":"model","created":0,"owned_by":"vllm"},{"id":"embed","object":"model","created":951782400,"owned_by":"cohere"}]})");
  EXPECT_EQ(write_model(Dialect::openai_rest, kModels[0]),
            R"({"id":"gpt-4","object":"model","created":1700000000,"owned_by":"openai"})");
  EXPECT_EQ(write_models(Dialect::openai_rest, {}, "").value(), R"({"object":"list","data":[]})");
}

TEST(ModelsList, Anthropic) {
  EXPECT_EQ(
      write_models(Dialect::anthropic, kModels, "limit=2").value(),
      R"({"data":[{"type":"model","id":"gpt-4","display_name":"gpt-4","created_at":"2023-11-14T22:13:20Z","lifecycle":"active","owned_by":"openai"},)"
      R"({"type":"model","id":"llama \"3\"","display_name":"llama \"3\"","created_at":"1970-01-01T00:00:00Z","lifecycle":"active","owned_by":"vllm"}],)"
      R"("has_more":true,"first_id":"gpt-4","last_id":"llama \"3\""})");
  EXPECT_EQ(
      write_models(Dialect::anthropic, kModels, "after_id=llama%20%223%22").value(),
      R"({"data":[{"type":"model","id":"embed","display_name":"embed","created_at":"2000-02-29T00:00:00Z","lifecycle":"active","owned_by":"cohere"}],)"
      R"("has_more":false,"first_id":"embed","last_id":"embed"})");
  EXPECT_EQ(
      write_models(Dialect::anthropic, kModels, "limit=1&before_id=embed").value(),
      R"({"data":[{"type":"model","id":"llama \"3\"","display_name":"llama \"3\"","created_at":"1970-01-01T00:00:00Z","lifecycle":"active","owned_by":"vllm"}],)"
      R"("has_more":true,"first_id":"llama \"3\"","last_id":"llama \"3\""})");
  EXPECT_EQ(write_models(Dialect::anthropic, {}, "").value(),
            R"({"data":[],"has_more":false,"first_id":null,"last_id":null})");
  for (const std::string_view query :
       {"limit=0", "limit=1001", "limit=x", "limit=%zz", "after_id=nobody", "after_id=gpt-4&before_id=embed"}) {
    EXPECT_FALSE(write_models(Dialect::anthropic, kModels, query)) << query;
  }
}

TEST(ModelsList, Gemini) {
  EXPECT_EQ(
      write_models(Dialect::gemini, kModels, "pageSize=1").value(),
      R"({"models":[{"name":"models/gpt-4","version":"","displayName":"gpt-4","supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"],)"
      R"("owned_by":"openai"}],"nextPageToken":"gpt-4"})");
  EXPECT_EQ(
      write_models(Dialect::gemini, kModels, "page_size=50&pageToken=llama%20%223%22").value(),
      R"({"models":[{"name":"models/embed","version":"","displayName":"embed","supportedGenerationMethods":["embedContent","batchEmbedContents"],"owned_by":"cohere"}]})");
  EXPECT_EQ(
      write_model(Dialect::gemini, {"tunedModels/t", "me", 0}),
      R"({"name":"tunedModels/t","version":"","displayName":"tunedModels/t","supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"],"owned_by":"me"})");
  EXPECT_FALSE(write_models(Dialect::gemini, kModels, "pageSize=-1"));
  EXPECT_FALSE(write_models(Dialect::gemini, kModels, "pageToken=gone"));
  EXPECT_TRUE(write_models(Dialect::gemini, kModels, "pageSize=100000&pageToken="));
}

TEST(ModelsList, PagesCoverTheListOnce) {
  std::vector<std::string> names;
  for (int i = 0; i < 103; ++i) names.push_back("m" + std::to_string(i));
  std::vector<ModelInfo> models;
  for (const auto& name : names) models.push_back({.name = name});
  std::vector<std::string_view> seen;
  std::string after;
  while (true) {
    const auto page = select_page(models, 10, after, "");
    ASSERT_TRUE(page);
    for (const auto& model : page->models) seen.push_back(model.name);
    if (!page->more_after) break;
    after = page->models.back().name;
  }
  EXPECT_EQ(seen, (std::vector<std::string_view>{names.begin(), names.end()}));
}

}  // namespace
}  // namespace llmgw::dialects
