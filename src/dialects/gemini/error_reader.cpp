#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "dialects/gemini/error_body.h"
#include "dialects/gemini/functions.h"
#include "dialects/provider_error.h"

namespace llmgw::dialects::gemini {
namespace {

using chat::ErrorKind;
using json::Value;

// A provider's text is for a person; longer ones are pages.
constexpr size_t kMessageBytesMax = 4096;
constexpr size_t kPlainTextBytesMax = 300;
constexpr std::string_view kNoMessage = "The provider answered with an error.";

struct StatusRow {
  std::string_view name;  // of google.rpc.Code
  ErrorKind kind;
};

constexpr auto kStatuses = std::to_array<StatusRow>({
    {"INVALID_ARGUMENT", ErrorKind::invalid_request},
    {"FAILED_PRECONDITION", ErrorKind::invalid_request},
    {"OUT_OF_RANGE", ErrorKind::invalid_request},
    {"UNAUTHENTICATED", ErrorKind::authentication},
    {"PERMISSION_DENIED", ErrorKind::permission},
    {"NOT_FOUND", ErrorKind::not_found},
    {"ALREADY_EXISTS", ErrorKind::conflict},
    {"ABORTED", ErrorKind::conflict},
    {"RESOURCE_EXHAUSTED", ErrorKind::rate_limited},
    {"UNAVAILABLE", ErrorKind::overloaded},
    {"DEADLINE_EXCEEDED", ErrorKind::upstream_timeout},
    {"CANCELLED", ErrorKind::upstream_failed},
    {"UNIMPLEMENTED", ErrorKind::unsupported},
    {"INTERNAL", ErrorKind::upstream_failed},
    {"UNKNOWN", ErrorKind::upstream_failed},
    {"DATA_LOSS", ErrorKind::upstream_failed},
});

ErrorKind kind_of_http(int status) {
  switch (status) {
    case 400: return ErrorKind::invalid_request;
    case 401: return ErrorKind::authentication;
    case 402: return ErrorKind::quota_exceeded;
    case 403: return ErrorKind::permission;
    case 404: return ErrorKind::not_found;
    case 405: return ErrorKind::method_not_allowed;
    case 408: return ErrorKind::upstream_timeout;
    case 409: return ErrorKind::conflict;
    case 413: return ErrorKind::too_large;
    case 429: return ErrorKind::rate_limited;
    case 503:
    case 529: return ErrorKind::overloaded;
    case 504: return ErrorKind::upstream_timeout;
    default:
      return status >= 400 && status < 500 && status != 499 ? ErrorKind::invalid_request : ErrorKind::upstream_failed;
  }
}

std::string_view shortened(std::string_view text, size_t max) {
  if (text.size() <= max) return text;
  size_t end = max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

// google.protobuf.Duration: "34.4s".
std::optional<base::Duration> read_duration(std::string_view text) {
  double seconds = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (result.ec != std::errc{} || seconds < 0 || seconds > 1e9) return std::nullopt;
  if (std::string_view(result.ptr, text.data() + text.size()) != "s") return std::nullopt;
  return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(seconds));
}

void read_details(Value details, chat::ClientError& error, base::Arena& arena) {
  for (const Value detail : details.elements()) {
    if (const Value delay = detail.any_of("retryDelay", "retry_delay"); delay.is_string())
      error.retry_after = read_duration(delay.string(arena));
    // A bad key is a bad argument to AI Studio.
    if (const Value reason = detail["reason"]; reason.is_string()) {
      if (reason.equals("API_KEY_INVALID") || reason.equals("API_KEY_EXPIRED") || reason.equals("ACCESS_TOKEN_EXPIRED"))
        error.kind = ErrorKind::authentication;
      if (reason.equals("BILLING_DISABLED")) error.kind = ErrorKind::quota_exceeded;
    }
    const Value violation = detail.any_of("fieldViolations", "field_violations").first_element();
    if (violation["field"].is_string() && error.param.empty()) error.param = violation["field"].string(arena);
  }
}

bool is_about_model(std::string_view message) {
  return message.find("models/") != std::string_view::npos || message.find("Model") != std::string_view::npos ||
         message.find("model") != std::string_view::npos;
}

std::string_view plain_text(std::string_view body, base::Arena& arena) {
  const size_t first = body.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || body[first] == '<' || body.size() > kPlainTextBytesMax) return kNoMessage;
  return arena.copy(body.substr(first, body.find_last_not_of(" \t\r\n") + 1 - first));
}

}  // namespace

chat::ClientError read_error_value(Value error, base::Arena& arena) {
  chat::ClientError result{.kind = ErrorKind::upstream_failed};
  const auto code = error["code"].unsigned_integer();
  constexpr uint64_t kStatusMin = 400;
  constexpr uint64_t kStatusMax = 599;
  if (code && *code >= kStatusMin && *code <= kStatusMax) {
    result.status = static_cast<int>(*code);
    result.kind = kind_of_http(result.status);
  }
  result.message = shortened(error["message"].string(arena), kMessageBytesMax);
  if (error.is_string()) result.message = shortened(error.string(arena), kMessageBytesMax);
  const std::string_view status = error["status"].string(arena);
  const auto* const row = std::ranges::find(kStatuses, status, &StatusRow::name);
  if (row != kStatuses.end()) result.kind = row->kind;
  read_details(error["details"], result, arena);
  if (result.kind == ErrorKind::not_found && is_about_model(result.message)) result.kind = ErrorKind::model_not_found;
  if (result.message.empty()) result.message = kNoMessage;
  name_unfit(result);
  return result;
}

chat::ClientError read_error(int status, std::string_view body, std::string_view /*error_type*/,
                             const ReadContext& context) {
  const auto root = json::parse_tree(context.parser, body, context.arena);
  Value object = root ? *root : Value();
  if (object.is_array()) object = object.first_element();
  const Value error = object["error"];
  chat::ClientError result;
  if (error.is_object() || error.is_string()) {
    result = read_error_value(error, context.arena);
    if (error.is_string()) result.kind = kind_of_http(status);
    if (error["status"].is_unset() && error["code"].is_unset()) result.kind = kind_of_http(status);
  } else {
    result.kind = kind_of_http(status);
    const std::string_view message = object.any_of("message", "detail").string(context.arena);
    result.message = message.empty() ? plain_text(root ? std::string_view() : body, context.arena) : message;
  }
  result.status = status;
  name_unfit(result);
  return result;
}

}  // namespace llmgw::dialects::gemini
