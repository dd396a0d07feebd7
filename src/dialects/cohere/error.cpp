#include "dialects/cohere/error.h"

#include "dialects/retry_after.h"

namespace llmgw::dialects::cohere {
namespace {

using chat::ErrorKind;

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request:
    case ErrorKind::unsupported: return 400;
    case ErrorKind::authentication: return 401;
    case ErrorKind::permission: return 403;
    case ErrorKind::model_not_found:
    case ErrorKind::not_found: return 404;
    case ErrorKind::method_not_allowed: return 405;
    case ErrorKind::conflict: return 409;
    case ErrorKind::too_large: return 413;
    case ErrorKind::request_timeout: return 408;
    case ErrorKind::rate_limited:
    case ErrorKind::quota_exceeded: return 429;
    case ErrorKind::overloaded: return 503;
    case ErrorKind::upstream_failed: return 502;
    case ErrorKind::upstream_timeout: return 504;
    case ErrorKind::internal: break;
  }
  return 500;
}

}  // namespace

ErrorAnswer write_error(const chat::ClientError& error, std::string_view request_id) {
  ErrorAnswer answer;
  answer.status = error.status != 0 ? error.status : status_of(error.kind);
  json::Writer w(answer.body);
  w.begin_object();
  if (!request_id.empty()) w.member("id", request_id);
  w.member("message", error.message).end_object();
  if (!request_id.empty()) answer.add_header("x-request-id", std::string(request_id));
  if (error.retry_after) answer.add_header("retry-after", std::to_string(retry_after_seconds(*error.retry_after)));
  return answer;
}

void write_last_event(json::Writer& w, const chat::ClientError& error) {
  w.begin_object().member("type", "message-end").key("delta").begin_object();
  w.member("finish_reason", "ERROR").member("error", error.message).end_object().end_object();
}

std::string write_stream_error(const chat::ClientError& error) {
  std::string event = "event: message-end\ndata: ";
  json::Writer w(event);
  write_last_event(w, error);
  return event + "\n\n";
}

}  // namespace llmgw::dialects::cohere
