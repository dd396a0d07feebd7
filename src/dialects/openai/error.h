// OpenAI's error envelope: {"error":{"message","type","param","code"}}, all four always there (openai-openapi 2.3.0,
// schema Error). Any thread.
#pragma once

#include <string>
#include <string_view>

#include "dialects/error.h"

namespace llmgw::dialects::openai {

enum class Api : uint8_t {
  chat,       // and every other /v1/* but these:
  responses,  // an unknown model is 400 here, not 404
  azure,      // the code of a refused key is its status
};

ErrorAnswer write_error(Api api, const chat::ClientError& error, std::string_view request_id);

// The envelope by itself: the data of such an event.
std::string error_body(Api api, const chat::ClientError& error);

// data: {"error":{...}} and no [DONE]: the SDKs raise APIError for any event with a top-level `error`.
std::string write_stream_error(Api api, const chat::ClientError& error);

// The data of the Responses API's event `error`: schema ResponseErrorEvent, and beside it the nested object the live
// service sends, because the SDKs raise APIError only for that.
std::string responses_error_event(const chat::ClientError& error, uint64_t sequence_number);

// event: error, then event: response.failed with the response's last state.
std::string write_responses_stream_error(const chat::ClientError& error, const StreamState& state);

}  // namespace llmgw::dialects::openai
