#include "chat/error.h"

namespace llmgw::chat {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request: return "invalid_request";
    case ErrorKind::authentication: return "authentication";
    case ErrorKind::permission: return "permission";
    case ErrorKind::model_not_found: return "model_not_found";
    case ErrorKind::not_found: return "not_found";
    case ErrorKind::method_not_allowed: return "method_not_allowed";
    case ErrorKind::conflict: return "conflict";
    case ErrorKind::too_large: return "too_large";
    case ErrorKind::request_timeout: return "request_timeout";
    case ErrorKind::rate_limited: return "rate_limited";
    case ErrorKind::quota_exceeded: return "quota_exceeded";
    case ErrorKind::overloaded: return "overloaded";
    case ErrorKind::unsupported: return "unsupported";
    case ErrorKind::upstream_failed: return "upstream_failed";
    case ErrorKind::upstream_timeout: return "upstream_timeout";
    case ErrorKind::internal: return "internal";
  }
  return "unknown";
}

}  // namespace llmgw::chat
