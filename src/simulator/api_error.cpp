#include "simulator/api_error.h"

#include <cmath>

#include "json/writer.h"

namespace llmgw::simulator {

namespace {

std::string_view openai_type(int status) {
  if (status == 429) return "requests";
  if (status >= 500) return "server_error";
  return "invalid_request_error";
}

std::string_view openai_code(int status) {
  if (status == 429) return "rate_limit_exceeded";
  return {};
}

void write_openai(const ApiError& error, std::string& out) {
  const std::string_view code = error.code.empty() ? openai_code(error.status) : std::string_view(error.code);
  json::Writer w(out);
  w.begin_object().key("error").begin_object();
  w.member("message", error.message).member("type", openai_type(error.status));
  w.text_or_null("param", error.param).text_or_null("code", code);
  w.end_object().end_object();
}

// Azure's gateway says some errors in a shorter form of its own.
void write_azure(const ApiError& error, std::string& out) {
  std::string code = error.code;
  if (error.status == 401) code = "401";
  if (error.status == 429) code = "RateLimitReached";
  if (error.status != 401 && error.status != 429 && code != "DeploymentNotFound") return write_openai(error, out);
  json::Writer w(out);
  w.begin_object().key("error").begin_object();
  w.member("code", code).member("message", error.message);
  w.end_object().end_object();
}

void write_anthropic(const ApiError& error, std::string_view request_id, std::string& out) {
  json::Writer w(out);
  w.begin_object().member("type", "error").key("error").begin_object();
  w.member("type", anthropic_error_type(error.status)).member("message", error.message).end_object();
  w.text_or_null("request_id", request_id).end_object();
}

void write_gemini(const ApiError& error, std::string& out) {
  json::Writer w(out);
  w.begin_object().key("error").begin_object();
  w.member("code", error.status).member("message", error.message).member("status", google_status(error.status));
  if (!error.code.empty() || error.retry_after_seconds) {
    w.key("details").begin_array();
    if (!error.code.empty()) {
      w.begin_object().member("@type", "type.googleapis.com/google.rpc.ErrorInfo").member("reason", error.code);
      w.member("domain", "googleapis.com").end_object();
    }
    if (error.retry_after_seconds) {
      const std::string delay = std::to_string(std::llround(std::ceil(*error.retry_after_seconds))) + "s";
      w.begin_object().member("@type", "type.googleapis.com/google.rpc.RetryInfo").member("retryDelay", delay);
      w.end_object();
    }
    w.end_array();
  }
  w.end_object().end_object();
}

}  // namespace

std::string_view anthropic_error_type(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 402: return "billing_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 413: return "request_too_large";
    case 429: return "rate_limit_error";
    case 504: return "timeout_error";
    case 503:
    case 529: return "overloaded_error";
    default: return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

std::string_view google_status(int status) {
  switch (status) {
    case 400: return "INVALID_ARGUMENT";
    case 401: return "UNAUTHENTICATED";
    case 403: return "PERMISSION_DENIED";
    case 404: return "NOT_FOUND";
    case 409: return "ABORTED";
    case 429: return "RESOURCE_EXHAUSTED";
    case 499: return "CANCELLED";
    case 500: return "INTERNAL";
    case 501: return "UNIMPLEMENTED";
    case 503: return "UNAVAILABLE";
    case 504: return "DEADLINE_EXCEEDED";
    default: return "UNKNOWN";
  }
}

ApiError wrong_key(Api api, bool missing) {
  ApiError error{.status = 401, .message = {}, .param = {}, .code = {}, .retry_after_seconds = {}};
  switch (api) {
    case Api::gemini:
      error.status = 400;
      error.code = "API_KEY_INVALID";
      error.message = "API key not valid: it is not the key this simulator was started with.";
      break;
    case Api::anthropic: error.message = missing ? "x-api-key header is required" : "invalid x-api-key"; break;
    case Api::azure:
      error.message = "Access denied: the api-key is not the key this simulator was started with.";
      break;
    default:
      error.code = missing ? "" : "invalid_api_key";
      error.message = missing ? "No API key was given: send it as a bearer token in the Authorization header."
                              : "Incorrect API key: it is not the key this simulator was started with.";
  }
  return error;
}

ApiError unknown_model(const Surface& surface, std::string_view model) {
  const std::string name(model);
  ApiError error{.status = 404, .message = {}, .param = {}, .code = {}, .retry_after_seconds = {}};
  switch (surface.api) {
    case Api::anthropic: error.message = "model: " + name; break;
    case Api::gemini: error.message = "models/" + name + " is not found in this simulator."; break;
    case Api::azure:
      error.code = "DeploymentNotFound";
      error.message = "The API deployment '" + name + "' does not exist in this simulator.";
      break;
    default:
      // The Responses API says 400 for the same mistake.
      if (surface.operation == Operation::responses) error.status = 400;
      error.code = "model_not_found";
      error.param = surface.operation == Operation::responses ? "model" : "";
      error.message = "The model '" + name + "' does not exist in this simulator.";
  }
  return error;
}

void write_error_body(const Surface& surface, const ApiError& error, std::string_view request_id, std::string& out) {
  switch (surface.api) {
    case Api::anthropic: return write_anthropic(error, request_id, out);
    case Api::azure: return write_azure(error, out);
    case Api::gemini: {
      // The array form of a stream has its error in an array, too.
      const bool array = surface.operation == Operation::stream_generate && !surface.sse;
      if (array) out += '[';
      write_gemini(error, out);
      if (array) out += ']';
      return;
    }
    default: return write_openai(error, out);
  }
}

}  // namespace llmgw::simulator
