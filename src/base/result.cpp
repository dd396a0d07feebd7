#include "base/result.h"

#include <cerrno>

namespace llmgw::base {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::cancelled: return "cancelled";
    case ErrorCode::deadline_exceeded: return "deadline_exceeded";
    case ErrorCode::closed: return "closed";
    case ErrorCode::reset: return "reset";
    case ErrorCode::refused: return "refused";
    case ErrorCode::unreachable: return "unreachable";
    case ErrorCode::name_not_found: return "name_not_found";
    case ErrorCode::tls: return "tls";
    case ErrorCode::protocol: return "protocol";
    case ErrorCode::too_large: return "too_large";
    case ErrorCode::exhausted: return "exhausted";
    case ErrorCode::invalid_argument: return "invalid_argument";
    case ErrorCode::not_found: return "not_found";
    case ErrorCode::already_exists: return "already_exists";
    case ErrorCode::unsupported: return "unsupported";
    case ErrorCode::permission: return "permission";
    case ErrorCode::io: return "io";
    case ErrorCode::internal: return "internal";
  }
  return "unknown";
}

Error os_error(int error_number, const char* context) {
  auto code = ErrorCode::io;
  switch (error_number) {
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED: code = ErrorCode::reset; break;
    case ECONNREFUSED:
    case ENOENT: code = ErrorCode::refused; break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ETIMEDOUT: code = ErrorCode::unreachable; break;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EADDRNOTAVAIL: code = ErrorCode::exhausted; break;
    case EACCES:
    case EPERM: code = ErrorCode::permission; break;
    case EADDRINUSE: code = ErrorCode::already_exists; break;
    default: break;
  }
  return Error{code, context, error_number};
}

}  // namespace llmgw::base
