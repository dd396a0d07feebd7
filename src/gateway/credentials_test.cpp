// Signatures and tokens, with a cloud and a clock of the simulated world.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"
#include "control/config_loader.h"
#include "control/test_support.h"
#include "gateway/worker.h"
#include "http/event_stream.h"
#include "http/pool.h"
#include "net/sim/world.h"
#include "providers/sigv4.h"
#include "providers/token_source.h"

namespace llmgw::gateway {
namespace {

using net::Task;
using providers::SigV4Header;
using testing::HasSubstr;

const net::Address kGateway = *net::Address::parse("10.0.0.1:8080");
const net::Address kOtherWorker = *net::Address::parse("10.0.0.2:8080");
const net::Address kCloudAddress = *net::Address::parse("10.0.1.1:80");
constexpr std::string_view kKey = "client-key-1";
constexpr std::string_view kRegion = "eu-north-1";
constexpr base::Duration kTokenLifetime = std::chrono::hours(1);

constexpr std::string_view kConfig = R"([server]
listen = "127.0.0.1:0"
request_timeout = "1h"
[[connections]]
name = "vertex"
provider = "vertex"
endpoint = "http://10.0.1.1:80"
project = "p"
location = "l"
service_account_file = "/user.json"
[[connections]]
name = "bedrock"
provider = "bedrock"
endpoint = "http://10.0.1.1:80"
region = "eu-north-1"
access_key_id = "AKID"
secret_access_key = "aws-secret"
session_token = "aws-session"
[[models]]
name = "gemini"
connection = "vertex"
[[models]]
name = "claude"
connection = "bedrock"
remote = "anthropic.claude-v9:0"
[[keys]]
name = "client"
key = "client-key-1"
)";
constexpr std::string_view kUserFile =
    R"({"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r",)"
    R"("token_uri":"http://10.0.1.1:80/token"})";

struct Seen {
  std::string path;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;

  std::string header(std::string_view name) const {
    const auto found = std::ranges::find(headers, name, &std::pair<std::string, std::string>::first);
    return found == headers.end() ? std::string() : found->second;
  }
};

struct Answer {
  uint16_t status = 0;
  std::string error_type;
  std::string body;
  bool done = false;
};

std::shared_ptr<const control::Snapshot> make_snapshot() {
  control::TestWorld files;
  files.files["/user.json"] = kUserFile;
  const auto config = control::load_config(kConfig, files.environment());
  EXPECT_TRUE(config) << control::format_errors(config.error(), "test.toml");
  auto built = control::build_snapshot(*config, {.version = 1, .hash_key = {}, .created_default = 0});
  EXPECT_TRUE(built);
  return *built;
}

// The cloud: a token endpoint, Vertex, Bedrock.
class Cloud final : public http::RequestHandler {
 public:
  Task<void> handle(http::ServerExchange& exchange) override {
    auto body = co_await exchange.read_body(1 << 20);
    Seen seen{.path = std::string(exchange.head().path), .body = {}, .headers = {}};
    if (body) seen.body.assign(body->data(), body->size());
    for (const http::Header& header : exchange.head().headers) seen.headers.emplace_back(header.name, header.value);
    requests.push_back(std::move(seen));
    const Seen& request = requests.back();
    if (request.path == "/token") co_return co_await token(exchange);
    if (request.path.ends_with("/converse-stream")) co_return co_await cut_stream(exchange);
    const bool vertex = request.path.find("/publishers/") != std::string::npos;
    const bool valid = !vertex || request.header("authorization") == "Bearer " + valid_token;
    co_await answer(exchange, valid ? 200 : 401, valid ? "{}" : R"({"error":{"code":401,"message":"bad token"}})");
  }
  http::MalformedAnswer malformed_request(const http::MalformedRequest&) override { return {.body = "malformed"}; }

  size_t count(std::string_view path) const {
    return static_cast<size_t>(std::ranges::count(requests, path, &Seen::path));
  }

  // The last request but for those of tokens.
  Seen last_call() const {
    for (size_t i = requests.size(); i-- > 0;) {
      if (requests[i].path != "/token") return requests[i];
    }
    return {};
  }

  std::vector<Seen> requests;
  std::string valid_token;  // the newest
  uint16_t token_status = 200;
  net::Loop* loop = nullptr;

 private:
  Task<void> token(http::ServerExchange& exchange) {
    // Long enough for other calls to come meanwhile.
    co_await net::sleep_for(*loop, std::chrono::milliseconds(200));
    if (token_status != 200) co_return co_await answer(exchange, token_status, "{}");
    valid_token = "token-" + std::to_string(count("/token"));
    co_await answer(exchange, 200, R"({"expires_in":3600,"access_token":")" + valid_token + "\"}");
  }

  Task<void> answer(http::ServerExchange& exchange, uint16_t status, const std::string& body) {
    http::Headers headers;
    headers.append(http::HeaderId::content_type, "application/json");
    EXPECT_TRUE(exchange.start({.status = status, .headers = &headers, .content_length = body.size()}));
    const iovec buffer = net::buffer_of(body);
    co_await exchange.write({&buffer, 1}, true);
  }

  // A stream that breaks between two messages.
  Task<void> cut_stream(http::ServerExchange& exchange) {
    http::Headers headers;
    headers.append(http::HeaderId::content_type, http::kEventStreamType);
    EXPECT_TRUE(exchange.start({.status = 200, .headers = &headers, .framing = http::Framing::until_close}));
    std::string message;
    EXPECT_TRUE(http::append_event_stream_event(message, "messageStart", R"({"role":"assistant"})"));
    const iovec buffer = net::buffer_of(message);
    co_await exchange.write({&buffer, 1}, false);
    co_await net::sleep_for(*loop, std::chrono::milliseconds(50));
    exchange.abort();
  }
};

class CredentialsWorld {
 public:
  CredentialsWorld()
      : log_(control_, operational_, access_),
        cloud_server_(world_.loop(), cloud, {}),
        pool_(world_.loop(), [this](net::Wait wait) { return world_.network().connect(kGateway, wait); }, {}),
        other_pool_(world_.loop(), [this](net::Wait wait) { return world_.network().connect(kOtherWorker, wait); },
                    {}) {
    shared_.registry = &registry_;
    cloud.loop = &world_.loop();
    cloud_server_.listen(std::move(*world_.network().listen(kCloudAddress, {})));
    worker_ = make_worker(kGateway);
    other_worker_ = make_worker(kOtherWorker);
  }
  ~CredentialsWorld() {
    tasks_.cancel_all();
    worker_.reset();
    other_worker_.reset();
  }
  void end_worker() { worker_.reset(); }

  using Fields = std::vector<std::pair<std::string, std::string>>;
  void start(Answer& answer, std::string path, std::string body, Fields headers) {
    tasks_.spawn(run(pool_, answer, std::move(path), std::move(body), std::move(headers)));
  }
  void start_gemini(Answer& answer, bool at_other_worker = false) {
    tasks_.spawn(run(at_other_worker ? other_pool_ : pool_, answer, "/v1beta/models/gemini:generateContent", "{}",
                     {{"x-goog-api-key", std::string(kKey)}}));
  }
  Answer call(const std::string& path, const std::string& body, const Fields& headers) {
    Answer answer;
    start(answer, path, body, headers);
    EXPECT_TRUE(world_.run_until([&] { return answer.done; })) << world_.trace();
    return answer;
  }
  Answer gemini(bool at_other_worker = false) {
    Answer answer;
    start_gemini(answer, at_other_worker);
    EXPECT_TRUE(world_.run_until([&] { return answer.done; })) << world_.trace();
    return answer;
  }
  // What an SDK of AWS sends.
  Fields signature(const std::string& path, const std::string& body, std::string_view secret = kKey,
                   base::Duration skew = {}) {
    base::Arena arena;
    const std::string time(providers::sigv4_time(world_.loop().wall_now() + skew, arena));
    const SigV4Header to_sign[] = {{"host", "gw"}, {"x-amz-date", time}};
    const std::string_view parts[] = {body};
    const std::string hash = base::hex(providers::sha256(parts));
    providers::SigningKeys keys;
    const auto header =
        providers::sign_sigv4({.method = "POST", .path = path, .headers = to_sign, .payload_hash = hash},
                              {base::Secret(kKey), base::Secret(secret), {}}, "us-west-2", "bedrock", time, keys);
    return {{"x-amz-date", time}, {"authorization", std::string(header.reveal())}};
  }
  void pass(base::Duration duration) { world_.run_for(duration); }
  base::WallTime wall_now() { return world_.loop().wall_now(); }

  Cloud cloud;

 private:
  std::unique_ptr<Worker> make_worker(const net::Address& address) {
    auto worker = std::make_unique<Worker>(
        world_.loop(), shared_, log_, make_snapshot(), [this](const control::Connection& connection, net::Wait wait) {
          const auto& endpoint = connection.upstream.endpoint;
          return world_.network().connect(*net::Address::from_ip(endpoint.host, endpoint.port), wait);
        });
    worker->server().listen(std::move(*world_.network().listen(address, {})));
    return worker;
  }

  Task<void> run(http::Pool& pool, Answer& answer, std::string path, std::string body, Fields fields) {
    const net::Wait wait{world_.loop().now() + std::chrono::minutes(5), nullptr};
    auto exchange = co_await pool.acquire(false, wait);
    EXPECT_TRUE(exchange);
    http::Headers headers;
    for (const auto& [name, value] : fields) headers.append(name, value);
    const iovec buffer = net::buffer_of(body);
    const http::RequestStart start{
        .target = path, .authority = "gw", .headers = &headers, .body = {&buffer, 1}, .upgrade = {}};
    EXPECT_TRUE(co_await (*exchange)->send(start, wait));
    auto head = co_await (*exchange)->read_head(wait);
    if (head) {
      answer.status = (*head)->status;
      answer.error_type = (*head)->headers.value("x-amzn-errortype");
    }
    for (bool done = !head; !done;) {
      auto bytes = co_await (*exchange)->read_body(wait);
      if (!bytes) break;
      answer.body.append(bytes->data.data(), bytes->data.size());
      done = bytes->done;
    }
    answer.done = true;
  }

  static constexpr size_t kLogRingBytes = 64 * 1024;
  net::sim::World world_{1};
  SharedState shared_;
  telemetry::Registry registry_;
  telemetry::LogControl control_;
  telemetry::ByteRing operational_{kLogRingBytes};
  telemetry::ByteRing access_{kLogRingBytes};
  telemetry::Log log_;
  http::Server cloud_server_;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<Worker> other_worker_;
  http::Pool pool_;
  http::Pool other_pool_;
  net::TaskGroup tasks_;
};

TEST(Credentials, OneTokenIsFetchedForManyCalls) {
  CredentialsWorld world;
  std::vector<Answer> answers(5);
  for (Answer& answer : answers) world.start_gemini(answer);
  world.pass(std::chrono::seconds(2));
  for (const Answer& answer : answers) EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(world.cloud.count("/token"), 1U);
  const Seen& token = world.cloud.requests.front();
  EXPECT_EQ(token.body, "grant_type=refresh_token&client_id=c&client_secret=s&refresh_token=r");
  EXPECT_EQ(token.header("content-type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(world.cloud.requests.back().header("authorization"), "Bearer token-1");
  EXPECT_EQ(world.cloud.requests.back().header("x-goog-api-key"), "");
}

TEST(Credentials, OneTokenIsFetchedForAllWorkers) {
  CredentialsWorld world;
  std::vector<Answer> answers(6);
  for (size_t i = 0; i < answers.size(); ++i) world.start_gemini(answers[i], i % 2 == 1);
  world.pass(std::chrono::seconds(2));
  for (const Answer& answer : answers) EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(world.cloud.count("/token"), 1U);
  // Renewed once, too, and seen by both.
  world.pass(kTokenLifetime - providers::kTokenRefreshBefore);
  EXPECT_EQ(world.gemini(true).status, 200);
  EXPECT_EQ(world.gemini().status, 200);
  world.pass(std::chrono::seconds(1));
  EXPECT_EQ(world.cloud.count("/token"), 2U);
  for (const bool at_other_worker : {false, true}) {
    EXPECT_EQ(world.gemini(at_other_worker).status, 200);
    EXPECT_EQ(world.cloud.last_call().header("authorization"), "Bearer token-2");
  }
  // And replaced for both when one has seen it refused.
  world.pass(std::chrono::minutes(1));
  world.cloud.valid_token = "revoked";
  EXPECT_EQ(world.gemini().status, 200);
  EXPECT_EQ(world.gemini(true).status, 200);
  EXPECT_EQ(world.cloud.count("/token"), 3U);
}

TEST(Credentials, AFailureIsToldToAllWorkers) {
  CredentialsWorld world;
  world.cloud.token_status = 503;
  std::vector<Answer> answers(4);
  for (size_t i = 0; i < answers.size(); ++i) world.start_gemini(answers[i], i % 2 == 1);
  world.pass(std::chrono::milliseconds(500));
  for (const Answer& answer : answers) EXPECT_GE(answer.status, 500) << answer.body;
  EXPECT_EQ(world.cloud.count("/token"), 1U);
}

TEST(Credentials, AWorkerThatEndsLeavesItsFetchToAnother) {
  CredentialsWorld world;
  Answer given_up;
  Answer answer;
  world.start_gemini(given_up);
  world.pass(std::chrono::milliseconds(100));
  world.start_gemini(answer, true);
  world.pass(std::chrono::milliseconds(50));
  EXPECT_EQ(world.cloud.count("/token"), 1U);
  world.end_worker();
  world.pass(std::chrono::seconds(1));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(world.cloud.count("/token"), 2U);
}

TEST(Credentials, ATokenIsRenewedBeforeItEndsAndNobodyWaits) {
  CredentialsWorld world;
  EXPECT_EQ(world.gemini().status, 200);
  world.pass(kTokenLifetime - providers::kTokenRefreshBefore);
  EXPECT_EQ(world.gemini().status, 200);
  // The call goes with the old token while the new one is fetched.
  EXPECT_EQ(world.cloud.last_call().header("authorization"), "Bearer token-1");
  world.pass(std::chrono::seconds(1));
  EXPECT_EQ(world.cloud.count("/token"), 2U);
  EXPECT_EQ(world.gemini().status, 200);
  EXPECT_EQ(world.cloud.last_call().header("authorization"), "Bearer token-2");
}

TEST(Credentials, ARevokedTokenIsReplacedAndTheCallMadeAgain) {
  CredentialsWorld world;
  EXPECT_EQ(world.gemini().status, 200);
  world.pass(std::chrono::minutes(1));
  world.cloud.valid_token = "revoked";
  const size_t before = world.cloud.requests.size();
  EXPECT_EQ(world.gemini().status, 200);
  // The call, the new token, the call again.
  EXPECT_EQ(world.cloud.requests.size(), before + 3);
  // A token refused at once is not the token's fault: the client is told.
  world.cloud.valid_token = "revoked";
  EXPECT_EQ(world.gemini().status, 401);
  EXPECT_EQ(world.cloud.count("/token"), 2U);
}

TEST(Credentials, ATokenEndpointThatFailsIsNotAskedForEachCall) {
  CredentialsWorld world;
  world.cloud.token_status = 503;
  const Answer first = world.gemini();
  EXPECT_GE(first.status, 500);
  EXPECT_GE(world.gemini().status, 500);
  EXPECT_EQ(world.cloud.count("/token"), 1U);
  world.cloud.token_status = 200;
  world.pass(providers::kTokenRetryFirst);
  EXPECT_EQ(world.gemini().status, 200);
}

TEST(Credentials, ASignedCallIsVerifiedAndSignedAnew) {
  CredentialsWorld world;
  const std::string path = "/model/claude/converse";
  const std::string body = R"({"messages":[]})";
  const auto fields = world.signature(path, body);
  ASSERT_EQ(world.call(path, body, fields).status, 200);
  const Seen& seen = world.cloud.requests.back();
  EXPECT_EQ(seen.path, "/model/anthropic.claude-v9%3A0/converse");
  EXPECT_EQ(seen.body, body);
  EXPECT_EQ(seen.header("x-amz-security-token"), "aws-session");
  const std::string authorization = seen.header("authorization");
  const auto claim = providers::parse_sigv4(authorization);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->access_key_id, "AKID");
  EXPECT_EQ(claim->region, kRegion);
  EXPECT_EQ(claim->service, "bedrock");
  EXPECT_EQ(claim->signed_headers, "host;x-amz-date;x-amz-security-token");
  std::vector<SigV4Header> headers;
  for (const auto& [name, value] : seen.headers) headers.push_back({name, value});
  EXPECT_TRUE(providers::verify_sigv4(
      *claim, {.method = "POST", .path = seen.path, .query = {}, .host = "10.0.1.1", .headers = headers, .body = body},
      "aws-secret", world.wall_now()));
}

TEST(Credentials, AnotherKeyBesideASignatureIsRefused) {
  CredentialsWorld world;
  const std::string path = "/model/claude/converse";
  auto fields = world.signature(path, "{}");
  fields.emplace_back("x-api-key", "sk-another");
  const Answer other = world.call(path, "{}", fields);
  EXPECT_EQ(other.status, 400);
  EXPECT_THAT(other.body, HasSubstr("different API keys"));
  EXPECT_TRUE(world.cloud.requests.empty());
  fields.back().second = std::string(kKey);
  EXPECT_EQ(world.call(path, "{}", fields).status, 200);
}

TEST(Credentials, ABearerWillDoAsWell) {
  CredentialsWorld world;
  EXPECT_EQ(world.call("/model/claude/converse", "{}", {{"authorization", "Bearer " + std::string(kKey)}}).status, 200);
  EXPECT_THAT(world.cloud.requests.back().header("authorization"), HasSubstr("Credential=AKID/"));
}

TEST(Credentials, WrongSignaturesAreRefusedInTheWordsOfAws) {
  CredentialsWorld world;
  const std::string path = "/model/claude/converse";
  const auto refused = [&](const CredentialsWorld::Fields& fields, const char* body, const char* type) {
    const Answer answer = world.call(path, body, fields);
    EXPECT_EQ(answer.status, 403);
    EXPECT_EQ(answer.error_type, type) << answer.body;
  };
  refused(world.signature(path, "{}", "another secret"), "{}", "InvalidSignatureException");
  refused(world.signature(path, "{}"), "{ }", "InvalidSignatureException");
  refused(world.signature("/model/other/converse", "{}"), "{}", "InvalidSignatureException");
  refused(world.signature(path, "{}", kKey, -std::chrono::minutes(6)), "{}", "InvalidSignatureException");
  auto unknown = world.signature(path, "{}");
  unknown[1].second.replace(unknown[1].second.find(kKey), kKey.size(), "client-key-2");
  refused(unknown, "{}", "UnrecognizedClientException");
  refused({{"authorization", "AWS4-HMAC-SHA256 nonsense"}}, "{}", "IncompleteSignatureException");
  EXPECT_TRUE(world.cloud.requests.empty());
  // In another protocol it is a key that is not known.
  const Answer openai = world.call("/v1/chat/completions", R"({"model":"claude"})", unknown);
  EXPECT_EQ(openai.status, 401);
  EXPECT_THAT(openai.body, HasSubstr("invalid_api_key"));
}

TEST(Credentials, AnEventStreamThatBreaksEndsWithAnException) {
  CredentialsWorld world;
  const Answer answer = world.call("/model/claude/converse-stream", "{}", {{"x-api-key", std::string(kKey)}});
  EXPECT_EQ(answer.status, 200);
  http::EventStreamReader reader;
  std::string_view bytes = answer.body;
  const auto first = reader.next(bytes);
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->text(":event-type"), "messageStart");
  const auto last = reader.next(bytes);
  ASSERT_TRUE(last && *last);
  EXPECT_EQ((*last)->text(":message-type"), "exception");
  EXPECT_EQ((*last)->text(":exception-type"), "modelStreamErrorException");
  EXPECT_TRUE(bytes.empty());
}

}  // namespace
}  // namespace llmgw::gateway
