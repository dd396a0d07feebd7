// An error in the envelope of the API it is said in. Pure; any thread.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "simulator/surface.h"

namespace llmgw::simulator {

struct ApiError {
  int status = 400;
  std::string message;
  std::string param;  // OpenAI: the member at fault
  std::string code;   // OpenAI: overrides the code of the status; Gemini: the reason of an ErrorInfo
  std::optional<double> retry_after_seconds;
};

template <class T>
using Answered = std::expected<T, ApiError>;

inline std::unexpected<ApiError> refuse(int status, std::string message, std::string param = {},
                                        std::string code = {}) {
  return std::unexpected(ApiError{.status = status,
                                  .message = std::move(message),
                                  .param = std::move(param),
                                  .code = std::move(code),
                                  .retry_after_seconds = {}});
}

// Wrong or missing key, in the words and the status of the API (Gemini says 400).
ApiError wrong_key(Api api, bool missing);
ApiError unknown_model(const Surface& surface, std::string_view model);

// Appends the body of an error answer.
void write_error_body(const Surface& surface, const ApiError& error, std::string_view request_id, std::string& out);
// Anthropic's `type` and Google's `status` for an HTTP status.
std::string_view anthropic_error_type(int status);
std::string_view google_status(int status);

}  // namespace llmgw::simulator
