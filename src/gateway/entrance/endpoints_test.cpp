#include "gateway/entrance/endpoints.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace llmgw::gateway {
namespace {

using chat::Dialect;

struct Found {
  std::string_view method, path;
  Dialect dialect;
  Operation operation;
  ModelPlace place = ModelPlace::none;
  std::string_view tail = {};
  std::string_view model = {};
  bool streams = false;
};

constexpr auto kBody = ModelPlace::body;
constexpr auto kPath = ModelPlace::path;
constexpr auto kNone = ModelPlace::none;
constexpr auto kForm = ModelPlace::multipart;

const Found kFound[] = {
    {"POST", "/v1/chat/completions", Dialect::openai_chat, Operation::chat, kBody, "chat/completions"},
    {"POST", "/v1/completions", Dialect::openai_completions, Operation::completions, kBody, "completions"},
    {"POST", "/v1/embeddings", Dialect::openai_embeddings, Operation::embeddings, kBody, "embeddings"},
    {"POST", "/v1/responses", Dialect::openai_responses, Operation::responses_create, kBody, "responses"},
    {"POST", "/v1/responses/input_tokens", Dialect::openai_responses, Operation::responses_input_tokens, kBody,
     "responses/input_tokens"},
    {"POST", "/v1/responses/compact", Dialect::openai_responses, Operation::responses_compact, kBody,
     "responses/compact"},
    {"GET", "/v1/responses/resp_1", Dialect::openai_responses, Operation::responses_get, kNone, "responses/resp_1"},
    {"DELETE", "/v1/responses/resp_1", Dialect::openai_responses, Operation::responses_delete, kNone,
     "responses/resp_1"},
    {"POST", "/v1/responses/resp_1/cancel", Dialect::openai_responses, Operation::responses_cancel, kNone,
     "responses/resp_1/cancel"},
    {"GET", "/v1/responses/resp_1/input_items", Dialect::openai_responses, Operation::responses_input_items, kNone,
     "responses/resp_1/input_items"},
    {"POST", "/v1/conversations", Dialect::openai_responses, Operation::conversations, kNone, "conversations"},
    {"DELETE", "/v1/conversations/c", Dialect::openai_responses, Operation::conversations, kNone, "conversations/c"},
    {"GET", "/v1/conversations/c/items", Dialect::openai_responses, Operation::conversations, kNone,
     "conversations/c/items"},
    {"DELETE", "/v1/conversations/c/items/i", Dialect::openai_responses, Operation::conversations, kNone,
     "conversations/c/items/i"},
    {"GET", "/v1/models", Dialect::openai_rest, Operation::models_list, kNone, "models"},
    {"HEAD", "/v1/models", Dialect::openai_rest, Operation::models_list, kNone, "models"},
    {"GET", "/v1/models/gpt-4", Dialect::openai_rest, Operation::models_get, kPath, "models/gpt-4", "gpt-4"},
    {"GET", "/v1/models/meta-llama/Llama-3:free", Dialect::openai_rest, Operation::models_get, kPath,
     "models/meta-llama/Llama-3:free", "meta-llama/Llama-3:free"},
    {"GET", "/v1/models/meta-llama%2FLlama-3", Dialect::openai_rest, Operation::models_get, kPath,
     "models/meta-llama%2FLlama-3", "meta-llama%2FLlama-3"},
    {"POST", "/v1/rerank", Dialect::openai_rest, Operation::rerank, kBody, "rerank"},
    {"POST", "/v1/moderations", Dialect::openai_rest, Operation::moderations, kBody, "moderations"},
    {"POST", "/v1/images/generations", Dialect::openai_rest, Operation::images, kBody, "images/generations"},
    {"POST", "/v1/images/edits", Dialect::openai_rest, Operation::images, kForm, "images/edits"},
    {"POST", "/v1/images/variations", Dialect::openai_rest, Operation::images, kForm, "images/variations"},
    {"POST", "/v1/audio/speech", Dialect::openai_rest, Operation::audio_speech, kBody, "audio/speech"},
    {"POST", "/v1/audio/transcriptions", Dialect::openai_rest, Operation::audio_transcription, kForm,
     "audio/transcriptions"},
    {"POST", "/v1/audio/translations", Dialect::openai_rest, Operation::audio_transcription, kForm,
     "audio/translations"},
    {"POST", "/v1/files", Dialect::openai_rest, Operation::files, kNone, "files"},
    {"GET", "/v1/files/f-1/content", Dialect::openai_rest, Operation::files, kNone, "files/f-1/content"},
    {"POST", "/v1/batches/b/cancel", Dialect::openai_rest, Operation::batches, kNone, "batches/b/cancel"},
    {"GET", "/v1/fine_tuning/jobs/j/events", Dialect::openai_rest, Operation::fine_tuning, kNone,
     "fine_tuning/jobs/j/events"},
    {"POST", "/v1/uploads/u/parts", Dialect::openai_rest, Operation::uploads, kNone, "uploads/u/parts"},
    {"DELETE", "/v1/vector_stores/v/files/f", Dialect::openai_rest, Operation::vector_stores, kNone,
     "vector_stores/v/files/f"},
    {"GET", "/v1/realtime", Dialect::openai_rest, Operation::realtime, ModelPlace::query, "realtime"},
    {"POST", "/v1/realtime/client_secrets", Dialect::openai_rest, Operation::realtime_secrets, kNone,
     "realtime/client_secrets"},
    {"POST", "/v1/messages", Dialect::anthropic, Operation::messages, kBody, "messages"},
    {"POST", "/v1/messages/count_tokens", Dialect::anthropic, Operation::count_tokens, kBody, "messages/count_tokens"},
    {"GET", "/v1/messages/batches/b/results", Dialect::anthropic, Operation::message_batches, kNone,
     "messages/batches/b/results"},
    {"POST", "/v1/messages/batches", Dialect::anthropic, Operation::message_batches, kNone, "messages/batches"},
    {"POST", "/anthropic/v1/messages", Dialect::anthropic, Operation::messages, kBody, "messages"},
    {"GET", "/anthropic/v1/models", Dialect::anthropic, Operation::models_list, kNone, "models"},
    {"POST", "/v1beta/models/gemini-2.0-flash:generateContent", Dialect::gemini, Operation::generate_content, kPath,
     "models/gemini-2.0-flash:generateContent", "gemini-2.0-flash"},
    {"POST", "/v1beta/models/g:streamGenerateContent", Dialect::gemini, Operation::stream_generate_content, kPath,
     "models/g:streamGenerateContent", "g", true},
    {"POST", "/v1beta/models/g:countTokens", Dialect::gemini, Operation::count_tokens, kPath, "models/g:countTokens",
     "g"},
    {"POST", "/v1beta/models/g:embedContent", Dialect::gemini, Operation::embed_content, kPath, "models/g:embedContent",
     "g"},
    {"POST", "/v1beta/models/g:batchEmbedContents", Dialect::gemini, Operation::batch_embed_contents, kPath,
     "models/g:batchEmbedContents", "g"},
    {"POST", "/v1beta/models/a/b:c%2Fd:generateContent", Dialect::gemini, Operation::generate_content, kPath,
     "models/a/b:c%2Fd:generateContent", "a/b:c%2Fd"},
    {"POST", "/v1beta/tunedModels/t-1:generateContent", Dialect::gemini, Operation::generate_content, kPath,
     "tunedModels/t-1:generateContent", "tunedModels/t-1"},
    {"GET", "/v1beta/models", Dialect::gemini, Operation::models_list, kNone, "models"},
    {"GET", "/v1beta/models/gemini-pro", Dialect::gemini, Operation::models_get, kPath, "models/gemini-pro",
     "gemini-pro"},
    {"POST", "/gemini/v1beta/models/g:generateContent", Dialect::gemini, Operation::generate_content, kPath,
     "models/g:generateContent", "g"},
    {"POST", "/v1/models/g:generateContent", Dialect::gemini, Operation::generate_content, kPath,
     "models/g:generateContent", "g"},
    {"POST", "/v1/tunedModels/t:generateContent", Dialect::gemini, Operation::generate_content, kPath,
     "tunedModels/t:generateContent", "tunedModels/t"},
    {"POST", "/v1/projects/p/locations/us-central1/publishers/google/models/g:generateContent", Dialect::vertex,
     Operation::generate_content, kPath, "models/g:generateContent", "g"},
    {"POST", "/v1beta1/projects/p/locations/global/publishers/google/models/g:streamGenerateContent", Dialect::vertex,
     Operation::stream_generate_content, kPath, "models/g:streamGenerateContent", "g", true},
    {"POST", "/v1/publishers/google/models/g:countTokens", Dialect::vertex, Operation::count_tokens, kPath,
     "models/g:countTokens", "g"},
    {"POST", "/v1/projects/p/locations/l/publishers/anthropic/models/c@1:rawPredict", Dialect::anthropic,
     Operation::messages, kPath, "messages", "c@1"},
    {"POST", "/v1beta1/projects/p/locations/l/publishers/anthropic/models/a%2Fc:streamRawPredict", Dialect::anthropic,
     Operation::messages, kPath, "messages", "a%2Fc", true},
    {"POST", "/v1/publishers/anthropic/models/count-tokens:rawPredict", Dialect::anthropic, Operation::count_tokens,
     kBody, "messages/count_tokens"},
    {"POST", "/v1beta/openai/chat/completions", Dialect::openai_chat, Operation::chat, kBody, "chat/completions"},
    {"POST", "/openai/deployments/my-alias/chat/completions", Dialect::azure, Operation::chat, kPath,
     "chat/completions", "my-alias"},
    {"POST", "/openai/deployments/a%20b/embeddings", Dialect::azure, Operation::embeddings, kPath, "embeddings",
     "a%20b"},
    {"POST", "/openai/deployments/a/completions", Dialect::azure, Operation::completions, kPath, "completions", "a"},
    {"POST", "/openai/deployments/a/images/generations", Dialect::azure, Operation::images, kPath, "images/generations",
     "a"},
    {"POST", "/openai/deployments/a/audio/transcriptions", Dialect::azure, Operation::audio_transcription, kPath,
     "audio/transcriptions", "a"},
    {"POST", "/openai/v1/chat/completions", Dialect::openai_chat, Operation::chat, kBody, "chat/completions"},
    {"GET", "/openai/v1/responses/r", Dialect::openai_responses, Operation::responses_get, kNone, "responses/r"},
    {"POST", "/openai/responses", Dialect::openai_responses, Operation::responses_create, kBody, "responses"},
    {"GET", "/openai/models", Dialect::openai_rest, Operation::models_list, kNone, "models"},
    {"POST", "/model/anthropic.claude-3%3A0/converse", Dialect::bedrock, Operation::converse, kPath,
     "anthropic.claude-3%3A0/converse", "anthropic.claude-3%3A0"},
    {"POST", "/model/m/count-tokens", Dialect::bedrock, Operation::count_tokens, kPath, "m/count-tokens", "m"},
    {"POST", "/v2/chat", Dialect::cohere, Operation::chat, ModelPlace::body, "chat"},
    {"POST", "/v2/rerank", Dialect::cohere, Operation::rerank, ModelPlace::body, "rerank"},
    {"POST", "/v2/embed", Dialect::cohere, Operation::embeddings, ModelPlace::body, "embed"},
    {"POST", "/model/arn%3Aaws%2Fx/converse-stream", Dialect::bedrock, Operation::converse_stream, kPath,
     "arn%3Aaws%2Fx/converse-stream", "arn%3Aaws%2Fx", true},
    {"POST", "/model/m/invoke", Dialect::bedrock, Operation::invoke, kPath, "m/invoke", "m"},
    {"POST", "/bedrock/model/m/invoke-with-response-stream", Dialect::bedrock, Operation::invoke_stream, kPath,
     "m/invoke-with-response-stream", "m", true},
    {"GET", "/health", Dialect::openai_rest, Operation::health, kNone, "health"},
    {"HEAD", "/ready", Dialect::openai_rest, Operation::ready, kNone, "ready"},
    {"GET", "/metrics", Dialect::openai_rest, Operation::metrics, kNone, "metrics"},
};

TEST(Endpoints, EveryPathOfTheTable) {
  for (const auto& expected : kFound) {
    const auto match = find_endpoint(expected.method, expected.path, {});
    ASSERT_TRUE(match) << expected.path << ": " << match.error().message;
    EXPECT_EQ(match->dialect, expected.dialect) << expected.path;
    EXPECT_EQ(match->operation, expected.operation) << expected.path;
    EXPECT_EQ(match->model_place, expected.place) << expected.path;
    EXPECT_EQ(match->tail, expected.tail) << expected.path;
    EXPECT_EQ(match->model, expected.model) << expected.path;
    EXPECT_EQ(match->streams, expected.streams) << expected.path;
    EXPECT_EQ(match->websocket, expected.operation == Operation::realtime) << expected.path;
    const bool claude_on_vertex = expected.path.find("/publishers/anthropic/") != expected.path.npos;
    EXPECT_EQ(match->form, expected.path == "/openai/deployments/a/audio/transcriptions") << expected.path;
    EXPECT_TRUE(claude_on_vertex || expected.path.ends_with(match->tail));
    const bool invokes = match->operation == Operation::invoke || match->operation == Operation::invoke_stream;
    EXPECT_EQ(match->enveloped, claude_on_vertex || invokes) << expected.path;
  }
}

TEST(Endpoints, EveryOperationIsReachedAndNamed) {
  std::set<Operation> reached;
  std::set<std::string_view> names;
  for (const auto& expected : kFound) reached.insert(expected.operation);
  for (int i = 0; i <= static_cast<int>(Operation::metrics); ++i) {
    EXPECT_TRUE(reached.contains(static_cast<Operation>(i))) << i;
    names.insert(to_string(static_cast<Operation>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(Operation::metrics) + 1);
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(Endpoints, OtherMethodsAre405WithAllow) {
  struct Case {
    std::string_view method, path, allow;
  };
  const Case cases[] = {
      {"GET", "/v1/chat/completions", "POST"},
      {"post", "/v1/chat/completions", "POST"},
      {"PATCH", "/v1/responses/r", "GET, DELETE"},
      {"DELETE", "/v1/models", "GET, HEAD"},
      {"POST", "/v1/models/gpt-4", "GET, HEAD"},
      {"PUT", "/v1/files/f", "GET, POST, DELETE"},
      {"GET", "/v1beta/models/g:generateContent", "POST"},
      {"POST", "/v1beta/models/g", "GET, HEAD"},
      {"GET", "/openai/deployments/a/chat/completions", "POST"},
      {"GET", "/model/m/converse", "POST"},
      {"GET", "/v1/projects/p/locations/l/publishers/anthropic/models/c:rawPredict", "POST"},
      {"POST", "/health", "GET, HEAD"},
      {"OPTIONS", "/v1/messages", "POST"},
  };
  for (const auto& c : cases) {
    const auto match = find_endpoint(c.method, c.path, {});
    ASSERT_FALSE(match) << c.path;
    EXPECT_EQ(match.error().status, 405) << c.path;
    EXPECT_EQ(match.error().allow, c.allow) << c.path;
  }
}

TEST(Endpoints, UnknownPathsAre404) {
  for (const std::string_view path : {"/",
                                      "/v1",
                                      "/v1/",
                                      "/v2/chat/completions",
                                      "/chat/completions",
                                      "/v1/chat/completions/",
                                      "/v1/chat",
                                      "/V1/chat/completions",
                                      "/v1/files/",
                                      "/v1/filesx",
                                      "/v1/responses/r/cancel/x",
                                      "/v1/responses/",
                                      "/v1/models/",
                                      "/v1beta/models/",
                                      "/v1beta/models/g:predict",
                                      "/v1beta/models/:generateContent",
                                      "/v1beta/models/g/:generateContent",
                                      "/v1/projects/p/locations/l/publishers/anthropic/models/c:generateContent",
                                      "/v1/projects/p/locations/l/publishers/anthropic/models/:rawPredict",
                                      "/v1/projects/p/locations/l/publishers/anthropic/models/c/:rawPredict",
                                      "/v1/projects/p/locations/l/publishers/google/models/c:rawPredict",
                                      "/v1/projects/p/publishers/google/models/g:generateContent",
                                      "/v1beta1/models/g:generateContent",

                                      "/openai/deployments/a/b/chat/completions",
                                      "/openai/deployments/a/responses",
                                      "/openai/messages",
                                      "/anthropic/v1/chat/completions",
                                      "/v1beta/openai/messages",
                                      "/model/converse",
                                      "/model//converse/x",
                                      "/model/m/",
                                      "/health/",
                                      "/healthz",
                                      "/metricsx",
                                      "/v1/realtime/sessions"}) {
    const auto match = find_endpoint("POST", path, {});
    ASSERT_FALSE(match) << path;
    EXPECT_TRUE(match.error().status == 404 || (path.find("//") != path.npos && match.error().status == 400))
        << path << match.error().status;
  }
}

TEST(Endpoints, StrangePathsAreRefused) {
  const std::string long_path = "/v1/files/" + std::string(kPathBytesMax, 'a');
  const std::string_view paths[] = {"",
                                    "v1/chat/completions",
                                    "*",
                                    "http://x/v1/messages",
                                    "//v1/chat/completions",
                                    "/v1//chat/completions",
                                    "/v1/./chat/completions",
                                    "/v1/../v1/chat/completions",
                                    "/v1/files/../models",
                                    "/v1/files/..",
                                    "/v1/files/.",
                                    "/v1/files/%2e%2e/x",
                                    "/v1/files/%2E",
                                    "/v1/files/a%2Fb",
                                    "/v1/files/a%2fb",
                                    "/v1/files/a%5Cb",
                                    "/v1/files/a\\b",
                                    "/v1/files/a%00",
                                    "/v1/files/a%0d%0a",
                                    "/v1/files/a%7f",
                                    "/v1/files/a%",
                                    "/v1/files/a%4",
                                    "/v1/files/a%zz",
                                    "/v1/files/a%252e",
                                    "/v1/files/a b",
                                    "/v1/files/a\x01",
                                    "/v1/files/\xC3\xBC",
                                    "/v1/files/a#b",
                                    "/v1/files/a?b",

                                    "/model/a%2Fb/%2e%2e/invoke",
                                    std::string_view(long_path)};
  for (const auto path : paths) {
    for (const std::string_view method : {"GET", "POST"}) {
      const auto match = find_endpoint(method, path, {});
      ASSERT_FALSE(match) << path;
      EXPECT_EQ(match.error().status, 400) << path;
    }
  }
}

TEST(Endpoints, EscapedSlashesBelongToModelsOnly) {
  const std::string_view path = "/v1/projects/p%2Fq/locations/l/publishers/google/models/g:generateContent";
  const auto match = find_endpoint("POST", path, {});
  ASSERT_FALSE(match);
  EXPECT_EQ(match.error().status, 400);
}

TEST(Endpoints, ModelsFollowTheClient) {
  EXPECT_EQ(find_endpoint("GET", "/v1/models", {.anthropic_version = true})->dialect, Dialect::anthropic);
  EXPECT_EQ(find_endpoint("GET", "/v1/models/m", {.anthropic_version = true})->dialect, Dialect::anthropic);
  EXPECT_EQ(find_endpoint("GET", "/v1/models", {.goog_api_key = true})->dialect, Dialect::gemini);
  EXPECT_EQ(find_endpoint("GET", "/v1beta/models", {.anthropic_version = true})->dialect, Dialect::gemini);
  EXPECT_EQ(find_endpoint("POST", "/v1/chat/completions", {.anthropic_version = true})->dialect, Dialect::openai_chat);
}

TEST(Endpoints, PathsOfSeveralVendorsFollowTheClient) {
  const std::pair<std::string_view, std::string_view> calls[] = {
      {"GET", "/v1/files"},           {"POST", "/v1/files"},   {"DELETE", "/v1/files/f"},
      {"GET", "/v1/files/f/content"}, {"POST", "/v1/batches"}, {"GET", "/v1/batches/b"},
      {"GET", "/v1/vector_stores"},   {"POST", "/v1/uploads"}, {"GET", "/v1/fine_tuning/jobs"}};
  for (const auto& [method, path] : calls) {
    EXPECT_EQ(find_endpoint(method, path, {})->dialect, Dialect::openai_rest) << path;
    EXPECT_EQ(find_endpoint(method, path, {.anthropic_version = true})->dialect, Dialect::anthropic) << path;
    EXPECT_EQ(find_endpoint(method, path, {.goog_api_key = true})->dialect, Dialect::gemini) << path;
  }
  // These roots are one vendor's.
  EXPECT_EQ(find_endpoint("GET", "/openai/v1/files", {.goog_api_key = true})->dialect, Dialect::openai_rest);
  EXPECT_EQ(find_endpoint("GET", "/v1beta/openai/files", {.goog_api_key = true})->dialect, Dialect::openai_rest);
  EXPECT_EQ(find_endpoint("GET", "/anthropic/v1/files/f", {})->dialect, Dialect::anthropic);
  EXPECT_FALSE(find_endpoint("GET", "/anthropic/v1/batches", {}));
}

TEST(DecodeModel, DecodesAndRefuses) {
  base::Arena arena;
  EXPECT_EQ(decode_model("gpt-4", arena).value(), "gpt-4");
  EXPECT_EQ(decode_model("meta-llama%2FLlama%3A3", arena).value(), "meta-llama/Llama:3");
  EXPECT_EQ(decode_model("%C3%BC", arena).value(), "\xC3\xBC");
  EXPECT_EQ(decode_model("a..b/.c", arena).value(), "a..b/.c");
  for (const std::string_view text : {"", "..", ".", "a/../b", "a%2F..", "%2e%2e", "..%2Fdeployments", "a//b", "%2Fa",
                                      "a%2F", "a%0A", "a%00", "%FF", "a%"}) {
    EXPECT_FALSE(decode_model(text, arena)) << text;
  }
  EXPECT_FALSE(decode_model(std::string(600, 'a'), arena));
}

TEST(NotFoundMessage, NamesNearPaths) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"/chat/completions", "/v1/chat/completions"}, {"/v1/chat/completion", "/v1/chat/completions"},
      {"/v1/v1/messages", "/v1/messages"},           {"/v1/chat/completions/", "/v1/chat/completions"},
      {"/v1/embedding", "/v1/embeddings"},           {"/v1/message", "/v1/messages"},
      {"/v1beta/model", "/v1beta/models"},
  };
  for (const auto& [path, near] : cases) {
    const std::string message = not_found_message("POST", path);
    EXPECT_NE(message.find(std::string(" ") + std::string(near)), std::string::npos) << message;
    EXPECT_NE(message.find("POST " + std::string(path)), std::string::npos) << message;
  }
  EXPECT_LT(not_found_message("POST", "/" + std::string(100'000, 'x')).size(), 400U);
  EXPECT_NE(not_found_message("GET", "/wp-login.php").find("/v1/"), std::string::npos);
}

}  // namespace
}  // namespace llmgw::gateway
