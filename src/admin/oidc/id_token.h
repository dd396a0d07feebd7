// ID tokens of OpenID Connect (Core 1.0 with errata 2, section 3.1.3.7): a JSON web token (RFC 7519, May 2015), signed
// with a key of the provider's set (RFC 7517). RS256, RS384, RS512, PS256 and ES256; never "none", never a shared
// secret. Pure; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace llmgw::admin {

struct TokenExpectations {
  std::string_view issuer;
  std::string_view audience;  // our client id
  std::string_view nonce;
  std::string_view groups_claim = "groups";
  int64_t now = 0;  // seconds since 1970
};

struct IdentityClaims {
  std::string subject;
  std::string email;  // empty unless the provider says that it is verified, or does not say that it is not
  std::vector<std::string> groups;
};

struct TokenFault {
  std::string_view reason;   // static text, for the audit log
  bool unknown_key = false;  // the set may be old: fetch it again
};

// How far clocks may be apart.
inline constexpr int64_t kClockSkewSeconds = 60;
inline constexpr size_t kTokenBytesMax = 64 * 1024;

std::expected<IdentityClaims, TokenFault> check_id_token(std::string_view token, std::string_view key_set,
                                                         const TokenExpectations& expected);

}  // namespace llmgw::admin
