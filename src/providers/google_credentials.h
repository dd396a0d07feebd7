// Google's credential files and their exchange for an access token: a service account signs a JWT (RFC 7523, RS256;
// "Using OAuth 2.0 for Server to Server Applications", Google, 2026), an authorized_user file holds a refresh token
// (RFC 6749, section 6). Pure: the request is made and its answer read here, somebody else sends it. Any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "providers/endpoint.h"

namespace llmgw::providers {

// Real files have 2.4 KB.
inline constexpr size_t kGoogleCredentialsBytesMax = 64 * 1024;
// A token has about 1 KB, the answer around it little more.
inline constexpr size_t kTokenAnswerBytesMax = 64 * 1024;
// What Google allows an assertion to last, and what it gives a token.
inline constexpr base::Duration kAssertionLifetime = std::chrono::hours(1);

struct GoogleCredentials {
  enum class Kind : uint8_t { service_account, authorized_user };
  Kind kind = Kind::service_account;
  std::string client;  // client_email, or client_id
  std::string key_id;  // private_key_id; may be empty
  base::Secret key;    // the private key as PEM, or the client's secret
  base::Secret refresh_token;
  std::string token_uri;
  Endpoint token_endpoint;  // of it
  std::string project;      // project_id; may be empty
  std::string quota_project;
};

// The error is a sentence that says what is wrong with the file; it repeats nothing of it. The key is tried.
std::expected<GoogleCredentials, std::string> parse_google_credentials(std::string_view json);

// What the POST to the token endpoint carries, as application/x-www-form-urlencoded.
base::Result<base::Secret> token_request_form(const GoogleCredentials& credentials, base::WallTime now);

struct AccessToken {
  base::Secret value;
  base::Duration lifetime{0};
};
// The token endpoint's answer. Errors: permission where it refuses these credentials, protocol for anything else.
base::Result<AccessToken> parse_token_answer(int status, std::string_view body);

}  // namespace llmgw::providers
