#include "dialects/provider_error.h"

#include <cstdint>

namespace llmgw::dialects {

using chat::ErrorKind;

namespace {

// Of a text that is no JSON: enough to see what a proxy says, not its whole page.
constexpr size_t kPlainBytesMax = 500;

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

ErrorKind firm_kind(int status, ErrorKind read) {
  constexpr int kOverloaded = 529;
  const bool general = read == ErrorKind::upstream_failed || read == ErrorKind::internal;
  return status == kOverloaded && general ? ErrorKind::overloaded : read;
}

bool status_says(int status, ErrorKind kind) {
  const ErrorKind said = kind_of_status(status);
  if (said == kind) return true;
  switch (kind) {
    case ErrorKind::unsupported: return said == ErrorKind::invalid_request;
    case ErrorKind::not_found: return said == ErrorKind::model_not_found;
    case ErrorKind::quota_exceeded: return said == ErrorKind::rate_limited;
    case ErrorKind::internal: return said == ErrorKind::upstream_failed;
    default: return false;
  }
}

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

bool says_prompt_too_long(std::string_view message) {
  for (const std::string_view words :
       {"prompt is too long", "Input is too long", "Input Tokens Exceeded", "too many input tokens",
        "exceed context limit", "exceeds the maximum allowed number of input tokens",
        "exceeds the maximum number of tokens allowed"}) {
    if (message.find(words) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace llmgw::dialects
