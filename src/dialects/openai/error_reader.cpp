#include "dialects/openai/error_reader.h"

#include <array>
#include <charconv>
#include <string>

#include "base/text.h"
#include "dialects/provider_error.h"
#include "json/utf8.h"

namespace llmgw::dialects::openai {
namespace {

using chat::ErrorKind;

// A provider's text is for a person; longer ones are stack traces or pages.
constexpr size_t kMessageBytesMax = 4096;
// Plain text that is no error of an API: a proxy's line is short.
constexpr size_t kPlainTextBytesMax = 300;

struct Found {
  std::string_view message;
  std::string_view type;
  std::string_view code;
  std::string_view param;
  int status = 0;
};

int status_from(json::Value value, base::Arena& arena) {
  uint64_t number = value.unsigned_integer().value_or(0);
  if (value.is_string()) number = base::parse_decimal(value.string(arena)).value_or(0);
  return number >= 400 && number < 600 ? static_cast<int>(number) : 0;
}

std::string_view shortened(std::string_view text) {
  if (text.size() <= kMessageBytesMax) return text;
  size_t end = kMessageBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

// FastAPI's list of what is wrong with which field: [{"loc":["body","messages"],"msg":"..."}].
void read_field_error(json::Value first, Found& found, base::Arena& arena) {
  found.message = first.any_of("msg", "message").string(arena);
  std::string path;
  for (const json::Value step : first["loc"].elements()) {
    const std::string_view text = step.is_string() ? step.string(arena) : step.number();
    if (text == "body" && path.empty()) continue;
    if (!path.empty()) path += '.';
    path += text;
  }
  if (!path.empty()) found.param = arena.copy(path);
}

void read_members(json::Value object, Found& found, base::Arena& arena) {
  const json::Value message = object.any_of("message", "msg", "error_description", "detail", "title", "Message");
  if (message.is_string()) {
    found.message = message.string(arena);
  } else if (message.is_array()) {
    read_field_error(message.first_element(), found, arena);
  } else if (message.is_object()) {
    const json::Value detail = message.any_of("detail", "message");
    if (detail.is_array()) {
      read_field_error(detail.first_element(), found, arena);
    } else {
      found.message = detail.string(arena);
    }
  }
  found.type = object.any_of("type", "status").string(arena);
  const json::Value code = object["code"];
  found.code = code.is_string() ? code.string(arena) : std::string_view{};
  if (const json::Value param = object["param"]; param.is_string()) found.param = param.string(arena);
  found.status = status_from(object.any_of("status_code", "statusCode", "code", "status"), arena);
  // OpenRouter puts the text of the provider behind it here.
  const json::Value raw = object["metadata"]["raw"];
  if (raw.is_string() && raw.escaped().size() <= kPlainTextBytesMax && !raw.escaped().empty()) {
    found.message = arena.concat(arena.concat(found.message, ": "), raw.string(arena));
  }
}

struct WordKind {
  std::string_view word;
  ErrorKind kind;
};

// Looked for in the error's type and code, in this order.
constexpr std::array<WordKind, 28> kWords{{
    {"insufficient_quota", ErrorKind::quota_exceeded},
    {"billing", ErrorKind::quota_exceeded},
    {"credit", ErrorKind::quota_exceeded},
    {"quota_exceeded", ErrorKind::quota_exceeded},
    {"rate_limit", ErrorKind::rate_limited},
    {"ratelimit", ErrorKind::rate_limited},
    {"too_many_requests", ErrorKind::rate_limited},
    {"resource_exhausted", ErrorKind::rate_limited},
    {"model_not_found", ErrorKind::model_not_found},
    {"deploymentnotfound", ErrorKind::model_not_found},
    {"not_found", ErrorKind::not_found},
    {"api_key", ErrorKind::authentication},
    {"authentication", ErrorKind::authentication},
    {"unauthorized", ErrorKind::authentication},
    {"permission", ErrorKind::permission},
    {"forbidden", ErrorKind::permission},
    {"overloaded", ErrorKind::overloaded},
    {"unavailable", ErrorKind::overloaded},
    {"capacity", ErrorKind::overloaded},
    {"timeout", ErrorKind::upstream_timeout},
    {"invalid_request", ErrorKind::invalid_request},
    {"bad_request", ErrorKind::invalid_request},
    {"invalid_argument", ErrorKind::invalid_request},
    {"content_filter", ErrorKind::invalid_request},
    {"badrequest", ErrorKind::invalid_request},
    {"unprocessable", ErrorKind::invalid_request},
    {"context_length", ErrorKind::invalid_request},
    {"context_size", ErrorKind::invalid_request},
}};

bool contains_word(std::string_view text, std::string_view word) {
  for (size_t i = 0; i + word.size() <= text.size(); ++i) {
    if (base::equals_ignoring_case(text.substr(i, word.size()), word)) return true;
  }
  return false;
}

ErrorKind kind_from_words(const Found& found, ErrorKind otherwise) {
  for (const WordKind& entry : kWords) {
    if (contains_word(found.code, entry.word) || contains_word(found.type, entry.word)) return entry.kind;
  }
  return otherwise;
}

ErrorKind kind_of(int status, const Found& found) {
  switch (status) {
    case 0: return kind_from_words(found, ErrorKind::upstream_failed);
    case 401: return ErrorKind::authentication;
    case 402: return ErrorKind::quota_exceeded;
    case 403: return ErrorKind::permission;
    case 404: {
      const bool model = contains_word(found.code, "model") || contains_word(found.code, "deployment") ||
                         contains_word(found.message, "model") || contains_word(found.message, "deployment");
      return model ? ErrorKind::model_not_found : ErrorKind::not_found;
    }
    case 405: return ErrorKind::method_not_allowed;
    case 408: return ErrorKind::upstream_timeout;
    case 409: return ErrorKind::conflict;
    case 413: return ErrorKind::too_large;
    case 429: {
      const ErrorKind kind = kind_from_words(found, ErrorKind::rate_limited);
      return kind == ErrorKind::quota_exceeded ? kind : ErrorKind::rate_limited;
    }
    case 498:  // Groq: no room in the flex tier
    case 503:
    case 529: return ErrorKind::overloaded;
    case 504:
    case 524: return ErrorKind::upstream_timeout;
    default: break;
  }
  if (status >= 500) return ErrorKind::upstream_failed;
  // Responses of OpenAI have 400 for an unknown model.
  return kind_from_words(found, ErrorKind::invalid_request) == ErrorKind::model_not_found ? ErrorKind::model_not_found
                                                                                          : ErrorKind::invalid_request;
}

// "6m12s", "1.5s", "20 seconds", "340ms" as it stands behind "try again in" or "retry after".
std::optional<base::Duration> duration_at(std::string_view text) {
  double total_ms = 0;
  bool any = false;
  while (true) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    double amount = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), amount);
    if (result.ec != std::errc{} || amount < 0 || amount > 1e9) break;
    text.remove_prefix(static_cast<size_t>(result.ptr - text.data()));
    while (text.starts_with(' ')) text.remove_prefix(1);
    double unit_ms = 1000;
    if (text.starts_with("ms") || text.starts_with("milli")) {
      unit_ms = 1;
    } else if (text.starts_with('m')) {
      unit_ms = 60'000;
    } else if (text.starts_with('h')) {
      unit_ms = 3'600'000;
    } else if (text.starts_with('d')) {
      unit_ms = 86'400'000;
    }
    total_ms += amount * unit_ms;
    any = true;
    while (!text.empty() && text.front() >= 'a' && text.front() <= 'z') text.remove_prefix(1);
    if (text.empty() || !base::is_digit(text.front())) break;
  }
  if (!any) return std::nullopt;
  return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double, std::milli>(total_ms));
}

std::optional<base::Duration> retry_after_in(std::string_view message) {
  for (const std::string_view words : {"try again in ", "retry after ", "retry in "}) {
    for (size_t i = 0; i + words.size() <= message.size(); ++i) {
      if (!base::equals_ignoring_case(message.substr(i, words.size()), words)) continue;
      if (const auto found = duration_at(message.substr(i + words.size()))) return found;
    }
  }
  return std::nullopt;
}

// Google's RetryInfo, which its OpenAI-compatible surface keeps: details[].retryDelay = "34.4s".
std::optional<base::Duration> retry_delay_of(json::Value error, base::Arena& arena) {
  for (const json::Value detail : error["details"].elements()) {
    if (const json::Value delay = detail["retryDelay"]; delay.is_string()) return duration_at(delay.string(arena));
  }
  return std::nullopt;
}

std::string_view message_for(int status, base::Arena& arena) {
  if (status == 0) return "the provider reported an error";
  return arena.concat("the provider answered with status ", arena.copy(std::to_string(status)));
}

chat::ClientError to_client_error(const Found& found, int status, base::Arena& arena) {
  chat::ClientError error{.kind = kind_of(status, found), .param = found.param, .status = status};
  error.message = found.message.empty() ? message_for(status, arena) : shortened(found.message);
  // A code that is a status says nothing more.
  if (!base::parse_decimal(found.code)) error.code = found.code;
  error.retry_after = retry_after_in(error.message);
  // Words are all that some engines have for it.
  const bool words_alone = status == 0 && found.type.empty() && found.code.empty();
  if (words_alone && says_prompt_too_long(error.message)) error.kind = ErrorKind::invalid_request;
  name_unfit(error, found.type);
  return error;
}

bool is_plain_text(std::string_view body) {
  if (body.empty() || body.size() > kPlainTextBytesMax || body.find('<') != std::string_view::npos) return false;
  return json::is_utf8(body) && body.find('\0') == std::string_view::npos;
}

}  // namespace

bool is_error_value(json::Value value) {
  if (value.is_string()) return !value.escaped().empty();
  return value.is_object() && !value.empty();
}

json::Value error_in(json::Value object) {
  if (const json::Value error = object["error"]; is_error_value(error)) return error;
  return object["object"].equals("error") || object["type"].equals("error") ? object : json::Value();
}

chat::ClientError read_error_value(json::Value error, json::Value around, base::Arena& arena) {
  Found found;
  if (error.is_string()) {
    read_members(around, found, arena);
    found.message = error.string(arena);
  } else {
    read_members(error, found, arena);
  }
  chat::ClientError result = to_client_error(found, found.status, arena);
  if (const auto delay = retry_delay_of(error, arena)) result.retry_after = delay;
  return result;
}

chat::ClientError read_error(int status, std::string_view body, std::string_view /*error_type*/,
                             const ReadContext& context) {
  base::Arena& arena = context.arena;
  const auto root = json::parse_tree(context.parser, body, arena);
  Found found;
  if (!root) {
    const std::string_view text = base::trim(body);
    if (is_plain_text(text)) found.message = text;
    return to_client_error(found, status, arena);
  }
  const json::Value object = root->is_array() ? root->first_element() : *root;
  json::Value error = object["error"];
  if (!is_error_value(error)) {
    const json::Value errors = object["errors"];
    error = errors.is_array() ? errors.first_element() : errors;
  }
  if (!is_error_value(error)) error = object;
  if (error.is_string()) {
    if (object.is_object()) read_members(object, found, arena);
    found.message = error.string(arena);
  } else {
    read_members(error, found, arena);
  }
  // One that came with a 200 may say which status it should have had.
  chat::ClientError result = to_client_error(found, status != 0 ? status : found.status, arena);
  if (const auto delay = retry_delay_of(error, arena)) result.retry_after = delay;
  return result;
}

}  // namespace llmgw::dialects::openai
