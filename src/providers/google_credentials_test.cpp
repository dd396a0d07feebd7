#include "providers/google_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

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
using testing::HasSubstr;
using testing::StartsWith;

constexpr base::WallTime kNow{std::chrono::seconds(1'735'787'045)};

EVP_PKEY* test_key() {
  static const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_RSA_gen(2048), &EVP_PKEY_free);
  return key.get();
}

std::string test_pem() {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_PrivateKey(out.get(), test_key(), nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<size_t>(size)};
}

std::string service_account(std::string_view token_uri = "https://oauth2.googleapis.com/token") {
  std::string text;
  json::Writer(text)
      .begin_object()
      .member("type", "service_account")
      .member("project_id", "my-project")
      .member("private_key_id", "key-1")
      .member("private_key", test_pem())
      .member("client_email", "gateway@my-project.iam.gserviceaccount.com")
      .member("token_uri", token_uri)
      .end_object();
  return text;
}

std::string decoded(std::string_view base64url) {
  std::string bytes(base64url.size(), '\0');
  const auto size = base::base64_decode(base64url, bytes.data());
  EXPECT_TRUE(size);
  bytes.resize(size.value_or(0));
  return bytes;
}

TEST(GoogleCredentials, ReadsAServiceAccount) {
  const auto credentials = parse_google_credentials(service_account());
  ASSERT_TRUE(credentials) << credentials.error();
  EXPECT_EQ(credentials->kind, GoogleCredentials::Kind::service_account);
  EXPECT_EQ(credentials->client, "gateway@my-project.iam.gserviceaccount.com");
  EXPECT_EQ(credentials->project, "my-project");
  EXPECT_EQ(credentials->token_endpoint.host, "oauth2.googleapis.com");
  EXPECT_EQ(credentials->token_endpoint.base_path, "/token");
}

TEST(GoogleCredentials, SignsAnAssertionThatThePublicKeyVerifies) {
  const auto credentials = parse_google_credentials(service_account());
  ASSERT_TRUE(credentials);
  const auto form = token_request_form(*credentials, kNow);
  ASSERT_TRUE(form);
  constexpr std::string_view kStart = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
  ASSERT_THAT(std::string(form->reveal()), StartsWith(std::string(kStart)));
  const std::string_view jwt = form->reveal().substr(kStart.size());
  const size_t first = jwt.find('.');
  const size_t last = jwt.rfind('.');
  EXPECT_EQ(decoded(jwt.substr(0, first)), R"({"alg":"RS256","typ":"JWT","kid":"key-1"})");
  EXPECT_EQ(decoded(jwt.substr(first + 1, last - first - 1)),
            R"({"iss":"gateway@my-project.iam.gserviceaccount.com",)"
            R"("scope":"https://www.googleapis.com/auth/cloud-platform",)"
            R"("aud":"https://oauth2.googleapis.com/token","iat":1735787045,"exp":1735790645})");
  const std::string signature = decoded(jwt.substr(last + 1));
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  ASSERT_EQ(EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, test_key()), 1);
  const auto bytes = [](std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); };
  EXPECT_EQ(EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(jwt), last), 1);
  EXPECT_EQ(jwt.find_first_of("+/="), std::string_view::npos);
}

TEST(GoogleCredentials, AnAuthorizedUserSendsItsRefreshToken) {
  const auto credentials = parse_google_credentials(
      R"({"type":"authorized_user","client_id":"id&1","client_secret":"s/1","refresh_token":"1//r",)"
      R"("quota_project_id":"billing"})");
  ASSERT_TRUE(credentials) << credentials.error();
  EXPECT_EQ(credentials->quota_project, "billing");
  EXPECT_EQ(credentials->token_endpoint.host, "oauth2.googleapis.com");
  const auto form = token_request_form(*credentials, kNow);
  ASSERT_TRUE(form);
  EXPECT_EQ(form->reveal(), "grant_type=refresh_token&client_id=id%261&client_secret=s%2F1&refresh_token=1%2F%2Fr");
}

TEST(GoogleCredentials, SaysWhatIsWrongWithAFile) {
  const std::string no_key = R"({"type":"service_account","client_email":"a@b","private_key":"secret-text"})";
  const std::pair<std::string, std::string> cases[] = {
      {"", "not a JSON object"},
      {"[]", "not a JSON object"},
      {R"({"type":"external_account"})", "neither"},
      {R"({"type":"service_account","client_email":"a@b"})", "lacks client_email or private_key"},
      {R"({"type":"authorized_user","client_id":"a"})", "lacks client_id"},
      {no_key, "no PEM private key"},
      {service_account("not a url"), "no URL"},
      {std::string(kGoogleCredentialsBytesMax + 1, ' '), "larger"},
  };
  for (const auto& [text, expected] : cases) {
    const auto credentials = parse_google_credentials(text);
    ASSERT_FALSE(credentials) << expected;
    EXPECT_THAT(credentials.error(), HasSubstr(expected));
    EXPECT_EQ(credentials.error().find("secret-text"), std::string::npos);
  }
}

TEST(GoogleCredentials, ReadsTheTokenEndpointsAnswer) {
  const auto token = parse_token_answer(200, R"({"access_token":"ya29.t","expires_in":3599,"token_type":"Bearer"})");
  ASSERT_TRUE(token);
  EXPECT_EQ(token->value.reveal(), "ya29.t");
  EXPECT_EQ(token->lifetime, std::chrono::seconds(3599));
  EXPECT_EQ(parse_token_answer(200, R"({"access_token":"t"})")->lifetime, std::chrono::minutes(5));
  EXPECT_EQ(parse_token_answer(200, R"({"access_token":"t","expires_in":0})")->lifetime, std::chrono::seconds(10));
  EXPECT_EQ(parse_token_answer(400, R"({"error":"invalid_grant"})").error().code, ErrorCode::permission);
  EXPECT_EQ(parse_token_answer(401, "").error().code, ErrorCode::permission);
  EXPECT_EQ(parse_token_answer(429, "").error().code, ErrorCode::protocol);
  EXPECT_EQ(parse_token_answer(503, "<html>").error().code, ErrorCode::protocol);
  EXPECT_EQ(parse_token_answer(200, "<html>").error().code, ErrorCode::protocol);
  EXPECT_EQ(parse_token_answer(200, R"({"access_token":"a\r\nb"})").error().code, ErrorCode::protocol);
  EXPECT_EQ(parse_token_answer(200, R"({"access_token":7})").error().code, ErrorCode::protocol);
}

}  // namespace
}  // namespace llmgw::providers
