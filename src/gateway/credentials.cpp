// Credentials that are more than a header: AWS signatures and access tokens, of the gateway towards providers and of
// clients towards the gateway.
#include <algorithm>

#include "base/text.h"
#include "gateway/call/call.h"
#include "gateway/entrance/auth_key.h"
#include "gateway/token_service.h"
#include "providers/sigv4.h"

namespace llmgw::gateway {

using base::ErrorCode;
using base::fail;
using base::Result;
using chat::ClientError;
using chat::ErrorKind;
using http::HeaderId;
using net::Task;
using providers::SigV4Header;

namespace {

std::string_view lower(std::string_view name, base::Arena& arena) {
  if (std::ranges::none_of(name, [](char c) { return c >= 'A' && c <= 'Z'; })) return name;
  const auto copy = arena.bytes(name.size());
  std::ranges::transform(name, copy.begin(), base::to_lower);
  return {copy.data(), copy.size()};
}

// AWS wants host, and every header of its own; the content type as its SDKs do it.
bool is_signed(std::string_view lower_name) {
  return lower_name == "content-type" || lower_name.starts_with("x-amz");
}

// In AWS's words: what its SDKs tell apart.
std::string_view exception_of(providers::SigV4Problem problem) {
  return problem == providers::SigV4Problem::malformed ? "IncompleteSignatureException" : "InvalidSignatureException";
}

std::unexpected<ClientError> refused(ErrorKind kind, std::string_view message) {
  return std::unexpected(ClientError{.kind = kind, .message = message});
}

// A key beside the signature is fine if it is the same.
Outcome<void> check_other_keys(const http::RequestHead& head, std::string_view access_key_id, base::Arena& arena) {
  const http::Headers& headers = head.headers;
  for (const HeaderId id : {HeaderId::x_api_key, HeaderId::api_key, HeaderId::x_goog_api_key}) {
    if (headers.repeated(id)) return refused(ErrorKind::invalid_request, "the credential header is there twice");
  }
  // The signature counts as one more place.
  const std::string bearer = "Bearer " + std::string(access_key_id);
  const auto key = find_key({.authorization = bearer,
                             .x_api_key = headers.value(HeaderId::x_api_key),
                             .api_key = headers.value(HeaderId::api_key),
                             .x_goog_api_key = headers.value(HeaderId::x_goog_api_key),
                             .query = head.query},
                            arena);
  if (key) return {};
  const bool ambiguous = key.error().problem == KeyProblem::ambiguous;
  return refused(ambiguous ? ErrorKind::invalid_request : ErrorKind::authentication, key.error().message);
}

}  // namespace

std::unexpected<ClientError> Call::signature_refused(std::string_view exception, std::string_view message) const {
  ClientError error{.kind = ErrorKind::authentication, .message = message};
  if (match_.dialect == chat::Dialect::bedrock) error.code = exception;
  return std::unexpected(error);
}

// A signed request shows its key as the access key id: whoever knows the key signs with it, too. So nothing but the
// key's hash needs to be known here; the key itself is on the way, as with a bearer.
Outcome<void> Call::authenticate_signed() {
  const auto claim = providers::parse_sigv4(exchange_.head().headers.value(HeaderId::authorization));
  if (!claim) return signature_refused(exception_of(claim.error().problem), claim.error().message);
  if (auto alone = check_other_keys(exchange_.head(), claim->access_key_id, arena_); !alone) return alone;
  const control::Snapshot& snapshot = generation_.snapshot();
  principal_ = snapshot.authenticate(claim->access_key_id, wall_seconds());
  if (principal_ == nullptr) {
    return signature_refused("UnrecognizedClientException",
                             "the access key id is no key of this gateway; use the key as access key id and as secret");
  }
  // Where everybody is served, a signature proves nothing.
  const bool anonymous =
      snapshot.server.allow_anonymous && snapshot.index_of(*principal_) + 1 == snapshot.principals.size();
  if (!anonymous) claim_ = *claim;
  return exchange_.head().framing == http::Framing::none ? verify_signature() : Outcome<void>{};
}

// When the body is there.
Outcome<void> Call::verify_signature() {
  if (!claim_) return {};
  const http::RequestHead& head = exchange_.head();
  const auto headers = static_cast<SigV4Header*>(
      arena_.allocate(std::max<size_t>(head.headers.size(), 1) * sizeof(SigV4Header), alignof(SigV4Header)));
  for (size_t i = 0; i < head.headers.size(); ++i) {
    std::construct_at(headers + i, head.headers[i].name, head.headers[i].value);
  }
  const auto verified = providers::verify_sigv4(*claim_,
                                                {.method = head.method_text,
                                                 .path = head.path,
                                                 .query = head.query,
                                                 .host = head.authority,
                                                 .headers = {headers, head.headers.size()},
                                                 .body = {body_.data(), body_.size()}},
                                                claim_->access_key_id, worker_.loop().wall_now());
  if (verified) return {};
  return signature_refused(exception_of(verified.error().problem), verified.error().message);
}

// For each attempt anew: a signature holds the time, and a token may have been refused.
Task<Result<void>> Call::add_credentials(http::Headers& headers, const Attempt& attempt, bool converted) {
  const providers::Upstream& upstream = attempt.connection->upstream;
  if (upstream.aws) co_return sign(*upstream.aws, headers, attempt, converted);
  TokenService* const tokens = generation_.tokens(attempt.connection_index);
  if (tokens == nullptr) co_return Result<void>{};
  CO_TRY(authorization, co_await tokens->authorization(arena_, until(kTokenFetchTimeout)));
  token_ = authorization;
  if (!headers.append(HeaderId::authorization, token_)) co_return fail(ErrorCode::invalid_argument, "too many headers");
  co_return Result<void>{};
}

Result<void> Call::sign(const providers::AwsSigning& aws, http::Headers& headers, const Attempt& attempt,
                        bool converted) {
  const std::string_view time = providers::sigv4_time(worker_.loop().wall_now(), arena_);
  headers.append("x-amz-date", time);
  if (!aws.credentials.session_token.empty()) {
    headers.append("x-amz-security-token", aws.credentials.session_token.reveal());
  }
  std::array<SigV4Header, providers::kSigV4HeadersMax> to_sign;
  size_t count = 0;
  to_sign[count++] = {"host", attempt.connection->upstream.endpoint.authority};
  for (const http::Header& header : headers) {
    const std::string_view name = lower(header.name, arena_);
    if (!is_signed(name)) continue;
    if (count == to_sign.size()) return fail(ErrorCode::invalid_argument, "too many headers to sign");
    to_sign[count++] = {name, header.value};
  }
  const std::string_view target = attempt.target;
  const size_t question = std::min(target.find('?'), target.size());
  const std::string hash = base::hex(providers::sha256(attempt.body.parts()));
  const base::Secret authorization =
      providers::sign_sigv4({.method = converted ? std::string_view("POST") : exchange_.head().method_text,
                             .path = target.substr(0, question),
                             .query = target.substr(std::min(question + 1, target.size())),
                             .headers = {to_sign.data(), count},
                             .payload_hash = hash},
                            aws.credentials, aws.region, aws.service, time, worker_.signing_keys());
  if (!headers.append(HeaderId::authorization, arena_.copy(authorization.reveal()))) {
    return fail(ErrorCode::invalid_argument, "too many headers");
  }
  return {};
}

// The provider answered 401 to a token: once, another is worth a try.
bool Call::replace_token() {
  if (token_.empty() || token_replaced_) return false;
  token_replaced_ = true;
  return generation_.tokens(attempt_->connection_index)->refused(token_);
}

}  // namespace llmgw::gateway
