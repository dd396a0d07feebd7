#include <algorithm>

#include "dialects/anthropic/error_body.h"
#include "dialects/anthropic/functions.h"
#include "dialects/anthropic/meaning.h"

namespace llmgw::dialects::anthropic {

using chat::ErrorKind;

namespace {

// Of a text that is no JSON: enough to see what a proxy says, not its whole page.
constexpr size_t kPlainBytesMax = 500;

std::string_view plain_message(std::string_view body) {
  const size_t first = body.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "The provider refused the request and did not say why.";
  body = body.substr(first, body.find_last_not_of(" \t\r\n") + 1 - first);
  if (body.front() == '<') return "The provider answered with a page instead of an error.";
  if (body.size() <= kPlainBytesMax) return body;
  size_t end = kPlainBytesMax;
  while (end > 0 && (static_cast<uint8_t>(body[end]) & 0xC0U) == 0x80U) --end;  // not inside a character
  return body.substr(0, end);
}

std::string_view message_of(json::Value error, json::Value root, base::Arena& arena) {
  for (const json::Value holder : {error, root}) {
    const json::Value message = holder.any_of("message", "Message", "detail");
    if (message.is_string() && !message.escaped().empty()) return message.string(arena);
  }
  if (error.is_string() && !error.escaped().empty()) return error.string(arena);
  return "The provider answered with an error that has no message.";
}

}  // namespace

ErrorKind kind_of_status(int status) {
  switch (status) {
    case 400:
    case 422: return ErrorKind::invalid_request;
    case 401: return ErrorKind::authentication;
    case 402: return ErrorKind::quota_exceeded;
    case 403: return ErrorKind::permission;
    case 404: return ErrorKind::model_not_found;
    case 405: return ErrorKind::method_not_allowed;
    case 408:
    case 504: return ErrorKind::upstream_timeout;
    case 409: return ErrorKind::conflict;
    case 413: return ErrorKind::too_large;
    case 429: return ErrorKind::rate_limited;
    case 503:
    case 529: return ErrorKind::overloaded;
    default: return status >= 400 && status < 500 ? ErrorKind::invalid_request : ErrorKind::upstream_failed;
  }
}

chat::ClientError error_of(json::Value root, int status, base::Arena& arena) {
  const json::Value first = root.is_array() ? root.first_element() : root;
  const json::Value error = first["error"];
  chat::ClientError result;
  const std::string_view type = error["type"].string(arena);
  result.kind = error_kind(type, kind_of_status(status));
  result.message = message_of(error, first, arena);
  result.status = status >= 400 ? status : 0;
  if (result.kind == ErrorKind::invalid_request && says_prompt_too_long(result.message)) {
    result.code = "context_length_exceeded";
  }
  // Sent as an invalid request, but no other request would fare better.
  if (result.message.find("credit balance is too low") != std::string_view::npos) {
    result.kind = ErrorKind::quota_exceeded;
  }
  return result;
}

chat::ClientError read_error(int status, std::string_view body, std::string_view error_type,
                             const ReadContext& context) {
  const auto root = json::parse_tree(context.parser, body, context.arena);
  chat::ClientError error;
  if (root && (root->is_object() || root->is_array())) {
    error = error_of(*root, status, context.arena);
  } else {
    error.kind = kind_of_status(status);
    error.message = context.arena.copy(plain_message(body));
    error.status = status >= 400 ? status : 0;
  }
  // Bedrock tells a missing model and a full quota by the type alone.
  if (error_type.starts_with("ResourceNotFoundException")) error.kind = ErrorKind::model_not_found;
  if (error_type.starts_with("ThrottlingException")) error.kind = ErrorKind::rate_limited;
  if (error_type.starts_with("ServiceQuotaExceededException")) error.kind = ErrorKind::quota_exceeded;
  return error;
}

}  // namespace llmgw::dialects::anthropic
