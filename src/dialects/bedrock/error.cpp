#include "dialects/bedrock/error.h"

#include "dialects/retry_after.h"
#include "json/writer.h"

namespace llmgw::dialects::bedrock {
namespace {

using chat::ErrorKind;

struct Meaning {
  int status;
  std::string_view type;
};

Meaning meaning_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request:
    case ErrorKind::unsupported:
    case ErrorKind::model_not_found: return {400, "ValidationException"};
    case ErrorKind::authentication: return {403, "UnrecognizedClientException"};
    case ErrorKind::permission: return {403, "AccessDeniedException"};
    case ErrorKind::not_found: return {404, "ResourceNotFoundException"};
    case ErrorKind::method_not_allowed: return {405, "ValidationException"};
    case ErrorKind::conflict: return {400, "ConflictException"};
    case ErrorKind::too_large: return {413, "ValidationException"};
    case ErrorKind::request_timeout: return {408, "ModelTimeoutException"};
    case ErrorKind::rate_limited: return {429, "ThrottlingException"};
    case ErrorKind::quota_exceeded: return {400, "ServiceQuotaExceededException"};
    case ErrorKind::overloaded: return {503, "ServiceUnavailableException"};
    case ErrorKind::upstream_failed: return {424, "ModelErrorException"};
    case ErrorKind::upstream_timeout: return {408, "ModelTimeoutException"};
    case ErrorKind::internal: break;
  }
  return {500, "InternalServerException"};
}

// SDKs tell errors by status and by name, so both say the same: a status that another provider gave stays where the
// service model has a name for it.
Meaning meaning_of(const chat::ClientError& error) {
  const Meaning meaning = meaning_of(error.kind);
  // What only AWS's SDKs tell apart, such as a wrong signature, has its name from who refused.
  if (error.code.ends_with("Exception")) return {error.status != 0 ? error.status : meaning.status, error.code};
  if (error.status == 0 || error.status == meaning.status) return meaning;
  switch (error.kind) {
    case ErrorKind::model_not_found:
      if (error.status == 404) return {404, "ResourceNotFoundException"};
      return meaning;
    // Those of HTTP have no name of their own.
    case ErrorKind::invalid_request:
    case ErrorKind::unsupported: return {error.status < 500 ? error.status : meaning.status, meaning.type};
    // To be tried again, which SDKs do on 500 and 503.
    case ErrorKind::upstream_failed:
    case ErrorKind::internal:
      if (error.status == 503) return {503, "ServiceUnavailableException"};
      return error.status >= 500 ? Meaning{500, "InternalServerException"} : meaning;
    default: return meaning;
  }
}

std::string message_body(const chat::ClientError& error) {
  std::string body;
  json::Writer(body).begin_object().member("message", error.message).end_object();
  return body;
}

}  // namespace

ErrorAnswer write_error(const chat::ClientError& error, std::string_view request_id) {
  const Meaning meaning = meaning_of(error);
  ErrorAnswer answer;
  answer.status = meaning.status;
  answer.body = message_body(error);
  answer.add_header("x-amzn-errortype", std::string(meaning.type));
  if (!request_id.empty()) answer.add_header("x-amzn-requestid", std::string(request_id));
  if (error.retry_after) answer.add_header("retry-after", std::to_string(retry_after_seconds(*error.retry_after)));
  return answer;
}

// The five exceptions a response stream may carry; the shapes' names begin in lower case there.
StreamException write_stream_exception(const chat::ClientError& error) {
  std::string_view type = "internalServerException";
  switch (error.kind) {
    case ErrorKind::rate_limited:
    case ErrorKind::quota_exceeded: type = "throttlingException"; break;
    case ErrorKind::overloaded: type = "serviceUnavailableException"; break;
    case ErrorKind::upstream_failed:
    case ErrorKind::upstream_timeout: type = "modelStreamErrorException"; break;
    case ErrorKind::invalid_request:
    case ErrorKind::unsupported: type = "validationException"; break;
    default: break;
  }
  return {type, message_body(error)};
}

}  // namespace llmgw::dialects::bedrock
