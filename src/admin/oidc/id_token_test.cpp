#include "admin/oidc/id_token.h"

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>

#include "base/base64.h"

namespace llmgw::admin {
namespace {

constexpr int64_t kNow = 1'763'740'000;

std::string number_bytes(const EVP_PKEY* key, const char* name, size_t size) {
  BIGNUM* number = nullptr;
  EXPECT_EQ(EVP_PKEY_get_bn_param(key, name, &number), 1);
  std::string bytes(size == 0 ? static_cast<size_t>(BN_num_bytes(number)) : size, '\0');
  BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  BN_free(number);
  return bytes;
}

// A provider with one key.
class Provider {
 public:
  explicit Provider(bool ec = false) : ec_(ec), key_(ec ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048)) {}
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;
  ~Provider() { EVP_PKEY_free(key_); }

  std::string key_set(const std::string& kid = "k1") const {
    const std::string head = R"({"keys":[{"kid":")" + kid + R"(","use":"sig",)";
    if (ec_) {
      return head + R"("kty":"EC","crv":"P-256","x":")" +
             base::base64url_encode(number_bytes(key_, OSSL_PKEY_PARAM_EC_PUB_X, 32)) + R"(","y":")" +
             base::base64url_encode(number_bytes(key_, OSSL_PKEY_PARAM_EC_PUB_Y, 32)) + "\"}]}";
    }
    return head + R"("kty":"RSA","n":")" + base::base64url_encode(number_bytes(key_, OSSL_PKEY_PARAM_RSA_N, 0)) +
           R"(","e":")" + base::base64url_encode(number_bytes(key_, OSSL_PKEY_PARAM_RSA_E, 0)) + "\"}]}";
  }
  std::string sign(const std::string& claims, const std::string& header) const {
    const std::string text = base::base64url_encode(header) + "." + base::base64url_encode(claims);
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EXPECT_EQ(EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_), 1);
    size_t size = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    EVP_DigestSign(context, nullptr, &size, bytes, text.size());
    std::string signature(size, '\0');
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, text.size());
    signature.resize(size);
    EVP_MD_CTX_free(context);
    return text + "." + base::base64url_encode(ec_ ? raw_halves(signature) : signature);
  }
  std::string sign(const std::string& claims) const {
    return sign(claims, ec_ ? R"({"alg":"ES256","kid":"k1"})" : R"({"alg":"RS256","kid":"k1"})");
  }

 private:
  static std::string raw_halves(const std::string& der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    std::string raw(64, '\0');
    auto* out = reinterpret_cast<unsigned char*>(raw.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + 32, 32);
    ECDSA_SIG_free(signature);
    return raw;
  }
  bool ec_;
  EVP_PKEY* key_;
};

std::string claims_with(const std::string& replaced = "", const std::string& by = "") {
  std::string text = R"({"iss":"https://id","aud":"gw","sub":"jane","exp":1763740300,"iat":1763740000,"nonce":"n",)"
                     R"("email":"jane@example.com","email_verified":true,"groups":["a","b"]})";
  if (!replaced.empty()) text.replace(text.find(replaced), replaced.size(), by);
  return text;
}

const TokenExpectations kExpected{.issuer = "https://id", .audience = "gw", .nonce = "n", .now = kNow};

std::string_view fault_of(const Provider& provider, const std::string& claims) {
  const auto checked = check_id_token(provider.sign(claims), provider.key_set(), kExpected);
  return checked ? "" : checked.error().reason;
}

TEST(IdToken, OfBothKindsOfKeys) {
  for (const bool ec : {false, true}) {
    const Provider provider(ec);
    const auto claims = check_id_token(provider.sign(claims_with()), provider.key_set(), kExpected);
    ASSERT_TRUE(claims) << claims.error().reason;
    EXPECT_EQ(claims->subject, "jane");
    EXPECT_EQ(claims->email, "jane@example.com");
    EXPECT_EQ(claims->groups, (std::vector<std::string>{"a", "b"}));
  }
}

TEST(IdToken, AnAddressCountsUnlessItIsUnverified) {
  const Provider provider;
  const auto email_with = [&](const char* verified) {
    const std::string claims = claims_with(R"("email_verified":true,)", verified);
    return check_id_token(provider.sign(claims), provider.key_set(), kExpected)->email;
  };
  for (const char* says : {"", R"("email_verified":true,)", R"("email_verified":"true",)"}) {
    EXPECT_EQ(email_with(says), "jane@example.com") << says;
  }
  for (const char* says : {R"("email_verified":false,)", R"("email_verified":"false",)", R"("email_verified":null,)",
                           R"("email_verified":1,)", R"("email_verified":"",)"}) {
    EXPECT_EQ(email_with(says), "") << says;
  }
}

TEST(IdToken, EveryClaimIsChecked) {
  const Provider provider;
  const auto with = [&](const char* replaced, const char* by) { return fault_of(provider, claims_with(replaced, by)); };
  EXPECT_EQ(with("https://id", "https://evil"), "another issuer");
  EXPECT_EQ(with("\"gw\"", "\"other\""), "meant for another client");
  EXPECT_EQ(with("\"gw\"", "[\"gw\",\"other\"]"), "meant for another client") << "no azp";
  EXPECT_EQ(with("\"gw\"", "[\"gw\"]"), "");
  EXPECT_EQ(with("\"gw\"", "[\"gw\",\"other\"],\"azp\":\"gw\""), "");
  EXPECT_EQ(with("1763740300", "1763739900"), "expired");
  EXPECT_EQ(with("1763740300", "1763739950"), "") << "clocks may differ by a minute";
  EXPECT_EQ(with("\"exp\":1763740300,", ""), "expired");
  EXPECT_EQ(with("\"iat\":1763740000", "\"iat\":1763740100"), "issued in the future");
  EXPECT_EQ(with("\"nonce\":\"n\"", "\"nonce\":\"m\""), "another sign-in's nonce");
  EXPECT_EQ(with("\"nonce\":\"n\"", "\"nbf\":1763749999,\"nonce\":\"n\""), "not valid yet");
  EXPECT_EQ(with("\"sub\":\"jane\",", ""), "no subject");
  const auto unverified = check_id_token(provider.sign(claims_with("true", "false")), provider.key_set(), kExpected);
  ASSERT_TRUE(unverified);
  EXPECT_EQ(unverified->email, "") << "an address that nobody verified is nobody's";
}

TEST(IdToken, TheSignatureIsChecked) {
  const Provider provider;
  const Provider other;
  const std::string token = provider.sign(claims_with());
  EXPECT_EQ(check_id_token(other.sign(claims_with()), provider.key_set(), kExpected).error().reason,
            "the signature is not the provider's");
  const auto unknown = check_id_token(token, provider.key_set("k2"), kExpected);
  EXPECT_TRUE(unknown.error().unknown_key);
  const size_t first = token.find('.');
  const size_t last = token.rfind('.');
  for (size_t at = 0; at + 1 < token.size(); at += 7) {
    if (at == first || at == last) continue;
    std::string changed = token;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(check_id_token(changed, provider.key_set(), kExpected)) << at;
  }
  EXPECT_FALSE(check_id_token(token.substr(0, last + 1), provider.key_set(), kExpected));
  EXPECT_FALSE(check_id_token(token.substr(0, last), provider.key_set(), kExpected));
  for (const auto* header : {R"({"alg":"none"})", R"({"alg":"HS256","kid":"k1"})", R"({})", R"({"alg":"ES256"})",
                             R"({"alg":"RS256","kid":"k1","crit":["x"]})", "[]"}) {
    EXPECT_FALSE(check_id_token(provider.sign(claims_with(), header), provider.key_set(), kExpected)) << header;
  }
  for (const auto* set : {"", "{}", "[]", R"({"keys":[]})", R"({"keys":[1]})"}) {
    EXPECT_FALSE(check_id_token(token, set, kExpected)) << set;
  }
  EXPECT_FALSE(check_id_token("", provider.key_set(), kExpected));
  EXPECT_FALSE(check_id_token("a.b", provider.key_set(), kExpected));
}

}  // namespace
}  // namespace llmgw::admin
