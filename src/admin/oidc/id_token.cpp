#include "admin/oidc/id_token.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "base/base64.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(OSSL_PARAM_BLD* builder) const { OSSL_PARAM_BLD_free(builder); }
  void operator()(OSSL_PARAM* parameters) const { OSSL_PARAM_free(parameters); }
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

struct Algorithm {
  std::string_view name;
  std::string_view key_type;
  const char* digest;
  bool pss = false;
};
constexpr Algorithm kAlgorithms[] = {{"RS256", "RSA", "SHA256"},
                                     {"RS384", "RSA", "SHA384"},
                                     {"RS512", "RSA", "SHA512"},
                                     {"PS256", "RSA", "SHA256", true},
                                     {"ES256", "EC", "SHA256"}};
constexpr size_t kRsaBytesMin = 256;  // 2048 bits: less can be broken
constexpr size_t kEcBytes = 32;       // of a coordinate, and of either half of a signature

std::unexpected<TokenFault> fault(std::string_view reason, bool unknown_key = false) {
  return std::unexpected(TokenFault{reason, unknown_key});
}

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::optional<std::string> decode(std::string_view text) {
  std::string out(text.size(), '\0');
  const auto size = base::base64_decode(text, out.data());
  if (!size) return std::nullopt;
  out.resize(*size);
  return out;
}

std::string member(const bj::object& object, std::string_view name) {
  const bj::value* const value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

std::optional<bj::object> parse(std::string_view json) {
  boost::system::error_code error;
  bj::value value = bj::parse({json.data(), json.size()}, error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

Owned<EVP_PKEY> make_key(const char* type, OSSL_PARAM_BLD* builder) {
  const Owned<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(builder));
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  return Owned<EVP_PKEY>(key);
}

Owned<EVP_PKEY> rsa_key(const bj::object& jwk) {
  const auto n = decode(member(jwk, "n"));
  const auto e = decode(member(jwk, "e"));
  if (!n || !e || n->size() < kRsaBytesMin) return nullptr;
  const Owned<BIGNUM> modulus(BN_bin2bn(bytes(*n), static_cast<int>(n->size()), nullptr));
  const Owned<BIGNUM> exponent(BN_bin2bn(bytes(*e), static_cast<int>(e->size()), nullptr));
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
    return nullptr;
  }
  return make_key("RSA", builder.get());
}

Owned<EVP_PKEY> ec_key(const bj::object& jwk) {
  const auto x = decode(member(jwk, "x"));
  const auto y = decode(member(jwk, "y"));
  if (member(jwk, "crv") != "P-256" || !x || !y || x->size() != kEcBytes || y->size() != kEcBytes) return nullptr;
  const std::string point = "\x04" + *x + *y;
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
    return nullptr;
  }
  return make_key("EC", builder.get());
}

// JOSE writes the two halves one behind the other, OpenSSL wants them in DER.
std::string ec_signature(std::string_view raw) {
  if (raw.size() != 2 * kEcBytes) return {};
  const Owned<ECDSA_SIG> signature(ECDSA_SIG_new());
  BIGNUM* const r = BN_bin2bn(bytes(raw), kEcBytes, nullptr);
  BIGNUM* const s = BN_bin2bn(bytes(raw) + kEcBytes, kEcBytes, nullptr);
  if (signature == nullptr || ECDSA_SIG_set0(signature.get(), r, s) != 1) return {};
  std::string der(static_cast<size_t>(std::max(0, i2d_ECDSA_SIG(signature.get(), nullptr))), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(signature.get(), &out);
  return der;
}

bool verify(EVP_PKEY* key, const Algorithm& algorithm, std::string_view text, std::string_view signature) {
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  if (context == nullptr ||
      EVP_DigestVerifyInit_ex(context.get(), &options, algorithm.digest, nullptr, nullptr, key, nullptr) != 1) {
    return false;
  }
  if (algorithm.pss && (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
                        EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) != 1)) {
    return false;
  }
  return EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(text), text.size()) == 1;
}

// Keys of the set that the header may mean.
std::expected<void, TokenFault> check_signature(const bj::object& header, std::string_view signed_text,
                                                const std::string& signature, std::string_view key_set) {
  const std::string name = member(header, "alg");
  const auto* const algorithm = std::ranges::find(kAlgorithms, name, &Algorithm::name);
  if (algorithm == std::end(kAlgorithms)) return fault("an algorithm that is not taken");
  const auto set = parse(key_set);
  const bj::value* const keys = set ? set->if_contains("keys") : nullptr;
  if (keys == nullptr || !keys->is_array()) return fault("the provider's key set cannot be read");
  const std::string wanted = member(header, "kid");
  bool any = false;
  for (const bj::value& each : keys->get_array()) {
    if (!each.is_object()) continue;
    const bj::object& jwk = each.get_object();
    const std::string use = member(jwk, "use");
    const std::string of = member(jwk, "alg");
    if (member(jwk, "kty") != algorithm->key_type || (!use.empty() && use != "sig")) continue;
    if (!wanted.empty() && member(jwk, "kid") != wanted) continue;
    if (!of.empty() && of != name) continue;
    any = true;
    const bool rsa = algorithm->key_type == "RSA";
    const Owned<EVP_PKEY> key = rsa ? rsa_key(jwk) : ec_key(jwk);
    if (key != nullptr && verify(key.get(), *algorithm, signed_text, rsa ? signature : ec_signature(signature))) {
      return {};
    }
  }
  return any ? fault("the signature is not the provider's") : fault("signed with an unknown key", true);
}

bool is_audience(const bj::object& claims, std::string_view audience) {
  const bj::value* const value = claims.if_contains("aud");
  if (value == nullptr) return false;
  if (value->is_string()) return member(claims, "aud") == audience;
  if (!value->is_array()) return false;
  const auto is_ours = [&](const bj::value& each) {
    return each.is_string() && each.get_string() == bj::string_view(audience.data(), audience.size());
  };
  // Of several, the authorized party must be us.
  const bool only = value->get_array().size() == 1;
  return std::ranges::any_of(value->get_array(), is_ours) && (only || member(claims, "azp") == audience);
}

std::optional<int64_t> seconds(const bj::object& claims, const char* name) {
  const bj::value* const value = claims.if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  boost::system::error_code error;
  const double number = value->to_number<double>(error);
  if (error || number < 0 || number > 1e12) return std::nullopt;
  return static_cast<int64_t>(number);
}

std::expected<void, TokenFault> check_claims(const bj::object& claims, const TokenExpectations& expected) {
  if (member(claims, "iss") != expected.issuer) return fault("another issuer");
  if (!is_audience(claims, expected.audience)) return fault("meant for another client");
  const auto expires = seconds(claims, "exp");
  if (!expires || expected.now >= *expires + kClockSkewSeconds) return fault("expired");
  const auto issued = seconds(claims, "iat");
  if (!issued || *issued > expected.now + kClockSkewSeconds) return fault("issued in the future");
  const auto not_before = seconds(claims, "nbf");
  if (not_before && *not_before > expected.now + kClockSkewSeconds) return fault("not valid yet");
  if (expected.nonce.empty() || member(claims, "nonce") != expected.nonce) return fault("another sign-in's nonce");
  if (member(claims, "sub").empty()) return fault("no subject");
  return {};
}

IdentityClaims identity(const bj::object& claims, std::string_view groups_claim) {
  IdentityClaims out{.subject = member(claims, "sub"), .email = {}, .groups = {}};
  const bj::value* const verified = claims.if_contains("email_verified");
  // A boolean (OpenID Connect Core, section 5.1); some providers write it as text.
  const bool confirmed =
      verified != nullptr && (verified->is_bool() ? verified->get_bool() : member(claims, "email_verified") == "true");
  if (verified == nullptr || confirmed) out.email = member(claims, "email");
  const bj::value* const groups = claims.if_contains({groups_claim.data(), groups_claim.size()});
  if (groups != nullptr && groups->is_string()) out.groups.push_back(member(claims, groups_claim));
  if (groups == nullptr || !groups->is_array()) return out;
  for (const bj::value& each : groups->get_array()) {
    if (each.is_string()) out.groups.emplace_back(each.get_string().data(), each.get_string().size());
  }
  return out;
}

}  // namespace

std::expected<IdentityClaims, TokenFault> check_id_token(std::string_view token, std::string_view key_set,
                                                         const TokenExpectations& expected) {
  if (token.size() > kTokenBytesMax) return fault("too large");
  const size_t first = token.find('.');
  const size_t last = token.rfind('.');
  if (first == std::string_view::npos || first == last || token.find('.', first + 1) != last) {
    return fault("not a signed token");
  }
  const auto header_text = decode(token.substr(0, first));
  const auto claims_text = decode(token.substr(first + 1, last - first - 1));
  const auto signature = decode(token.substr(last + 1));
  const auto header = header_text ? parse(*header_text) : std::nullopt;
  const auto claims = claims_text ? parse(*claims_text) : std::nullopt;
  if (!header || !claims || !signature) return fault("not a signed token");
  if (header->contains("crit")) return fault("an extension that is not known");
  if (auto genuine = check_signature(*header, token.substr(0, last), *signature, key_set); !genuine) {
    return std::unexpected(genuine.error());
  }
  if (auto fine = check_claims(*claims, expected); !fine) return std::unexpected(fine.error());
  return identity(*claims, expected.groups_claim);
}

}  // namespace llmgw::admin
