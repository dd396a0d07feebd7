#include "dialects/anthropic/error.h"

#include "dialects/retry_after.h"
#include "json/writer.h"

namespace llmgw::dialects::anthropic {
namespace {

using chat::ErrorKind;

struct Meaning {
  int status;
  std::string_view type;
};

Meaning meaning_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request:
    case ErrorKind::unsupported: return {400, "invalid_request_error"};
    case ErrorKind::authentication: return {401, "authentication_error"};
    case ErrorKind::permission: return {403, "permission_error"};
    case ErrorKind::model_not_found:
    case ErrorKind::not_found: return {404, "not_found_error"};
    case ErrorKind::method_not_allowed: return {405, "invalid_request_error"};
    case ErrorKind::conflict: return {409, "invalid_request_error"};
    case ErrorKind::too_large: return {413, "request_too_large"};
    case ErrorKind::request_timeout: return {408, "timeout_error"};
    case ErrorKind::rate_limited: return {429, "rate_limit_error"};
    // Not 402, which would be a plain APIStatusError: the rate limit's class is what callers handle.
    case ErrorKind::quota_exceeded: return {429, "rate_limit_error"};
    case ErrorKind::overloaded: return {529, "overloaded_error"};
    case ErrorKind::upstream_failed: return {502, "api_error"};
    case ErrorKind::upstream_timeout: return {504, "timeout_error"};
    case ErrorKind::internal: break;
  }
  return {500, "api_error"};
}

}  // namespace

void write_error_body(const chat::ClientError& error, std::string_view request_id, std::string& out) {
  json::Writer writer(out);
  writer.begin_object().member("type", "error").key("error").begin_object();
  writer.member("type", meaning_of(error.kind).type).member("message", error.message);
  if (error.code == kThreadUnsupported) {
    writer.key("details").begin_object().member("error_code", error.code).end_object();
  }
  writer.end_object().text_or_null("request_id", request_id).end_object();
}

ErrorAnswer write_error(const chat::ClientError& error, std::string_view request_id) {
  ErrorAnswer answer;
  answer.status = error.status != 0 ? error.status : meaning_of(error.kind).status;
  write_error_body(error, request_id, answer.body);
  if (!request_id.empty()) answer.add_header("request-id", std::string(request_id));
  if (error.retry_after) {
    answer.add_header("retry-after", std::to_string(retry_after_seconds(*error.retry_after)));
    answer.add_header("retry-after-ms", std::to_string(retry_after_ms(*error.retry_after)));
  }
  if (error.kind == ErrorKind::quota_exceeded) answer.add_header("x-should-retry", "false");
  return answer;
}

std::string write_stream_error(const chat::ClientError& error, std::string_view request_id) {
  std::string event = "event: error\ndata: ";
  write_error_body(error, request_id, event);
  return event + "\n\n";
}

}  // namespace llmgw::dialects::anthropic
