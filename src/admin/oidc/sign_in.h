// Sign-in by OpenID Connect: authorization code flow with PKCE (Core 1.0, section 3.1; RFC 7636, September 2015). What
// a browser carries between the steps, and the session afterwards, are sealed cookies: gateways that share a store's
// master key share sign-ins, and what the store remembers is only which sessions were ended (revoked_sessions.h). The
// provider's documents are fetched when needed and kept.
//
//   GET  /admin/v1/login?return=/path   to the provider
//   GET  /admin/v1/callback             back from it: a session, and on to `return`
//   POST /admin/v1/logout               ends the session, on every gateway of the store
//
// Any thread; each call belongs to the loop it is made on.
#pragma once

#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "admin/api/object_api.h"
#include "admin/oidc/id_token.h"
#include "admin/oidc/revoked_sessions.h"
#include "base/time.h"
#include "control/config.h"
#include "net/loop.h"
#include "net/task.h"
#include "store/vault/vault.h"

namespace llmgw::admin {

// Of the provider's documents. A key that is not among those kept is looked for at once, but not more often than this.
inline constexpr base::Duration kDocumentsKept = std::chrono::hours(1);
inline constexpr base::Duration kKeysRefetch = std::chrono::seconds(30);
// A sign-in must be finished within this.
inline constexpr int64_t kSignInSeconds = 600;

struct SignInContext {
  const control::AdminSettings& settings;
  const store::Vault& vault;
  const RevokedSessions& revoked;
  int64_t now = 0;          // seconds since 1970
  std::string_view cookie;  // the request's header
};

class SignIn {
 public:
  static bool owns(std::string_view path);

  net::Task<ApiAnswer> start(net::Loop& loop, net::Wait wait, SignInContext context, std::string query);
  // The reason of a refusal goes to `refused`, for the audit log.
  net::Task<ApiAnswer> finish(net::Loop& loop, net::Wait wait, SignInContext context, std::string query,
                              std::string& refused);
  // Without its cookie, once the session was revoked.
  static ApiAnswer end(const SignInContext& context);

 private:
  struct Documents {
    std::string issuer;
    std::string authorization_endpoint;
    std::string token_endpoint;
    std::string keys;
    base::Instant fetched_at;
  };
  using DocumentsPtr = std::shared_ptr<const Documents>;
  net::Task<std::expected<DocumentsPtr, ApiAnswer>> documents(net::Loop& loop, net::Wait wait, std::string issuer,
                                                              bool again);
  net::Task<std::expected<std::string, ApiAnswer>> exchange(net::Loop& loop, net::Wait wait, DocumentsPtr documents,
                                                            const control::AdminSettings& settings, std::string code,
                                                            std::string verifier);
  net::Task<std::expected<IdentityClaims, std::string>> check(net::Loop& loop, net::Wait wait,
                                                              const SignInContext& context, std::string token,
                                                              std::string nonce);
  std::mutex mutex_;
  DocumentsPtr documents_;
};

// What a session's cookie says.
struct Session {
  SessionMark mark;
  IdentityClaims claims;

  // For the audit log: "user jane@example.com".
  std::string name() const { return "user " + (claims.email.empty() ? claims.subject : claims.email); }
};
// Nothing without a session that is good.
std::optional<Session> read_session(const SignInContext& context);
// Who is there by a session that is good and a role of now.
std::optional<Actor> session_actor(const SignInContext& context);

// The role that the configuration gives to somebody; nothing: none.
std::optional<AdminRole> role_of(const control::AdminSettings& settings, const IdentityClaims& claims);

}  // namespace llmgw::admin
