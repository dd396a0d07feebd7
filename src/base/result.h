// Errors as values. Every fallible function of the data path returns Result<T>; none throws.
// Any thread. An Error is two words and owns nothing: `context` must point at static storage.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace llmgw::base {

enum class ErrorCode : uint8_t {
  cancelled,          // the operation's owner gave up (client left, drain limit reached)
  deadline_exceeded,  // the operation's deadline passed
  closed,             // the peer ended the connection in an orderly way
  reset,              // the peer or the network broke the connection
  refused,            // nothing listens at the address
  unreachable,        // no route, or the connect attempt timed out in the kernel
  name_not_found,     // the resolver has no address for the name
  tls,                // handshake or certificate failure
  protocol,           // the peer sent bytes its protocol does not allow
  too_large,          // a named limit was exceeded
  exhausted,          // no capacity left (connections, descriptors, queue)
  invalid_argument,   // the caller's input is wrong
  not_found,
  already_exists,
  unsupported,
  permission,
  io,        // the operating system refused for another reason; see os_error
  internal,  // a bug of ours
};

// The code's name as it stands above, for logs and metric labels.
std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::internal;
  const char* context = "";  // static text: what was being done, for a log line
  int os_error = 0;          // errno where the operating system said one, else 0
};

// Maps an errno of a socket or file operation to a code; keeps the errno.
Error os_error(int error_number, const char* context);

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, const char* context) {
  return std::unexpected(Error{code, context, 0});
}
inline std::unexpected<Error> fail(const Error& error) {
  return std::unexpected(error);
}

}  // namespace llmgw::base

// TRY(name, expression): declares `name` with the value of a Result, or returns its error.
// CO_TRY is the same inside a coroutine; the expression may contain co_await.
#define LLMGW_CONCAT_(a, b) a##b
#define LLMGW_CONCAT(a, b) LLMGW_CONCAT_(a, b)
#define LLMGW_TRY_(result, name, expression, return_keyword)                  \
  auto result = (expression);                                                 \
  if (!result) return_keyword ::std::unexpected(::std::move(result).error()); \
  auto name = ::std::move(*result)
#define TRY(name, expression) LLMGW_TRY_(LLMGW_CONCAT(try_, __LINE__), name, expression, return)
#define CO_TRY(name, expression) LLMGW_TRY_(LLMGW_CONCAT(try_, __LINE__), name, expression, co_return)
// The same for Result<void>.
#define TRY_VOID(expression) \
  if (auto try_result = (expression); !try_result) return ::std::unexpected(::std::move(try_result).error())
#define CO_TRY_VOID(expression) \
  if (auto try_result = (expression); !try_result) co_return ::std::unexpected(::std::move(try_result).error())
