#include "providers/upstream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace llmgw::providers {
namespace {

struct Wanted {
  std::string provider;
  std::string endpoint = {};
  std::string api_key = "sk-k";
  std::string access_token = {};
  std::string api_version = {};
  std::string organization = {};
  std::string project = {};
  std::string location = {};
  std::string region = {};
  std::string access_key_id = {};
  std::string secret_access_key = {};
  std::string session_token = {};
  std::string service_account = {};
  bool claude_by_invoke = false;
};

std::expected<Upstream, std::vector<UpstreamFault>> prepare(const Wanted& wanted,
                                                            std::vector<HeaderField> headers = {}) {
  return prepare_upstream({.provider = wanted.provider,
                           .endpoint = wanted.endpoint,
                           .api_key = base::Secret(wanted.api_key),
                           .access_token = base::Secret(wanted.access_token),
                           .api_version = wanted.api_version,
                           .organization = wanted.organization,
                           .project = wanted.project,
                           .location = wanted.location,
                           .service_account = base::Secret(wanted.service_account),
                           .region = wanted.region,
                           .access_key_id = base::Secret(wanted.access_key_id),
                           .secret_access_key = base::Secret(wanted.secret_access_key),
                           .session_token = base::Secret(wanted.session_token),
                           .claude_by_invoke = wanted.claude_by_invoke,
                           .headers = std::move(headers)});
}

std::string header(const std::vector<HeaderField>& fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &HeaderField::name);
  return found == fields.end() ? "(none)" : std::string(found->value.reveal());
}

struct Case {
  const char* what;
  Wanted wanted;
  Surface surface;
  const char* path;
  const char* query;
  const char* model;
  const char* deployment;
  const char* expected;
  BodyModel body_model;
};

const Wanted kOpenAi{.provider = "openai"};
const Wanted kAzureClassic{.provider = "azure", .endpoint = "https://res.openai.azure.com"};
const Wanted kAzureV1{.provider = "azure", .endpoint = "https://res.openai.azure.com/openai/v1/"};
const Wanted kFoundry{.provider = "azure", .endpoint = "https://res.services.ai.azure.com"};
const Wanted kGoogle{.provider = "google"};
const Wanted kVertexProject{
    .provider = "vertex", .api_key = "", .access_token = "ya29.t", .project = "p 1", .location = "europe-west4"};
const Wanted kVertexExpress{.provider = "vertex"};
const Wanted kBedrockInvoke{.provider = "bedrock", .region = "eu-north-1", .claude_by_invoke = true};
const Wanted kBedrock{.provider = "bedrock",
                      .api_key = "",
                      .region = "eu-north-1",
                      .access_key_id = "AKID",
                      .secret_access_key = "secret",
                      .session_token = "session"};
const Wanted kBedrockKey{.provider = "bedrock", .region = "us-east-1"};
const Wanted kCohere{.provider = "cohere"};
// An authorized user's file: unlike a service account's it needs no key pair to be read.
constexpr const char* kUserFile =
    R"({"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r","quota_project_id":"q"})";
constexpr auto kSet = BodyModel::set;
constexpr auto kKeep = BodyModel::keep;

const Case kCases[] = {
    {"openai", kOpenAi, Surface::openai, "/v1/chat/completions", "", "m", "", "/v1/chat/completions", kSet},
    {"endpoint with version",
     {.provider = "openai", .endpoint = "http://h:1/v1/"},
     Surface::openai,
     "/v1/embeddings",
     "a=1&b",
     "m",
     "",
     "/v1/embeddings?a=1&b",
     kSet},
    {"version inside the base path",
     {.provider = "groq"},
     Surface::openai,
     "/v1/chat/completions",
     "",
     "m",
     "",
     "/openai/v1/chat/completions",
     kSet},
    {"version before another segment",
     {.provider = "openai-compatible", .endpoint = "https://g.example/v1beta/openai"},
     Surface::openai,
     "/v1/chat/completions",
     "",
     "m",
     "",
     "/v1beta/openai/chat/completions",
     kSet},
    {"base path without version",
     {.provider = "openai", .endpoint = "https://h/proxy/"},
     Surface::openai,
     "/v1/models/x%2Fy",
     "",
     "m",
     "",
     "/proxy/v1/models/x%2Fy",
     kSet},
    {"unix socket",
     {.provider = "vllm", .endpoint = "unix:/run/vllm.sock:/v1"},
     Surface::openai,
     "/v1/completions",
     "",
     "m",
     "",
     "/v1/completions",
     kSet},
    {"client keys in the query stay here", kOpenAi, Surface::openai, "/v1/files",
     "key=SECRET&limit=2&api%5Fkey=S&k%65y=S", "m", "", "/v1/files?limit=2", kSet},
    {"azure client, openai upstream", kOpenAi, Surface::azure, "/openai/deployments/my%20d/chat/completions",
     "api-version=2024-10-21", "m", "", "/v1/chat/completions", kSet},
    {"azure v1 client, openai upstream", kOpenAi, Surface::azure_v1, "/openai/v1/responses", "api-version=preview", "m",
     "", "/v1/responses", kSet},
    {"realtime names the upstream's model", kOpenAi, Surface::openai, "/v1/realtime", "model=alias&x=1", "m/1", "",
     "/v1/realtime?model=m%2F1&x=1", kKeep},
    {"realtime of a call that is there", kOpenAi, Surface::openai, "/v1/realtime", "call_id=rtc_1", "", "",
     "/v1/realtime?call_id=rtc_1", kKeep},
    {"azure realtime of a call that is there", kAzureClassic, Surface::openai, "/v1/realtime", "call_id=rtc_1", "", "",
     "/openai/realtime?call_id=rtc_1&api-version=2024-05-01-preview", kKeep},
    {"azure realtime client, openai upstream", kOpenAi, Surface::azure, "/openai/realtime",
     "api-version=2024-10-01-preview&deployment=d", "m", "", "/v1/realtime?model=m", kKeep},
    {"openai client, azure upstream", kAzureClassic, Surface::openai, "/v1/chat/completions", "", "gpt", "dep 1",
     "/openai/deployments/dep%201/chat/completions?api-version=2024-05-01-preview", kKeep},
    {"the model is the deployment without one", kAzureClassic, Surface::openai, "/v1/embeddings", "x=y", "gpt", "",
     "/openai/deployments/gpt/embeddings?x=y&api-version=2024-05-01-preview", kKeep},
    {"audio is scoped by deployment", kAzureClassic, Surface::openai, "/v1/audio/speech", "", "tts", "",
     "/openai/deployments/tts/audio/speech?api-version=2024-05-01-preview", kKeep},
    {"azure client's own version wins", kAzureClassic, Surface::azure, "/openai/deployments/alias/chat/completions",
     "api-version=2023-05-15", "gpt", "d", "/openai/deployments/d/chat/completions?api-version=2023-05-15", kKeep},
    {"configured version",
     {.provider = "azure", .endpoint = "https://r.openai.azure.com/openai", .api_version = "2024-10-21"},
     Surface::openai,
     "/v1/chat/completions",
     "",
     "gpt",
     "",
     "/openai/deployments/gpt/chat/completions?api-version=2024-10-21",
     kKeep},
    {"responses are not scoped by deployment", kAzureClassic, Surface::openai, "/v1/responses", "", "gpt", "dep",
     "/openai/responses?api-version=2024-05-01-preview", kSet},
    {"azure realtime", kAzureClassic, Surface::openai, "/v1/realtime", "model=alias", "gpt", "rt",
     "/openai/realtime?deployment=rt&api-version=2024-05-01-preview", kKeep},
    {"azure v1 upstream", kAzureV1, Surface::openai, "/v1/chat/completions", "", "gpt", "dep",
     "/openai/v1/chat/completions", kSet},
    {"a dated version means nothing to azure v1", kAzureV1, Surface::azure, "/openai/deployments/a/chat/completions",
     "api-version=2024-10-21", "gpt", "dep", "/openai/v1/chat/completions", kSet},
    {"azure v1 both sides", kAzureV1, Surface::azure_v1, "/openai/v1/chat/completions", "api-version=preview", "gpt",
     "", "/openai/v1/chat/completions?api-version=preview", kSet},
    {"foundry", kFoundry, Surface::openai, "/v1/chat/completions", "", "deepseek", "",
     "/models/chat/completions?api-version=2024-05-01-preview", kSet},
    {"anthropic",
     {.provider = "anthropic"},
     Surface::anthropic,
     "/v1/messages",
     "beta=true",
     "claude",
     "",
     "/v1/messages?beta=true",
     kSet},
    {"anthropic under a base path",
     {.provider = "anthropic", .endpoint = "https://res.services.ai.azure.com/anthropic"},
     Surface::anthropic,
     "/v1/messages/count_tokens",
     "",
     "claude",
     "",
     "/anthropic/v1/messages/count_tokens",
     kSet},
    {"gemini", kGoogle, Surface::gemini, "/v1beta/models/alias:streamGenerateContent", "alt=sse&key=SECRET", "gemini-2",
     "", "/v1beta/models/gemini-2:streamGenerateContent?alt=sse", kKeep},
    {"gemini keeps the client's version", kGoogle, Surface::gemini, "/v1/models/alias:generateContent", "", "g", "",
     "/v1/models/g:generateContent", kKeep},
    {"gemini encodes the model", kGoogle, Surface::gemini, "/v1beta/models/a%2Fb%3AgenerateContent", "", "a/b", "",
     "/v1beta/models/a%2Fb:generateContent", kKeep},
    {"tuned models", kGoogle, Surface::gemini, "/v1beta/models/t:generateContent", "", "tunedModels/t-1", "",
     "/v1beta/tunedModels/t-1:generateContent", kKeep},
    {"gemini without a model", kGoogle, Surface::gemini, "/v1beta/cachedContents", "pageSize=1", "", "",
     "/v1beta/cachedContents?pageSize=1", kKeep},
    {"vertex client, AI Studio upstream", kGoogle, Surface::vertex,
     "/v1/projects/p/locations/l/publishers/google/models/alias:generateContent", "$alt=json;enum-encoding=int", "g",
     "", "/v1beta/models/g:generateContent?$alt=json;enum-encoding=int", kKeep},
    {"gemini client, vertex upstream", kVertexProject, Surface::gemini, "/v1beta/models/alias:generateContent",
     "alt=sse", "g", "",
     "/v1beta1/projects/p%201/locations/europe-west4/publishers/google/models/g:generateContent?alt=sse", kKeep},
    {"vertex express mode", kVertexExpress, Surface::vertex, "/v1/publishers/google/models/x:countTokens", "", "g", "",
     "/v1/publishers/google/models/g:countTokens", kKeep},
    {"claude on vertex", kVertexProject, Surface::anthropic, "/v1/messages", "beta=true", "claude-opus-4-5@20251101",
     "", "/v1/projects/p%201/locations/europe-west4/publishers/anthropic/models/claude-opus-4-5%4020251101:rawPredict",
     kKeep},
    {"claude on vertex counts by a model of its own", kVertexProject, Surface::anthropic, "/v1/messages/count_tokens",
     "", "claude-opus-4-5", "",
     "/v1/projects/p%201/locations/europe-west4/publishers/anthropic/models/count-tokens:rawPredict", kSet},
    {"bedrock encodes the model once", kBedrock, Surface::bedrock, "/model/alias/converse", "",
     "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "",
     "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse", kKeep},
    {"bedrock takes ARNs", kBedrock, Surface::bedrock, "/model/a%2Fb/invoke-with-response-stream", "",
     "arn:aws:bedrock:us-west-2:1:inference-profile/x", "",
     "/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A1%3Ainference-profile%2Fx/invoke-with-response-stream", kKeep},
    {"claude on bedrock by invoke", kBedrockInvoke, Surface::anthropic, "/v1/messages", "beta=true",
     "us.anthropic.claude-opus-4-5-20251101-v1:0", "", "/model/us.anthropic.claude-opus-4-5-20251101-v1%3A0/invoke",
     kKeep},
    {"bedrock under a base path",
     {.provider = "bedrock", .endpoint = "https://vpce.example/aws", .region = "us-east-1"},
     Surface::bedrock,
     "/model/alias/count-tokens",
     "",
     "m",
     "",
     "/aws/model/m/count-tokens",
     kKeep},
    {"bedrock counts for the foundation model", kBedrockKey, Surface::bedrock, "/model/alias/count-tokens", "",
     "us.anthropic.claude-opus-4-5-20251101-v1:0", "", "/model/anthropic.claude-opus-4-5-20251101-v1%3A0/count-tokens",
     kKeep},
    {"bedrock counts for a model of no area", kBedrockKey, Surface::bedrock, "/model/alias/count-tokens", "",
     "anthropic.claude-v2.1", "", "/model/anthropic.claude-v2.1/count-tokens", kKeep},
    {"cohere", kCohere, Surface::cohere, "/v2/chat", "", "command-a", "", "/v2/chat", kSet},
    {"cohere under a base path",
     {.provider = "cohere", .endpoint = "https://h/cohere/v2"},
     Surface::cohere,
     "/v2/rerank",
     "",
     "m",
     "",
     "/cohere/v2/rerank",
     kSet},
    {"bedrock-mantle",
     {.provider = "bedrock-mantle", .region = "us-east-1"},
     Surface::openai,
     "/v1/responses",
     "",
     "m",
     "",
     "/v1/responses",
     kSet},
};

TEST(UpstreamTarget, ClaudeOnVertexStreamsElsewhereAndInAnEnvelope) {
  const auto upstream = prepare(kVertexProject);
  base::Arena arena;
  ClientCall call{.surface = Surface::anthropic,
                  .path = "/v1/messages",
                  .query = "",
                  .model = "claude-opus-4-5",
                  .deployment = "",
                  .stream = true};
  const auto target = make_upstream_target(*upstream, call, arena);
  ASSERT_TRUE(target);
  EXPECT_TRUE(target->path_and_query.ends_with(":streamRawPredict"));
  EXPECT_TRUE(target->envelope.drop_model);
  EXPECT_FALSE(target->envelope.drop_stream);
  EXPECT_EQ(target->envelope.anthropic_version, "vertex-2023-10-16");
  call.path = "/v1/messages/count_tokens";
  const auto counted = make_upstream_target(*upstream, call, arena);
  ASSERT_TRUE(counted);
  EXPECT_FALSE(counted->envelope.drop_model);
  call.path = "/v1/messages/batches";
  EXPECT_EQ(make_upstream_target(*upstream, call, arena).error().code, base::ErrorCode::unsupported);
  EXPECT_TRUE(speaks(*upstream, "claude-opus-4-5", Surface::anthropic));
  EXPECT_FALSE(speaks(*upstream, "claude-opus-4-5", Surface::gemini));
  EXPECT_FALSE(speaks(*upstream, "gemini-3-pro", Surface::anthropic));
  EXPECT_TRUE(speaks(*upstream, "gemini-3-pro", Surface::vertex));
  EXPECT_FALSE(speaks(*upstream, "", Surface::anthropic));
  EXPECT_FALSE(speaks(*upstream, "", Surface::gemini));
}

TEST(UpstreamTarget, Paths) {
  for (const auto& each : kCases) {
    SCOPED_TRACE(each.what);
    const auto upstream = prepare(each.wanted);
    ASSERT_TRUE(upstream) << upstream.error()[0].message;
    base::Arena arena;
    const auto target = make_upstream_target(*upstream,
                                             {.surface = each.surface,
                                              .path = each.path,
                                              .query = each.query,
                                              .model = each.model,
                                              .deployment = each.deployment},
                                             arena);
    ASSERT_TRUE(target) << target.error().context;
    EXPECT_EQ(target->path_and_query, each.expected);
    EXPECT_EQ(target->body_model, each.body_model);
  }
}

TEST(UpstreamTarget, ModelOfTheBody) {
  base::Arena arena;
  const ClientCall call{.surface = Surface::openai,
                        .path = "/v1/chat/completions",
                        .query = "",
                        .model = "remote",
                        .deployment = "deployed"};
  EXPECT_EQ(make_upstream_target(*prepare(kOpenAi), call, arena)->model, "remote");
  EXPECT_EQ(make_upstream_target(*prepare(kAzureV1), call, arena)->model, "deployed");
}

TEST(UpstreamTarget, Refusals) {
  struct Refusal {
    const char* what;
    Wanted wanted;
    Surface surface;
    const char* path;
    const char* model;
    base::ErrorCode code;
  };
  const Refusal refusals[] = {
      {"other protocol", kOpenAi, Surface::anthropic, "/v1/messages", "m", base::ErrorCode::unsupported},
      {"other protocol", {.provider = "anthropic"}, Surface::openai, "/v1/models", "m", base::ErrorCode::unsupported},
      {"wrong prefix", kOpenAi, Surface::openai, "/v2/models", "m", base::ErrorCode::invalid_argument},
      {"dot segment", kOpenAi, Surface::openai, "/v1/files/../../admin", "m", base::ErrorCode::invalid_argument},
      {"encoded dot segment", kOpenAi, Surface::openai, "/v1/files/.%2E/x", "m", base::ErrorCode::invalid_argument},
      {"dot segment at the end", kGoogle, Surface::gemini, "/v1beta/%2e%2e", "m", base::ErrorCode::invalid_argument},
      {"no deployment", kAzureClassic, Surface::openai, "/v1/embeddings", "", base::ErrorCode::invalid_argument},
      {"no model", kGoogle, Surface::gemini, "/v1/models/x:countTokens", "", base::ErrorCode::invalid_argument},
      {"vertex has no such path", kVertexExpress, Surface::gemini, "/v1beta/files", "m", base::ErrorCode::unsupported},
  };
  for (const auto& each : refusals) {
    SCOPED_TRACE(each.what);
    base::Arena arena;
    const auto target = make_upstream_target(
        *prepare(each.wanted),
        {.surface = each.surface, .path = each.path, .query = "", .model = each.model, .deployment = ""}, arena);
    ASSERT_FALSE(target);
    EXPECT_EQ(target.error().code, each.code);
  }
}

TEST(PrepareUpstream, Credentials) {
  struct Credential {
    Wanted wanted;
    const char* name;
    const char* value;
  };
  const Credential credentials[] = {
      {kOpenAi, "authorization", "Bearer sk-k"},
      {{.provider = "openai", .organization = "org-1", .project = "proj"}, "openai-organization", "org-1"},
      {{.provider = "openai", .organization = "org-1", .project = "proj"}, "openai-project", "proj"},
      {kAzureClassic, "api-key", "sk-k"},
      {{.provider = "azure", .endpoint = "https://r.openai.azure.com", .api_key = "", .access_token = "ent"},
       "authorization",
       "Bearer ent"},
      {{.provider = "anthropic"}, "x-api-key", "sk-k"},
      {{.provider = "anthropic"}, "authorization", "(none)"},
      {{.provider = "anthropic", .api_key = "", .access_token = "oat"}, "authorization", "Bearer oat"},
      {kGoogle, "x-goog-api-key", "sk-k"},
      {{.provider = "google", .api_key = "AQ.Ab8"}, "x-goog-api-key", "AQ.Ab8"},
      {{.provider = "google", .api_key = "", .access_token = "ya29.x"}, "authorization", "Bearer ya29.x"},
      {{.provider = "google", .api_key = "", .access_token = "ya29.x"}, "x-goog-api-key", "(none)"},
      {{.provider = "anthropic", .endpoint = "https://r.services.ai.azure.com/anthropic"}, "x-api-key", "sk-k"},
      {{.provider = "anthropic", .endpoint = "https://r.services.ai.azure.com/anthropic"}, "api-key", "sk-k"},
      {{.provider = "anthropic"}, "api-key", "(none)"},
      {kCohere, "authorization", "Bearer sk-k"},
      {kBedrockKey, "authorization", "Bearer sk-k"},
      {kBedrock, "authorization", "(none)"},
      {{.provider = "bedrock-mantle", .region = "us-east-1"}, "authorization", "Bearer sk-k"},
      {{.provider = "vertex", .api_key = "", .project = "p", .location = "l", .service_account = kUserFile},
       "x-goog-user-project",
       "q"},
      {{.provider = "vertex", .api_key = "AQ.Ab8"}, "x-goog-api-key", "AQ.Ab8"},
      {kVertexProject, "authorization", "Bearer ya29.t"},
  };
  for (const auto& each : credentials) {
    const auto upstream = prepare(each.wanted);
    ASSERT_TRUE(upstream) << each.wanted.provider << upstream.error()[0].message;
    EXPECT_EQ(header(upstream->set_headers, each.name), each.value) << each.wanted.provider;
  }
  EXPECT_EQ(header(prepare({.provider = "anthropic"})->default_headers, "anthropic-version"), "2023-06-01");
  EXPECT_TRUE(prepare({.provider = "vllm", .endpoint = "http://e", .api_key = ""})->set_headers.empty());
}

TEST(PrepareUpstream, Hosts) {
  EXPECT_EQ(prepare(kVertexProject)->endpoint.host, "europe-west4-aiplatform.googleapis.com");
  EXPECT_EQ(prepare(kVertexExpress)->endpoint.host, "aiplatform.googleapis.com");
  EXPECT_EQ(prepare({.provider = "vertex", .project = "p", .location = "eu"})->endpoint.host,
            "aiplatform.eu.rep.googleapis.com");
  EXPECT_EQ(prepare({.provider = "vertex", .project = "p", .location = "global"})->endpoint.host,
            "aiplatform.googleapis.com");
  EXPECT_EQ(prepare({.provider = "ollama", .api_key = ""})->endpoint.authority, "127.0.0.1:11434");
  EXPECT_EQ(prepare(kBedrock)->endpoint.host, "bedrock-runtime.eu-north-1.amazonaws.com");
  EXPECT_EQ(prepare({.provider = "bedrock", .region = "cn-north-1"})->endpoint.host,
            "bedrock-runtime.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(prepare({.provider = "bedrock-mantle", .region = "us-east-1"})->endpoint.host,
            "bedrock-mantle.us-east-1.api.aws");
  EXPECT_EQ(prepare(kCohere)->endpoint.host, "api.cohere.com");
}

TEST(PrepareUpstream, AwsCredentialsAreForSigning) {
  const auto upstream = prepare(kBedrock);
  ASSERT_TRUE(upstream && upstream->aws);
  EXPECT_EQ(upstream->aws->service, "bedrock");
  EXPECT_EQ(upstream->aws->region, "eu-north-1");
  EXPECT_EQ(upstream->aws->credentials.access_key_id.reveal(), "AKID");
  EXPECT_EQ(upstream->aws->credentials.session_token.reveal(), "session");
  EXPECT_FALSE(prepare(kBedrockKey)->aws);
  Wanted mantle = kBedrock;
  mantle.provider = "bedrock-mantle";
  EXPECT_EQ(prepare(mantle)->aws->service, "bedrock-mantle");
}

TEST(PrepareUpstream, AFileOfGoogleIsExchangedForATokenAndMayNameTheProject) {
  const auto upstream =
      prepare({.provider = "vertex", .api_key = "", .project = "p", .location = "l", .service_account = kUserFile});
  ASSERT_TRUE(upstream && upstream->google);
  EXPECT_EQ(upstream->google->client, "c");
  EXPECT_EQ(header(upstream->set_headers, "authorization"), "(none)");
}

TEST(PrepareUpstream, Faults) {
  struct Fault {
    Wanted wanted;
    const char* key;
    const char* message;
  };
  const Fault faults[] = {
      {{.provider = "bedrock"}, "region", "provider 'bedrock' needs region = \"...\", or an endpoint of its own"},
      {{.provider = "bedrock", .endpoint = "https://h", .api_key = "", .access_key_id = "a", .secret_access_key = "s"},
       "region",
       "requests are signed for a region; add region = \"...\""},
      {{.provider = "bedrock", .api_key = "", .region = "r", .access_key_id = "a"},
       "secret_access_key",
       "access_key_id and secret_access_key belong together; give both"},
      {{.provider = "bedrock", .region = "r", .access_key_id = "a", .secret_access_key = "s"},
       "access_key_id",
       "api_key and access_key_id exclude each other; keep one"},
      {{.provider = "bedrock", .api_key = "", .access_token = "t", .region = "r"},
       "access_token",
       "bedrock takes api_key, or access_key_id and secret_access_key"},
      {{.provider = "google", .api_key = "ya29.x"},
       "api_key",
       "holds an OAuth access token; write it as access_token = \"...\" instead"},
      {{.provider = "vertex", .api_key = "eyJh.x.y"},
       "api_key",
       "holds an OAuth access token; write it as access_token = \"...\" instead"},
      {{.provider = "vertex", .api_key = "", .service_account = "{}"},
       "service_account_file",
       "the credentials file is neither of a service account nor of an authorized user: its \"type\" says otherwise"},
      {{.provider = "azure", .endpoint = "https://r.services.ai.azure.com/anthropic"},
       "endpoint",
       "this is Claude's API on Foundry; write provider = \"anthropic\""},
      {{.provider = "nope"}, "provider", "no such provider"},
      {{.provider = "azure"},
       "endpoint",
       "provider 'azure' needs endpoint = \"https://...\" (it has no address of its own)"},
      {{.provider = "openai", .api_key = ""},
       "api_key",
       "provider 'openai' needs a credential; add api_key = \"env:NAME\" or \"file:PATH\""},
      {{.provider = "openai", .access_token = "t"},
       "access_token",
       "api_key and access_token exclude each other; keep one"},
      {{.provider = "azure", .endpoint = "https://r.openai.azure.com/openai/deployments/x"},
       "endpoint",
       "the endpoint must not name a deployment; write \"https://<resource>.openai.azure.com\" and put the deployment "
       "on "
       "the model: deployment = \"...\""},
      {{.provider = "vertex", .project = "p"},
       "project",
       "project and location belong together: give both, or neither for express mode with an api_key"},
      {{.provider = "vertex", .api_key = "", .access_token = "t"},
       "project",
       "an access token needs project = \"...\" and location = \"...\""},
  };
  for (const auto& each : faults) {
    const auto upstream = prepare(each.wanted);
    ASSERT_FALSE(upstream) << each.message;
    EXPECT_EQ(upstream.error()[0].key, each.key);
    EXPECT_EQ(upstream.error()[0].message, each.message);
  }
  const auto doubled = prepare(kOpenAi, {{"authorization", base::Secret("x")}});
  ASSERT_FALSE(doubled);
  EXPECT_EQ(doubled.error()[0].message, "headers sets 'authorization', which the connection's credential sets already");
}

TEST(Providers, EveryNameIsFoundAndOnlyOnce) {
  for (const auto* info : all_providers()) {
    EXPECT_EQ(find_provider(info->name), info) << info->name;
    if (!info->default_endpoint.empty()) {
      EXPECT_TRUE(parse_endpoint(info->default_endpoint)) << info->name;
    }
    EXPECT_FALSE(info->owned_by.empty());
  }
  EXPECT_EQ(find_provider("OpenAI"), nullptr);
  EXPECT_TRUE(speaks(*prepare(kAzureClassic), "m", Surface::openai));
  EXPECT_TRUE(speaks(*prepare(kVertexProject), "m", Surface::gemini));
  EXPECT_FALSE(speaks(*prepare(kGoogle), "m", Surface::openai));
  EXPECT_FALSE(speaks(*prepare(kBedrock), "m", Surface::openai));
  EXPECT_TRUE(speaks(*prepare(kBedrock), "m", Surface::bedrock));
  EXPECT_TRUE(speaks(*prepare(kCohere), "m", Surface::cohere));
}

TEST(BedrockByInvoke, OnlyClaudeAndOnlyWhereConfigured) {
  const auto upstream = prepare(kBedrockInvoke);
  base::Arena arena;
  constexpr std::string_view kClaude = "anthropic.claude-opus-4-5-20251101-v1:0";
  EXPECT_TRUE(speaks(*upstream, kClaude, Surface::anthropic));
  EXPECT_TRUE(speaks(*upstream, kClaude, Surface::bedrock));
  EXPECT_FALSE(speaks(*upstream, "amazon.nova-pro-v1:0", Surface::anthropic));
  EXPECT_FALSE(speaks(*upstream, {}, Surface::anthropic));
  EXPECT_FALSE(speaks(*prepare(kBedrock), kClaude, Surface::anthropic));
  ClientCall call{.surface = Surface::anthropic,
                  .path = "/v1/messages",
                  .query = "",
                  .model = kClaude,
                  .deployment = "",
                  .stream = true};
  const auto target = make_upstream_target(*upstream, call, arena);
  ASSERT_TRUE(target);
  EXPECT_TRUE(target->path_and_query.ends_with("/invoke-with-response-stream"));
  EXPECT_TRUE(target->envelope.drop_model && target->envelope.drop_stream);
  EXPECT_EQ(target->envelope.anthropic_version, "bedrock-2023-05-31");
  call.path = "/v1/messages/batches";
  EXPECT_EQ(make_upstream_target(*upstream, call, arena).error().code, base::ErrorCode::unsupported);
}

}  // namespace
}  // namespace llmgw::providers
