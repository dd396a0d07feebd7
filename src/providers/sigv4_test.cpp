#include "providers/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/text.h"
#include "json/tree.h"

namespace llmgw::providers {
namespace {

using base::WallTime;
using testing::HasSubstr;

// The public example credentials of AWS's documentation.
constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const AwsCredentials kExample{base::Secret("AKIDEXAMPLE"), base::Secret(kSecret), {}};
// 2025-01-02T03:04:05Z
constexpr WallTime kNow{std::chrono::seconds(1'735'787'045)};

std::string hex_of(std::string_view body) {
  const std::string_view parts[] = {body};
  return base::hex(sha256(parts));
}

TEST(SigV4, WritesTheTime) {
  base::Arena arena;
  EXPECT_EQ(sigv4_time(kNow, arena), "20250102T030405Z");
  EXPECT_EQ(sigv4_time(WallTime{}, arena), "19700101T000000Z");
  EXPECT_EQ(sigv4_time(WallTime{std::chrono::seconds(951'782'399)}, arena), "20000228T235959Z");
}

// Computed with Python's hashlib and hmac by the description of the process.
TEST(SigV4, SignsAConverseCall) {
  const SigV4Header headers[] = {{"x-amz-date", "20250102T030405Z"},
                                 {"host", "bedrock-runtime.eu-north-1.amazonaws.com"},
                                 {"content-type", "application/json"}};
  const std::string hash = hex_of("{}");
  const SigV4Request request{
      .method = "POST", .path = "/model/amazon.nova-lite-v1%3A0/converse", .headers = headers, .payload_hash = hash};
  EXPECT_EQ(sigv4_canonical_request(request),
            "POST\n/model/amazon.nova-lite-v1%253A0/converse\n\ncontent-type:application/json\n"
            "host:bedrock-runtime.eu-north-1.amazonaws.com\nx-amz-date:20250102T030405Z\n\n"
            "content-type;host;x-amz-date\n"
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
  SigningKeys keys;
  EXPECT_EQ(sign_sigv4(request, kExample, "eu-north-1", "bedrock", "20250102T030405Z", keys).reveal(),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20250102/eu-north-1/bedrock/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=636f8ee36cd4897f6f1d72b8ca4acbf66873785f52e1b34a141f6982d04765ac");
}

TEST(SigV4, CanonicalRequestEncodesSortsAndTrims) {
  const SigV4Header headers[] = {{"host", "h"}, {"b", "  two   words "}, {"a", "1"}, {"b", "3"}};
  EXPECT_EQ(sigv4_canonical_request({.method = "GET",
                                     .path = "/a//b/./c/../d%20e/",
                                     .query = "z=1&a=b%2Fc&a=%41&flag&y=a+b",
                                     .headers = headers,
                                     .payload_hash = "UNSIGNED-PAYLOAD"}),
            "GET\n/a/b/d%2520e/\na=A&a=b%2Fc&flag=&y=a%2Bb&z=1\na:1\nb:two words,3\nhost:h\n\na;b;host\n"
            "UNSIGNED-PAYLOAD");
}

TEST(SigV4, DerivesAKeyOnceADayRegionServiceAndSecret) {
  SigningKeys keys;
  const Sha256 first = keys.find("secret", "20250102", "eu-north-1", "bedrock");
  EXPECT_EQ(keys.find("secret", "20250102", "eu-north-1", "bedrock"), first);
  EXPECT_EQ(keys.derivations(), 1U);
  EXPECT_NE(keys.find("secret", "20250103", "eu-north-1", "bedrock"), first);
  EXPECT_NE(keys.find("secret", "20250102", "eu-north-2", "bedrock"), first);
  EXPECT_NE(keys.find("secret", "20250102", "eu-north-1", "bedrock-mantle"), first);
  EXPECT_NE(keys.find("rotated", "20250102", "eu-north-1", "bedrock"), first);
  EXPECT_EQ(keys.derivations(), 5U);
  for (int i = 0; i < 100; ++i) keys.find("secret-" + std::to_string(i), "20250102", "eu-north-1", "bedrock");
  EXPECT_EQ(keys.find("secret", "20250102", "eu-north-1", "bedrock"), first);
  EXPECT_EQ(keys.derivations(), 106U);
}

// What a client sends: signed by the same code, so that only what verification adds is tested here.
struct Client {
  std::string method = "POST";
  std::string path = "/model/m%3A0/converse";
  std::string query;
  std::string host_name = "host";
  std::string host = "gateway:8080";
  std::string body = R"({"messages":[]})";
  std::string secret = "key-of-the-client";
  std::string payload_hash;  // what x-amz-content-sha256 says; empty: no such header
  std::vector<SigV4Header> extra;
  std::vector<SigV4Header> sent;
  std::string authorization;

  void sign() {
    sent = {{"X-Amz-Date", "20250102T030405Z"}, {"Content-Type", "application/json"}};
    std::vector<SigV4Header> to_sign = {
        {host_name, host}, {"x-amz-date", "20250102T030405Z"}, {"content-type", "application/json"}};
    if (!payload_hash.empty()) {
      sent.push_back({"x-amz-content-sha256", payload_hash});
      to_sign.push_back({"x-amz-content-sha256", payload_hash});
    }
    for (const auto& header : extra) {
      sent.push_back(header);
      to_sign.push_back(header);
    }
    const std::string hash = payload_hash.empty() ? hex_of(body) : payload_hash;
    SigningKeys keys;
    authorization =
        sign_sigv4({.method = method, .path = path, .query = query, .headers = to_sign, .payload_hash = hash},
                   {base::Secret(secret), base::Secret(secret), {}}, "us-east-1", "bedrock", "20250102T030405Z", keys)
            .reveal();
  }

  std::expected<void, SigV4Refusal> verify(WallTime now = kNow) const {
    const auto claim = parse_sigv4(authorization);
    if (!claim) return std::unexpected(claim.error());
    EXPECT_EQ(claim->access_key_id, secret);
    return verify_sigv4(*claim,
                        {.method = method, .path = path, .query = query, .host = host, .headers = sent, .body = body},
                        "key-of-the-client", now);
  }
};

Client signed_client() {
  Client client;
  client.sign();
  return client;
}

TEST(SigV4, VerifiesWhatAClientSigned) {
  EXPECT_TRUE(signed_client().verify());
  Client with_hash;
  with_hash.payload_hash = hex_of(with_hash.body);
  with_hash.extra = {{"amz-sdk-invocation-id", " spaced  out "}, {"x-twice", "1"}, {"x-twice", "2"}};
  with_hash.query = "a=b";
  with_hash.sign();
  EXPECT_TRUE(with_hash.verify());
  Client over_http2;
  over_http2.host_name = ":authority";
  over_http2.sign();
  EXPECT_TRUE(over_http2.verify());
  over_http2.host = "elsewhere";
  EXPECT_FALSE(over_http2.verify());
  Client unsigned_body;
  unsigned_body.payload_hash = "UNSIGNED-PAYLOAD";
  unsigned_body.sign();
  unsigned_body.body = "anything";
  EXPECT_TRUE(unsigned_body.verify());
}

TEST(SigV4, RefusesEveryChange) {
  const auto refused = [](auto change, SigV4Problem problem) {
    Client client = signed_client();
    change(client);
    const auto verified = client.verify();
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().problem, problem) << verified.error().message;
  };
  refused([](Client& client) { client.body += ' '; }, SigV4Problem::mismatch);
  refused([](Client& client) { client.path = "/model/other%3A0/converse"; }, SigV4Problem::mismatch);
  refused([](Client& client) { client.query = "a=b"; }, SigV4Problem::mismatch);
  refused([](Client& client) { client.method = "PUT"; }, SigV4Problem::mismatch);
  refused([](Client& client) { client.host = "elsewhere"; }, SigV4Problem::mismatch);
  refused([](Client& client) { client.sent[1].value = "text/plain"; }, SigV4Problem::mismatch);
  refused([](Client& client) { client.sent.erase(client.sent.begin() + 1); }, SigV4Problem::mismatch);
  refused([](Client& client) { client.sent.erase(client.sent.begin()); }, SigV4Problem::malformed);
  refused([](Client& client) { client.sent[0].value = "20250103T030405Z"; }, SigV4Problem::malformed);
  refused([](Client& client) { client.sent[0].value = "20251302T030405Z"; }, SigV4Problem::malformed);
  refused([](Client& client) { client.authorization.back() = client.authorization.back() == '0' ? '1' : '0'; },
          SigV4Problem::mismatch);
}

TEST(SigV4, RefusesAnotherBodyAndPieces) {
  Client client;
  client.payload_hash = hex_of("another");
  client.sign();
  EXPECT_EQ(client.verify().error().problem, SigV4Problem::mismatch);
  client.payload_hash = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
  client.sign();
  EXPECT_EQ(client.verify().error().problem, SigV4Problem::unsupported);
}

TEST(SigV4, AllowsFiveMinutesOfSkew) {
  const Client client = signed_client();
  for (const auto skew : {kSigV4SkewMax, -kSigV4SkewMax}) {
    EXPECT_TRUE(client.verify(kNow + skew));
    const auto more = skew > base::Duration{} ? std::chrono::seconds(1) : std::chrono::seconds(-1);
    EXPECT_EQ(client.verify(kNow + skew + more).error().problem, SigV4Problem::expired);
  }
}

TEST(SigV4, ReadsTheAuthorizationHeader) {
  EXPECT_TRUE(is_sigv4(" AWS4-HMAC-SHA256 Credential=x"));
  EXPECT_FALSE(is_sigv4("Bearer AWS4-HMAC-SHA256"));
  const std::string signature(64, 'a');
  const std::string tail = ",SignedHeaders=host;x-amz-date,Signature=" + signature;
  const std::string header = "AWS4-HMAC-SHA256 Credential=a/b/20250102/us-east-1/bedrock/aws4_request" + tail;
  const auto claim = parse_sigv4(header);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->access_key_id, "a/b");
  EXPECT_EQ(claim->date, "20250102");
  EXPECT_EQ(claim->region, "us-east-1");
  EXPECT_EQ(claim->service, "bedrock");
  EXPECT_EQ(claim->signed_headers, "host;x-amz-date");
  for (const std::string& broken : std::initializer_list<std::string>{
           "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/20250102/r/s/aws4_request",
           "AWS4-HMAC-SHA256 Credential=/20250102/r/s/aws4_request" + tail,
           "AWS4-HMAC-SHA256 Credential=a/2025/r/s/aws4_request" + tail,
           "AWS4-HMAC-SHA256 Credential=a/20250102/r/s/other" + tail, "AWS4-HMAC-SHA256 nonsense" + tail,
           "AWS4-HMAC-SHA256 Credential=20250102/r/s/aws4_request" + tail}) {
    EXPECT_EQ(parse_sigv4(broken).error().problem, SigV4Problem::malformed) << broken;
  }
}

std::filesystem::path vectors() {
  const char* const cases = std::getenv("LLMGW_CASES");
  return std::filesystem::path(cases != nullptr ? cases : "../shared/cases") / "_sigv4";
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The path of "https://host/path".
std::string_view path_of(std::string_view url) {
  return url.substr(url.find('/', url.find("//") + 2));
}

std::string_view host_of(std::string_view url) {
  url.remove_prefix(url.find("//") + 2);
  return url.substr(0, url.find('/'));
}

TEST(SigV4, AgreesWithBotocore) {
  const auto file = vectors() / "bedrock_botocore_vectors.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no vectors at " << file << "; LLMGW_CASES says where";
  const std::string text = read_file(file);
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, text, arena);
  ASSERT_TRUE(root);
  size_t count = 0;
  SigningKeys keys;
  for (const json::Value vector : (*root)["vectors"].elements()) {
    const auto member = [&](std::string_view name) { return vector[name].string(arena); };
    const AwsCredentials credentials{base::Secret(member("access_key")), base::Secret(member("secret_key")),
                                     base::Secret(member("session_token"))};
    std::vector<SigV4Header> headers = {{"host", host_of(member("url"))}};
    for (const json::Member header : vector["headers"].members()) {
      std::string name(header.key(arena));
      std::ranges::transform(name, name.begin(), base::to_lower);
      if (name != "authorization") headers.push_back({arena.copy(name), header.value.string(arena)});
    }
    const std::string hash = hex_of(member("body"));
    const SigV4Request request{
        .method = member("method"), .path = path_of(member("url")), .headers = headers, .payload_hash = hash};
    EXPECT_EQ(sigv4_canonical_request(request), member("canonical_request")) << member("name");
    const auto signed_header =
        sign_sigv4(request, credentials, member("region"), member("service"), member("timestamp"), keys);
    EXPECT_EQ(signed_header.reveal(), member("authorization")) << member("name");
    ++count;
  }
  EXPECT_GE(count, 6U);
}

TEST(SigV4, AgreesWithOpenAisSdk) {
  const auto file = vectors() / "openai_bedrock" / "bedrock__v1__sigv4.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no vectors at " << file << "; LLMGW_CASES says where";
  const std::string text = read_file(file);
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, text, arena);
  ASSERT_TRUE(root);
  const auto request = (*root)["request"];
  const auto expected = (*root)["expected"];
  const auto credentials = (*root)["credentials"];
  const std::string hash = hex_of(request["body"].string(arena));
  EXPECT_EQ(hash, expected["payloadHash"].string(arena));
  const auto url = request["url"].string(arena);
  const SigV4Header headers[] = {{"host", host_of(url)},
                                 {"content-type", request["contentType"].string(arena)},
                                 {"x-amz-date", expected["date"].string(arena)},
                                 {"x-amz-content-sha256", hash},
                                 {"x-amz-security-token", credentials["sessionToken"].string(arena)}};
  const SigV4Request to_sign{
      .method = request["method"].string(arena), .path = path_of(url), .headers = headers, .payload_hash = hash};
  EXPECT_EQ(hex_of(sigv4_canonical_request(to_sign)), expected["canonicalRequestHash"].string(arena));
  SigningKeys keys;
  const AwsCredentials aws{base::Secret(credentials["accessKeyId"].string(arena)),
                           base::Secret(credentials["secretAccessKey"].string(arena)),
                           {}};
  EXPECT_EQ(sign_sigv4(to_sign, aws, (*root)["region"].string(arena), (*root)["service"].string(arena),
                       expected["date"].string(arena), keys)
                .reveal(),
            expected["authorization"].string(arena));
}

// A request of AWS's test suite: a raw HTTP/1.1 message, folded header lines and unescaped paths included.
struct SuiteRequest {
  std::string method, path, query, body;
  std::vector<std::pair<std::string, std::string>> headers;
};

SuiteRequest parse_suite_request(const std::string& text) {
  SuiteRequest request;
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  request.method = line.substr(0, line.find(' '));
  std::string target = line.substr(request.method.size() + 1);
  target = target.substr(0, target.rfind(" HTTP/"));
  request.path = target.substr(0, target.find('?'));
  if (target.find('?') != std::string::npos) request.query = target.substr(target.find('?') + 1);
  while (std::getline(lines, line) && !line.empty() && line != "\r") {
    if (line.back() == '\r') line.pop_back();
    if (line.front() == ' ') {
      request.headers.back().second += line;
      continue;
    }
    std::string name = line.substr(0, line.find(':'));
    std::ranges::transform(name, name.begin(), base::to_lower);
    request.headers.emplace_back(name, line.substr(line.find(':') + 1));
  }
  std::getline(lines, request.body, '\0');
  return request;
}

TEST(SigV4, AgreesWithTheTestSuiteOfAws) {
  const auto suite = vectors() / "aws4_testsuite";
  if (!std::filesystem::exists(suite)) GTEST_SKIP() << "no vectors at " << suite << "; LLMGW_CASES says where";
  size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(suite)) {
    if (entry.path().extension() != ".req") continue;
    SuiteRequest request = parse_suite_request(read_file(entry.path()));
    const auto expected = [&](const char* extension) {
      return read_file(std::filesystem::path(entry.path()).replace_extension(extension));
    };
    // One request gets its token from the credentials: it stands in what was sent.
    if (entry.path().stem() == "get-vanilla-with-session-token") {
      request = parse_suite_request(expected(".sreq"));
      std::erase_if(request.headers, [](const auto& header) { return header.first == "authorization"; });
    }
    std::vector<SigV4Header> headers;
    for (const auto& [name, value] : request.headers) headers.push_back({name, value});
    const std::string hash = hex_of(request.body);
    const SigV4Request to_sign{.method = request.method,
                               .path = request.path,
                               .query = request.query,
                               .headers = headers,
                               .payload_hash = hash};
    EXPECT_EQ(sigv4_canonical_request(to_sign), expected(".creq")) << entry.path();
    SigningKeys keys;
    EXPECT_EQ(sign_sigv4(to_sign, kExample, "us-east-1", "service", "20150830T123600Z", keys).reveal(),
              expected(".authz"))
        << entry.path();
    ++count;
  }
  EXPECT_GE(count, 25U);
}

}  // namespace
}  // namespace llmgw::providers
