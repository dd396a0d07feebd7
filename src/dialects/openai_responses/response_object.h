// The Response object around its output: what the client asked for, echoed as typed clients demand (schema Response),
// status, error and usage. Pure; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "chat/answer.h"
#include "dialects/codec.h"
#include "json/writer.h"

namespace llmgw::dialects::openai_responses {

enum class Status : uint8_t { in_progress, completed, incomplete, failed };

struct ResponseState {
  Status status = Status::in_progress;
  std::string_view id;
  int64_t created_at = 0;
  std::string_view model;
  std::string_view service_tier = {};       // the provider's
  std::string_view incomplete_reason = {};  // of Status::incomplete
  std::string_view error_code = {};         // of Status::failed
  std::string_view error_message = {};
  std::string_view output = {};  // the items, one after the other with commas
  const chat::Usage* usage = nullptr;
};

// The members that repeat the request, without braces; the same in all events of a stream.
std::string request_echo(const chat::Request& request);

void write_response(json::Writer& writer, const ResponseState& state, std::string_view echo);

// In ids that were made up here, behind the prefix: no provider's id begins so.
inline constexpr std::string_view kMintedMark = "lgw";
// Ids of thoughts begin so.
inline constexpr std::string_view kReasoningPrefix = "rs_";
// "resp_lgw..." of the request's id. Never the provider's own, which that provider would take for one that it keeps.
std::string response_id(std::string_view request_id);
// What may stand in an id, of any text.
std::string id_text(std::string_view text);

// Whether a failed response may carry this code (schema ResponseErrorCode); server_error if not.
std::string_view failure_code(const chat::ClientError& error);

}  // namespace llmgw::dialects::openai_responses
