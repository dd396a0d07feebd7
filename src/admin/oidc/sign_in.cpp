#include "admin/oidc/sign_in.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "admin/api/query.h"
#include "base/base64.h"
#include "base/text.h"
#include "control/private_url.h"
#include "http/fetch.h"
#include "net/network.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using control::is_private_url;

constexpr std::string_view kLogin = "/admin/v1/login";
constexpr std::string_view kCallback = "/admin/v1/callback";
constexpr std::string_view kLogout = "/admin/v1/logout";
constexpr std::string_view kSignInCookie = "lgw_signin";
constexpr std::string_view kSessionCookie = "lgw_session";
constexpr size_t kRandomBytes = 32;
constexpr size_t kDocumentBytesMax = 256 * 1024;
constexpr base::Duration kFetchLimit = std::chrono::seconds(10);

std::string random_text() {
  return base::base64url_encode(store::random_secret(kRandomBytes).reveal());
}

std::optional<bj::object> parse(std::string_view json) {
  boost::system::error_code error;
  bj::value value = bj::parse({json.data(), json.size()}, error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::string member(const bj::object& object, const char* name) {
  const bj::value* const value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

int64_t number(const bj::object& object, const char* name) {
  const bj::value* const value = object.if_contains(name);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

std::string_view cookie_value(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const size_t end = header.find(';');
    const std::string_view pair = base::trim(header.substr(0, end));
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) return pair.substr(equals + 1);
    header = end == std::string_view::npos ? std::string_view() : header.substr(end + 1);
  }
  return {};
}

// `seconds` 0: gone at once. Lax: the provider's redirect brings the sign-in cookie back; no other site's form does.
std::string cookie(const SignInContext& context, std::string_view name, std::string_view value, int64_t seconds) {
  std::string text(name);
  text.append("=")
      .append(value)
      .append("; Path=/admin; HttpOnly; SameSite=Lax; Max-Age=")
      .append(std::to_string(seconds));
  if (context.settings.public_url.starts_with("https://")) text += "; Secure";
  return text;
}

std::optional<bj::object> open_cookie(const SignInContext& context, std::string_view name) {
  const auto opened = context.vault.open(name, cookie_value(context.cookie, name));
  if (!opened) return std::nullopt;
  auto content = parse(opened->reveal());
  if (!content || number(*content, "until") <= context.now) return std::nullopt;
  return content;
}

std::string redirect_uri(const control::AdminSettings& settings) {
  std::string url = settings.public_url;
  while (url.ends_with('/')) url.pop_back();
  return url + std::string(kCallback);
}

// Only a path of ours: a link to sign in must not lead elsewhere.
std::string safe_return(const std::string& path) {
  const bool ours = path.starts_with('/') && !path.starts_with("//") && path.find('\\') == std::string::npos &&
                    std::ranges::all_of(path, [](char c) { return c > ' ' && c < 0x7f; });
  return ours ? path : std::string("/admin/v1/whoami");
}

std::string form(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  std::string text;
  for (const auto& [name, value] : fields) {
    if (!text.empty()) text += '&';
    text.append(name).append("=").append(base::percent_encode(value));
  }
  return text;
}

net::Task<base::Result<http::FetchAnswer>> fetch_document(net::Loop& loop, net::Wait wait, http::FetchRequest request) {
  const auto network = net::make_socket_network(loop);
  wait.deadline = std::min(wait.deadline, loop.now() + kFetchLimit);
  request.answer_bytes_max = kDocumentBytesMax;
  co_return co_await http::fetch(loop, *network, std::move(request), wait);
}

ApiAnswer provider_fault(std::string_view what) {
  return api_error(502, "sign_in", "the sign-in provider does not answer as it should: " + std::string(what));
}

}  // namespace

bool SignIn::owns(std::string_view path) {
  return path == kLogin || path == kCallback || path == kLogout;
}

std::optional<AdminRole> role_of(const control::AdminSettings& settings, const IdentityClaims& claims) {
  const auto listed = [&](const std::vector<std::string>& entries) {
    return std::ranges::any_of(entries, [&](const std::string& entry) {
      constexpr std::string_view kGroup = "group:";
      if (entry.starts_with(kGroup))
        return std::ranges::find(claims.groups, entry.substr(kGroup.size())) != claims.groups.end();
      return entry == claims.subject || (!claims.email.empty() && base::equals_ignoring_case(entry, claims.email));
    });
  };
  if (listed(settings.owners)) return AdminRole::owner;
  if (listed(settings.admins)) return AdminRole::admin;
  if (listed(settings.viewers)) return AdminRole::viewer;
  return std::nullopt;
}

std::optional<Session> read_session(const SignInContext& context) {
  if (context.settings.oidc_issuer.empty()) return std::nullopt;
  const auto content = open_cookie(context, kSessionCookie);
  // A provider that is none any more has said who this was.
  if (!content || member(*content, "issuer") != context.settings.oidc_issuer) return std::nullopt;
  Session session{
      .mark = {.id = member(*content, "id"), .issued = number(*content, "issued"), .until = number(*content, "until")},
      .claims = {.subject = member(*content, "sub"), .email = member(*content, "email"), .groups = {}}};
  // One that has no id, of an older version, could not be ended.
  if (session.mark.id.empty() || context.revoked.has(session.mark)) return std::nullopt;
  if (const bj::value* const groups = content->if_contains("groups"); groups != nullptr && groups->is_array()) {
    for (const bj::value& each : groups->get_array()) {
      if (each.is_string()) session.claims.groups.emplace_back(each.get_string().data(), each.get_string().size());
    }
  }
  return session;
}

std::optional<Actor> session_actor(const SignInContext& context) {
  const auto session = read_session(context);
  if (!session) return std::nullopt;
  // By the configuration of now: whoever was taken off the list is out.
  const auto role = role_of(context.settings, session->claims);
  if (!role) return std::nullopt;
  return Actor{.name = session->name(), .role = *role};
}

ApiAnswer SignIn::end(const SignInContext& context) {
  ApiAnswer answer{.status = 200, .body = R"({"signed_in":false})"};
  answer.headers.emplace_back("set-cookie", cookie(context, kSessionCookie, "", 0));
  return answer;
}

net::Task<std::expected<SignIn::DocumentsPtr, ApiAnswer>> SignIn::documents(net::Loop& loop, net::Wait wait,
                                                                            std::string issuer, bool again) {
  {
    const std::lock_guard lock(mutex_);
    const auto kept = again ? kKeysRefetch : kDocumentsKept;
    const bool of_issuer = documents_ != nullptr && documents_->issuer == issuer;
    if (of_issuer && loop.now() - documents_->fetched_at < kept) co_return documents_;
  }
  auto made = std::make_shared<Documents>();
  made->issuer = issuer;
  // OpenID Connect Discovery 1.0, section 4.1: a slash at the issuer's end is not doubled.
  const std::string place = issuer.ends_with('/') ? issuer.substr(0, issuer.size() - 1) : issuer;
  const auto discovered = co_await fetch_document(loop, wait, {.url = place + "/.well-known/openid-configuration"});
  if (!discovered || discovered->status != 200) co_return std::unexpected(provider_fault("no configuration document"));
  const auto document = parse(discovered->body);
  if (!document || member(*document, "issuer") != issuer) {
    co_return std::unexpected(provider_fault("its document names another issuer"));
  }
  made->authorization_endpoint = member(*document, "authorization_endpoint");
  made->token_endpoint = member(*document, "token_endpoint");
  const std::string keys_url = member(*document, "jwks_uri");
  if (!is_private_url(made->authorization_endpoint) || !is_private_url(made->token_endpoint) ||
      !is_private_url(keys_url)) {
    co_return std::unexpected(provider_fault("an endpoint without https"));
  }
  const auto keys = co_await fetch_document(loop, wait, {.url = keys_url});
  if (!keys || keys->status != 200) co_return std::unexpected(provider_fault("no key set"));
  made->keys = keys->body;
  made->fetched_at = loop.now();
  const std::lock_guard lock(mutex_);
  documents_ = made;
  co_return made;
}

net::Task<ApiAnswer> SignIn::start(net::Loop& loop, net::Wait wait, SignInContext context, std::string query) {
  auto found = co_await documents(loop, wait, context.settings.oidc_issuer, false);
  if (!found) co_return std::move(found).error();
  const std::string state = random_text();
  const std::string nonce = random_text();
  const std::string verifier = random_text();
  std::array<char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(verifier.data()), verifier.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  const bj::object carried{{"issuer", context.settings.oidc_issuer},
                           {"state", state},
                           {"nonce", nonce},
                           {"verifier", verifier},
                           {"return", safe_return(Query(query).text("return"))},
                           {"until", context.now + kSignInSeconds}};
  const std::string& endpoint = (*found)->authorization_endpoint;
  const std::string redirect = redirect_uri(context.settings);
  const std::string challenge = base::base64url_encode({digest.data(), digest.size()});
  std::string location = endpoint + (endpoint.find('?') == std::string::npos ? "?" : "&");
  location += form({{"response_type", "code"},
                    {"client_id", context.settings.oidc_client_id},
                    {"redirect_uri", redirect},
                    {"scope", "openid email profile"},
                    {"state", state},
                    {"nonce", nonce},
                    {"code_challenge", challenge},
                    {"code_challenge_method", "S256"}});
  ApiAnswer answer{.status = 302, .body = "{}"};
  answer.headers.emplace_back("location", std::move(location));
  const std::string sealed = context.vault.seal(kSignInCookie, bj::serialize(carried));
  answer.headers.emplace_back("set-cookie", cookie(context, kSignInCookie, sealed, kSignInSeconds));
  co_return answer;
}

net::Task<std::expected<std::string, ApiAnswer>> SignIn::exchange(net::Loop& loop, net::Wait wait,
                                                                  DocumentsPtr documents,
                                                                  const control::AdminSettings& settings,
                                                                  std::string code, std::string verifier) {
  const std::string redirect = redirect_uri(settings);
  http::FetchRequest request{.method = "POST", .url = documents->token_endpoint};
  request.headers = {{"content-type", "application/x-www-form-urlencoded"}, {"accept", "application/json"}};
  request.body = form({{"grant_type", "authorization_code"},
                       {"code", code},
                       {"redirect_uri", redirect},
                       {"client_id", settings.oidc_client_id},
                       {"code_verifier", verifier}});
  if (const std::string_view secret = settings.oidc_client_secret.reveal(); !secret.empty()) {
    // RFC 6749, section 2.3.1: both are form-encoded first.
    const std::string plain = base::percent_encode(settings.oidc_client_id) + ":" + base::percent_encode(secret);
    std::string encoded(base::base64_size(plain.size()), '\0');
    base::base64_encode(plain, encoded.data());
    request.authorization = base::Secret("Basic " + encoded);
  }
  const auto answer = co_await fetch_document(loop, wait, std::move(request));
  if (!answer) co_return std::unexpected(provider_fault("its token endpoint"));
  const auto body = parse(answer->body);
  const std::string token = body ? member(*body, "id_token") : std::string();
  if (answer->status != 200 || token.empty()) {
    co_return std::unexpected(api_error(401, "authentication", "the sign-in provider did not accept its own code"));
  }
  co_return token;
}

net::Task<std::expected<IdentityClaims, std::string>> SignIn::check(net::Loop& loop, net::Wait wait,
                                                                    const SignInContext& context, std::string token,
                                                                    std::string nonce) {
  const control::AdminSettings& settings = context.settings;
  for (const bool again : {false, true}) {
    auto found = co_await documents(loop, wait, settings.oidc_issuer, again);
    if (!found) co_return std::unexpected(std::string("the provider's keys are not to be had"));
    auto claims = check_id_token(token, (*found)->keys,
                                 {.issuer = settings.oidc_issuer,
                                  .audience = settings.oidc_client_id,
                                  .nonce = nonce,
                                  .groups_claim = settings.oidc_groups_claim,
                                  .now = context.now});
    if (claims) co_return std::move(*claims);
    if (!claims.error().unknown_key || again) co_return std::unexpected(std::string(claims.error().reason));
  }
  co_return std::unexpected(std::string("signed with an unknown key"));
}

net::Task<ApiAnswer> SignIn::finish(net::Loop& loop, net::Wait wait, SignInContext context, std::string query,
                                    std::string& refused) {
  const auto refuse = [&](const std::string& reason) {
    refused = reason;
    ApiAnswer answer =
        api_error(401, "authentication", "the sign-in failed: " + reason + "; begin again at " + std::string(kLogin));
    answer.headers.emplace_back("set-cookie", cookie(context, kSignInCookie, "", 0));
    return answer;
  };
  const Query parameters(query);
  const auto carried = open_cookie(context, kSignInCookie);
  if (!carried) co_return refuse("it did not begin in this browser, or took too long");
  if (member(*carried, "issuer") != context.settings.oidc_issuer) co_return refuse("it began at another provider");
  if (!base::constant_time_equal(parameters.text("state"), member(*carried, "state"))) {
    co_return refuse("another sign-in's state");
  }
  const std::string code = parameters.text("code");
  if (code.empty()) co_return refuse("the provider refused it");
  auto found = co_await documents(loop, wait, context.settings.oidc_issuer, false);
  if (!found) co_return std::move(found).error();
  auto token = co_await exchange(loop, wait, *found, context.settings, code, member(*carried, "verifier"));
  if (!token) {
    refused = "no token for the code";
    co_return std::move(token).error();
  }
  const auto claims = co_await check(loop, wait, context, std::move(*token), member(*carried, "nonce"));
  if (!claims) co_return refuse(claims.error());
  if (!role_of(context.settings, *claims)) {
    refused = "no role for " + (claims->email.empty() ? claims->subject : claims->email);
    co_return api_error(403, "forbidden", "you are known to the provider, but have no role here: ask an owner");
  }
  const int64_t lifetime = std::chrono::duration_cast<std::chrono::seconds>(context.settings.session_lifetime).count();
  bj::array groups;
  for (const std::string& each : claims->groups) groups.push_back(bj::value(each));
  const bj::object session{{"id", random_text()},
                           {"issuer", context.settings.oidc_issuer},
                           {"issued", context.now},
                           {"sub", claims->subject},
                           {"email", claims->email},
                           {"groups", std::move(groups)},
                           {"until", context.now + lifetime}};
  ApiAnswer answer{.status = 303, .body = "{}"};
  answer.headers.emplace_back("location", member(*carried, "return"));
  const std::string sealed = context.vault.seal(kSessionCookie, bj::serialize(session));
  answer.headers.emplace_back("set-cookie", cookie(context, kSessionCookie, sealed, lifetime));
  answer.headers.emplace_back("set-cookie", cookie(context, kSignInCookie, "", 0));
  co_return answer;
}

}  // namespace llmgw::admin
