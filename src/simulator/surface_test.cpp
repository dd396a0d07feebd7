#include "simulator/surface.h"

#include <gtest/gtest.h>

#include <optional>

namespace llmgw::simulator {
namespace {

struct Case {
  const char* method;
  const char* path;
  Api api;
  Operation operation;
  const char* object = "";
};

TEST(Surface, FindsEveryApiByItsPath) {
  const Case cases[]{
      {"POST", "/v1/chat/completions", Api::openai, Operation::chat},
      {"POST", "/v1/responses", Api::openai, Operation::responses},
      {"GET", "/v1/responses/resp_1", Api::openai, Operation::response_get, "resp_1"},
      {"DELETE", "/v1/responses/resp_1", Api::openai, Operation::response_delete, "resp_1"},
      {"GET", "/v1/models/org%2Fname", Api::openai, Operation::model, "org/name"},
      {"POST", "/rerank", Api::openai, Operation::rerank},
      {"POST", "/v1beta/openai/chat/completions", Api::openai, Operation::chat},
      {"POST", "/openai/deployments/my-gpt/chat/completions", Api::azure, Operation::chat, "my-gpt"},
      {"POST", "/openai/deployments/my-gpt/embeddings", Api::azure, Operation::embeddings, "my-gpt"},
      {"POST", "/openai/v1/chat/completions", Api::azure, Operation::chat},
      {"POST", "/openai/responses", Api::azure, Operation::responses},
      {"POST", "/v1/messages", Api::anthropic, Operation::messages},
      {"POST", "/v1/messages/count_tokens", Api::anthropic, Operation::count_tokens},
      {"POST", "/v1beta/models/gem:generateContent", Api::gemini, Operation::generate, "gem"},
      {"POST", "/v1/models/gem:streamGenerateContent", Api::gemini, Operation::stream_generate, "gem"},
      {"POST", "/v1beta/models/gem:countTokens", Api::gemini, Operation::gemini_count_tokens, "gem"},
      {"POST", "/v1beta/models/gem:batchEmbedContents", Api::gemini, Operation::batch_embed_contents, "gem"},
      {"POST", "/v1/projects/p/locations/l/publishers/google/models/gem:generateContent", Api::gemini,
       Operation::generate, "gem"},
      {"POST", "/v1beta1/publishers/google/models/gem:embedContent", Api::gemini, Operation::embed_content, "gem"},
      {"GET", "/v1beta/models", Api::gemini, Operation::models},
      {"GET", "/v1beta/models/gem", Api::gemini, Operation::model, "gem"},
      {"GET", "/metrics", Api::control, Operation::metrics},
      {"POST", "/simulate/faults", Api::control, Operation::faults_set},
  };
  for (const Case& expected : cases) {
    const auto found = find_surface({.method = expected.method, .path = expected.path, .query = {}});
    ASSERT_TRUE(found) << expected.path;
    EXPECT_EQ(found->api, expected.api) << expected.path;
    EXPECT_EQ(found->operation, expected.operation) << expected.path;
    EXPECT_EQ(found->object, expected.object) << expected.path;
  }
}

TEST(Surface, ModelsAreTheApisWhoseHeadersCame) {
  const auto with = [](bool anthropic, bool google) {
    return find_surface({.method = "GET",
                         .path = "/v1/models",
                         .query = {},
                         .anthropic_version = anthropic,
                         .google_key = google})
        ->api;
  };
  EXPECT_EQ(with(false, false), Api::openai);
  EXPECT_EQ(with(true, false), Api::anthropic);
  EXPECT_EQ(with(false, true), Api::gemini);
}

TEST(Surface, ReadsGeminisFraming) {
  const auto found = [](std::string_view query) {
    return *find_surface({.method = "POST", .path = "/v1beta/models/gem:streamGenerateContent", .query = query});
  };
  EXPECT_TRUE(found("alt=sse").sse);
  EXPECT_TRUE(found("key=x&alt=sse").sse);
  EXPECT_FALSE(found("").sse);
  EXPECT_FALSE(found("key=alt%3Dsse").sse);
  EXPECT_TRUE(found("$alt=json;enum-encoding=int").integer_enums);
  EXPECT_FALSE(found("alt=sse").integer_enums);
}

TEST(Surface, RefusesWhatNobodyServes) {
  const auto status = [](std::string_view method, std::string_view path) {
    const auto found = find_surface({.method = method, .path = path, .query = {}});
    return found ? 200 : found.error().status;
  };
  EXPECT_EQ(status("GET", "/v1/chat/completions"), 405);
  EXPECT_EQ(status("POST", "/v1/nothing"), 404);
  EXPECT_EQ(status("POST", "/"), 404);
  EXPECT_EQ(status("POST", "/v1beta/models/gem:other"), 405) << "a model of that name can only be read";
  EXPECT_EQ(status("POST", "/openai/deployments//chat/completions"), 404);
  EXPECT_EQ(status("POST", "/v1/models/%zz:generateContent"), 405);
  EXPECT_EQ(status("POST", "/chat/completions"), 404);
  EXPECT_EQ(find_surface({.method = "GET", .path = "/v1/messages", .query = {}}).error().api, Api::anthropic);
}

}  // namespace
}  // namespace llmgw::simulator
