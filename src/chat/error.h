// What went wrong, as a client has to be told: one kind for all dialects. dialects/error.h puts it into the client's
// own envelope and status. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.h"

namespace llmgw::chat {

enum class ErrorKind : uint8_t {
  invalid_request,     // the request cannot be understood or carried out
  authentication,      // no key, or none that is known
  permission,          // the key may not do this
  model_not_found,     // no such model, or not for this key
  not_found,           // no such path or object
  method_not_allowed,  // the path exists, the method does not
  conflict,            // the object is in a state that forbids it
  too_large,           // body above the limit
  request_timeout,     // the client took too long to send the request
  rate_limited,        // a limit on requests or tokens: later it works
  quota_exceeded,      // a budget is used up: retrying does not help
  overloaded,          // no capacity here or upstream
  unsupported,         // a feature this target does not have
  upstream_failed,     // the upstream broke off or answered nonsense
  upstream_timeout,    // the upstream did not answer in time
  internal,            // a bug of ours
};

// As the enumerator is spelt: the error_type label of metrics.
std::string_view to_string(ErrorKind kind);

// Views must live until the answer is written.
struct ClientError {
  ErrorKind kind = ErrorKind::internal;
  std::string_view message = {};  // for a person; ours or the provider's
  std::string_view param = {};    // the member at fault, if one is
  std::string_view code = {};     // overrides the code for the kind, in dialects that have codes (OpenAI, Google)
  int status = 0;                 // overrides the dialect's status for the kind
  std::optional<base::Duration> retry_after = {};
};

}  // namespace llmgw::chat
