// Cohere's errors: {"id","message"} (API v2, schema of the error responses); inside a stream a last event with the
// reason ERROR, which is all its SDKs have for it. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "dialects/error.h"
#include "json/writer.h"

namespace llmgw::dialects::cohere {

ErrorAnswer write_error(const chat::ClientError& error, std::string_view request_id);
// The event as server-sent; of a stream that is over with it.
std::string write_stream_error(const chat::ClientError& error);
// Its data.
void write_last_event(json::Writer& w, const chat::ClientError& error);

}  // namespace llmgw::dialects::cohere
