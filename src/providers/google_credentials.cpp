#include "providers/google_credentials.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/arena.h"
#include "base/base64.h"
#include "base/text.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::providers {
namespace {

using base::ErrorCode;
using base::fail;
using Kind = GoogleCredentials::Kind;

constexpr std::string_view kScope = "https://www.googleapis.com/auth/cloud-platform";
constexpr std::string_view kTokenUri = "https://oauth2.googleapis.com/token";
// Whatever the answer says of a token's life: a second would mean a fetch for each call, a year a token never renewed.
constexpr uint64_t kLifetimeSecondsMin = 10;
constexpr uint64_t kLifetimeSecondsMax = 24 * 3600;
constexpr uint64_t kLifetimeSecondsUnknown = 300;

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Key read_key(const base::Secret& pem) {
  const auto text = pem.reveal();
  const std::unique_ptr<BIO, decltype(&BIO_free)> input(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())),
                                                        &BIO_free);
  // A callback that gives no password: without it OpenSSL would ask for one at the terminal.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  Key key(PEM_read_bio_PrivateKey(input.get(), nullptr, no_password, nullptr), &EVP_PKEY_free);
  ERR_clear_error();
  return key;
}

base::Result<std::string> sign_rs256(const base::Secret& pem, std::string_view text) {
  const Key key = read_key(pem);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (key == nullptr || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) != 1) {
    ERR_clear_error();
    return fail(ErrorCode::invalid_argument, "the service account's private key cannot sign");
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, text.size()) !=
      1) {
    ERR_clear_error();
    return fail(ErrorCode::invalid_argument, "the service account's private key cannot sign");
  }
  signature.resize(size);
  return signature;
}

base::Result<std::string> make_assertion(const GoogleCredentials& credentials, base::WallTime now) {
  const int64_t issued = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  std::string header;
  json::Writer head(header);
  head.begin_object().member("alg", "RS256").member("typ", "JWT");
  if (!credentials.key_id.empty()) head.member("kid", credentials.key_id);
  head.end_object();
  std::string claims;
  json::Writer(claims)
      .begin_object()
      .member("iss", credentials.client)
      .member("scope", kScope)
      .member("aud", credentials.token_uri)
      .member("iat", issued)
      .member("exp", issued + std::chrono::duration_cast<std::chrono::seconds>(kAssertionLifetime).count())
      .end_object();
  std::string assertion = base::base64url_encode(header) + "." + base::base64url_encode(claims);
  TRY(signature, sign_rs256(credentials.key, assertion));
  assertion.append(".").append(base::base64url_encode(signature));
  return assertion;
}

std::unexpected<std::string> wrong(std::string_view what) {
  return std::unexpected("the credentials file " + std::string(what));
}

}  // namespace

std::expected<GoogleCredentials, std::string> parse_google_credentials(std::string_view text) {
  if (text.size() > kGoogleCredentialsBytesMax) return wrong("is larger than 64 KiB");
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, text, arena);
  if (!root || !root->is_object()) return wrong("is not a JSON object");
  const auto member = [&](std::string_view name) { return std::string((*root)[name].string(arena)); };
  GoogleCredentials result;
  const std::string type = member("type");
  if (type != "service_account" && type != "authorized_user") {
    return wrong("is neither of a service account nor of an authorized user: its \"type\" says otherwise");
  }
  const bool service = type == "service_account";
  result.kind = service ? Kind::service_account : Kind::authorized_user;
  result.client = member(service ? "client_email" : "client_id");
  result.key = base::Secret(member(service ? "private_key" : "client_secret"));
  result.key_id = member("private_key_id");
  result.refresh_token = base::Secret(member("refresh_token"));
  result.project = member("project_id");
  result.quota_project = member("quota_project_id");
  result.token_uri = member("token_uri");
  if (result.token_uri.empty()) result.token_uri = kTokenUri;
  if (service && (result.client.empty() || result.key.empty())) return wrong("lacks client_email or private_key");
  if (!service && (result.client.empty() || result.key.empty() || result.refresh_token.empty())) {
    return wrong("lacks client_id, client_secret or refresh_token");
  }
  if (service && read_key(result.key) == nullptr) return wrong("has a private_key that is no PEM private key");
  auto endpoint = parse_endpoint(result.token_uri);
  if (!endpoint) return wrong("has a token_uri that is no URL");
  result.token_endpoint = std::move(*endpoint);
  return result;
}

base::Result<base::Secret> token_request_form(const GoogleCredentials& credentials, base::WallTime now) {
  if (credentials.kind == Kind::authorized_user) {
    return base::Secret("grant_type=refresh_token&client_id=" + base::percent_encode(credentials.client) +
                        "&client_secret=" + base::percent_encode(credentials.key.reveal()) +
                        "&refresh_token=" + base::percent_encode(credentials.refresh_token.reveal()));
  }
  TRY(assertion, make_assertion(credentials, now));
  return base::Secret("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=" + assertion);
}

base::Result<AccessToken> parse_token_answer(int status, std::string_view body) {
  // 400 invalid_grant, 401 invalid_client: asking again with the same credentials changes nothing.
  if (status >= 400 && status < 500 && status != 408 && status != 429) {
    return fail(ErrorCode::permission, "the token endpoint refuses the credentials");
  }
  if (status != 200) return fail(ErrorCode::protocol, "the token endpoint failed");
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, body, arena);
  if (!root) return fail(ErrorCode::protocol, "the token endpoint's answer is not JSON");
  const auto value = (*root)["access_token"].string(arena);
  const bool usable = !value.empty() && std::ranges::all_of(value, [](char c) { return c > ' ' && c < 0x7f; });
  if (!usable) return fail(ErrorCode::protocol, "the token endpoint's answer holds no access token");
  const auto seconds = std::clamp((*root)["expires_in"].unsigned_integer().value_or(kLifetimeSecondsUnknown),
                                  kLifetimeSecondsMin, kLifetimeSecondsMax);
  return AccessToken{.value = base::Secret(value), .lifetime = std::chrono::seconds(seconds)};
}

}  // namespace llmgw::providers
