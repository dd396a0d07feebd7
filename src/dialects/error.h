// Errors in the client's own dialect: status, headers and body of an answer, and the event that ends a stream which has
// begun. Pure; any thread. Each dialect's envelope is in its folder; the two functions below choose.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "chat/dialect.h"
#include "chat/error.h"

namespace llmgw::dialects {

struct Header {
  std::string_view name;  // static
  std::string value;
};

struct ErrorAnswer {
  int status = 500;
  std::string_view content_type = "application/json";
  std::string body;

  // Without Content-Type and Content-Length. The request id is in the dialect's own header (x-request-id, request-id,
  // ...).
  std::span<const Header> headers() const { return {headers_.data(), header_count_}; }
  void add_header(std::string_view name, std::string value) { headers_[header_count_++] = {name, std::move(value)}; }

 private:
  std::array<Header, 6> headers_;  // a dialect has at most four; room for the caller's Allow
  size_t header_count_ = 0;
};

// `framing` is what the client asked for: Gemini wraps an error into an array where the stream would have been one.
ErrorAnswer write_error(chat::Dialect dialect, chat::Framing framing, const chat::ClientError& error,
                        std::string_view request_id);

// What a terminal error event needs to know of the stream it ends. Only the Responses API uses it.
struct StreamState {
  uint64_t next_sequence_number = 0;
  std::string_view response_id;  // "resp_..." as the stream's first event gave it; empty if none came
  std::string_view model;
  int64_t created_at = 0;  // seconds since 1970
};

// The bytes that tell the client the stream failed; nothing may follow them. They never look like an orderly end: no
// [DONE], no message_stop, no closed array. To be sent only between two events (see StreamBoundary); after a cut inside
// an event, and for an empty result (the dialect's stream has no error event), break the connection instead.
std::string write_stream_error(chat::Dialect dialect, chat::Framing framing, const chat::ClientError& error,
                               std::string_view request_id, const StreamState& state);

// AWS event streams carry errors as an exception frame (HTTP's side builds the frame): its :exception-type and payload.
struct StreamException {
  std::string_view type;
  std::string payload;
};
StreamException write_stream_exception(const chat::ClientError& error);

}  // namespace llmgw::dialects
