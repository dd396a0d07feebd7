#include "dialects/openai/error.h"

#include "dialects/retry_after.h"
#include "json/writer.h"

namespace llmgw::dialects::openai {
namespace {

using chat::ErrorKind;

struct Meaning {
  int status;
  std::string_view type;
  std::string_view code;
};

Meaning meaning_of(Api api, ErrorKind kind) {
  constexpr std::string_view kInvalid = "invalid_request_error";
  constexpr std::string_view kServer = "server_error";
  switch (kind) {
    case ErrorKind::invalid_request: return {400, kInvalid, ""};
    case ErrorKind::authentication: return {401, kInvalid, api == Api::azure ? "401" : "invalid_api_key"};
    case ErrorKind::permission: return {403, kInvalid, "permission_denied"};
    case ErrorKind::model_not_found:
      if (api == Api::azure) return {404, kInvalid, "DeploymentNotFound"};
      return {api == Api::responses ? 400 : 404, kInvalid, "model_not_found"};
    case ErrorKind::not_found: return {404, kInvalid, "not_found"};
    case ErrorKind::method_not_allowed: return {405, kInvalid, "method_not_allowed"};
    case ErrorKind::conflict: return {409, kInvalid, "conflict"};
    case ErrorKind::too_large: return {413, kInvalid, "request_too_large"};
    case ErrorKind::request_timeout: return {408, kInvalid, "request_timeout"};
    case ErrorKind::rate_limited:
      return {429, "rate_limit_error", api == Api::azure ? "RateLimitReached" : "rate_limit_exceeded"};
    case ErrorKind::quota_exceeded: return {429, "insufficient_quota", "insufficient_quota"};
    case ErrorKind::overloaded: return {503, kServer, "overloaded"};
    case ErrorKind::unsupported: return {400, kInvalid, "unsupported"};
    case ErrorKind::upstream_failed: return {502, kServer, "upstream_failed"};
    case ErrorKind::upstream_timeout: return {504, kServer, "upstream_timeout"};
    case ErrorKind::internal: break;
  }
  return {500, kServer, "internal_error"};
}

std::string_view code_of(const Meaning& meaning, const chat::ClientError& error) {
  return error.code.empty() ? meaning.code : error.code;
}

void write_envelope(std::string& out, const Meaning& meaning, const chat::ClientError& error) {
  json::Writer(out)
      .begin_object()
      .key("error")
      .begin_object()
      .member("message", error.message)
      .member("type", meaning.type)
      .text_or_null("param", error.param)
      .text_or_null("code", code_of(meaning, error))
      .end_object()
      .end_object();
}

// The codes a failed Response may have (schema ResponseErrorCode) are few; these two fit what a gateway can say.
std::string_view response_error_code(ErrorKind kind) {
  return kind == ErrorKind::rate_limited || kind == ErrorKind::quota_exceeded ? "rate_limit_exceeded" : "server_error";
}

}  // namespace

ErrorAnswer write_error(Api api, const chat::ClientError& error, std::string_view request_id) {
  const Meaning meaning = meaning_of(api, error.kind);
  ErrorAnswer answer;
  answer.status = error.status != 0 ? error.status : meaning.status;
  write_envelope(answer.body, meaning, error);
  if (!request_id.empty()) answer.add_header("x-request-id", std::string(request_id));
  if (error.retry_after) {
    answer.add_header("retry-after", std::to_string(retry_after_seconds(*error.retry_after)));
    answer.add_header("retry-after-ms", std::to_string(retry_after_ms(*error.retry_after)));
  }
  // A used-up budget has the status of a rate limit; without this the SDKs would try again.
  if (error.kind == ErrorKind::quota_exceeded) answer.add_header("x-should-retry", "false");
  return answer;
}

std::string error_body(Api api, const chat::ClientError& error) {
  std::string body;
  write_envelope(body, meaning_of(api, error.kind), error);
  return body;
}

std::string write_stream_error(Api api, const chat::ClientError& error) {
  return "data: " + error_body(api, error) + "\n\n";
}

std::string responses_error_event(const chat::ClientError& error, uint64_t sequence_number) {
  const Meaning meaning = meaning_of(Api::responses, error.kind);
  std::string data;
  json::Writer writer(data);
  writer.begin_object().member("type", "error").text_or_null("code", code_of(meaning, error));
  writer.member("message", error.message).text_or_null("param", error.param);
  writer.member("sequence_number", sequence_number).key("error").begin_object().member("type", meaning.type);
  writer.text_or_null("code", code_of(meaning, error)).member("message", error.message);
  writer.text_or_null("param", error.param).end_object().end_object();
  return data;
}

std::string write_responses_stream_error(const chat::ClientError& error, const StreamState& state) {
  std::string events = "event: error\ndata: " + responses_error_event(error, state.next_sequence_number);
  events += "\n\nevent: response.failed\ndata: ";
  json::Writer failed(events);
  failed.begin_object().member("type", "response.failed").member("sequence_number", state.next_sequence_number + 1);
  failed.key("response").begin_object();
  failed.member("id", state.response_id).member("object", "response").member("created_at", state.created_at);
  failed.member("status", "failed").key("error").begin_object();
  failed.member("code", response_error_code(error.kind)).member("message", error.message).end_object();
  failed.null_member("incomplete_details").null_member("instructions").null_member("max_output_tokens");
  failed.member("model", state.model).key("output").begin_array().end_array();
  failed.member("parallel_tool_calls", true).null_member("previous_response_id").null_member("temperature");
  failed.member("tool_choice", "auto").key("tools").begin_array().end_array();
  failed.null_member("top_p").key("metadata").begin_object().end_object();
  failed.end_object().end_object();
  return events + "\n\n";
}

}  // namespace llmgw::dialects::openai
