#include "dialects/gemini/error.h"

#include "dialects/retry_after.h"
#include "json/writer.h"

namespace llmgw::dialects::gemini {
namespace {

using chat::ErrorKind;

struct Meaning {
  int status;
  std::string_view name;  // of google.rpc.Code
};

Meaning meaning_of(Service service, ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request: return {400, "INVALID_ARGUMENT"};
    case ErrorKind::authentication:
      return service == Service::vertex ? Meaning{401, "UNAUTHENTICATED"} : Meaning{400, "INVALID_ARGUMENT"};
    case ErrorKind::permission: return {403, "PERMISSION_DENIED"};
    case ErrorKind::model_not_found:
    case ErrorKind::not_found: return {404, "NOT_FOUND"};
    case ErrorKind::method_not_allowed: return {405, "INVALID_ARGUMENT"};
    case ErrorKind::conflict: return {409, "ABORTED"};
    case ErrorKind::too_large: return {413, "INVALID_ARGUMENT"};
    case ErrorKind::request_timeout: return {408, "CANCELLED"};
    case ErrorKind::rate_limited:
    case ErrorKind::quota_exceeded: return {429, "RESOURCE_EXHAUSTED"};
    case ErrorKind::overloaded: return {503, "UNAVAILABLE"};
    case ErrorKind::unsupported: return {400, "FAILED_PRECONDITION"};
    case ErrorKind::upstream_failed: return {502, "UNAVAILABLE"};
    case ErrorKind::upstream_timeout: return {504, "DEADLINE_EXCEEDED"};
    case ErrorKind::internal: break;
  }
  return {500, "INTERNAL"};
}

// The name that belongs to a status which is not the kind's own.
std::string_view name_of(int status, const Meaning& meaning) {
  if (status == meaning.status) return meaning.name;
  switch (status) {
    case 400: return "INVALID_ARGUMENT";
    case 401: return "UNAUTHENTICATED";
    case 403: return "PERMISSION_DENIED";
    case 404: return "NOT_FOUND";
    case 409: return "ABORTED";
    case 429: return "RESOURCE_EXHAUSTED";
    case 499: return "CANCELLED";
    case 500: return "INTERNAL";
    case 503: return "UNAVAILABLE";
    case 504: return "DEADLINE_EXCEEDED";
    default: return meaning.name;
  }
}

void write_error_info(json::Writer& w, std::string_view reason, Service service) {
  w.begin_object().member("@type", "type.googleapis.com/google.rpc.ErrorInfo").member("reason", reason);
  w.member("domain", "googleapis.com").key("metadata").begin_object();
  w.member("service", service == Service::vertex ? "aiplatform.googleapis.com" : "generativelanguage.googleapis.com");
  w.end_object().end_object();
}

// google.protobuf.Duration as JSON: seconds with a fraction and an "s".
std::string duration_text(base::Duration wait) {
  const int64_t ms = retry_after_ms(wait);
  std::string text = std::to_string(ms / 1000);
  if (ms % 1000 != 0) {
    const std::string fraction = std::to_string(1000 + ms % 1000);
    text += "." + fraction.substr(1);
  }
  return text + "s";
}

void write_envelope(std::string& out, Service service, const chat::ClientError& error) {
  const Meaning meaning = meaning_of(service, error.kind);
  json::Writer w(out);
  w.begin_object().key("error").begin_object();
  const int status = error.status != 0 ? error.status : meaning.status;
  w.member("code", status).member("message", error.message).member("status", name_of(status, meaning));
  const bool bad_key = error.kind == ErrorKind::authentication && service == Service::ai_studio;
  if (bad_key || !error.code.empty() || error.retry_after) {
    w.key("details").begin_array();
    if (bad_key || !error.code.empty())
      write_error_info(w, error.code.empty() ? "API_KEY_INVALID" : error.code, service);
    if (error.retry_after) {
      w.begin_object().member("@type", "type.googleapis.com/google.rpc.RetryInfo");
      w.member("retryDelay", duration_text(*error.retry_after)).end_object();
    }
    w.end_array();
  }
  w.end_object().end_object();
}

}  // namespace

ErrorAnswer write_error(Service service, chat::Framing framing, const chat::ClientError& error,
                        std::string_view request_id) {
  ErrorAnswer answer;
  answer.status = error.status != 0 ? error.status : meaning_of(service, error.kind).status;
  answer.content_type = "application/json; charset=UTF-8";
  const bool array = framing == chat::Framing::json_array;
  if (array) answer.body += '[';
  write_envelope(answer.body, service, error);
  if (array) answer.body += ']';
  if (!request_id.empty()) answer.add_header("x-request-id", std::string(request_id));
  if (error.retry_after) answer.add_header("retry-after", std::to_string(retry_after_seconds(*error.retry_after)));
  return answer;
}

std::string write_stream_error(Service service, chat::Framing framing, const chat::ClientError& error) {
  std::string event = framing == chat::Framing::json_array ? ",\r\n" : "data: ";
  write_envelope(event, service, error);
  return event + (framing == chat::Framing::json_array ? "\r\n" : "\r\n\r\n");
}

}  // namespace llmgw::dialects::gemini
