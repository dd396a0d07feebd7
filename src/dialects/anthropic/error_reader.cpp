#include "dialects/anthropic/error_body.h"
#include "dialects/anthropic/functions.h"
#include "dialects/anthropic/meaning.h"
#include "dialects/provider_error.h"

namespace llmgw::dialects::anthropic {

using chat::ErrorKind;

namespace {

std::string_view message_of(json::Value error, json::Value root, base::Arena& arena) {
  for (const json::Value holder : {error, root}) {
    const json::Value message = holder.any_of("message", "Message", "detail");
    if (message.is_string() && !message.escaped().empty()) return message.string(arena);
  }
  if (error.is_string() && !error.escaped().empty()) return error.string(arena);
  return "The provider answered with an error that has no message.";
}

// Engines that speak Anthropic's API tell their own errors in a stream: {"type":"BadRequestError","code":400}.
ErrorKind kind_of_engines(json::Value error) {
  const uint64_t code = error["code"].unsigned_integer().value_or(0);
  if (code >= 400 && code < 600) return kind_of_status(static_cast<int>(code));
  return error["type"].equals("BadRequestError") ? ErrorKind::invalid_request : ErrorKind::upstream_failed;
}

}  // namespace

bool is_flat_error(json::Value root) {
  return root["object"].equals("error");
}

chat::ClientError error_of(json::Value root, int status, base::Arena& arena) {
  const json::Value first = root.is_array() ? root.first_element() : root;
  json::Value error = first["error"];
  if (error.is_unset() && is_flat_error(first)) error = first;
  chat::ClientError result;
  const std::string_view type = error["type"].string(arena);
  result.kind = error_kind(type, status == 0 ? kind_of_engines(error) : kind_of_status(status));
  result.message = message_of(error, first, arena);
  result.status = status >= 400 ? status : 0;
  name_unfit(result);
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
    name_unfit(error);
  }
  // Bedrock tells a missing model and a full quota by the type alone.
  if (error_type.starts_with("ResourceNotFoundException")) error.kind = ErrorKind::model_not_found;
  if (error_type.starts_with("ThrottlingException")) error.kind = ErrorKind::rate_limited;
  if (error_type.starts_with("ServiceQuotaExceededException")) error.kind = ErrorKind::quota_exceeded;
  return error;
}

}  // namespace llmgw::dialects::anthropic
