// Anthropic's words for what the neutral model says: stop reasons, usage, kinds of errors. Pure; any thread.
#pragma once

#include <string_view>

#include "chat/answer.h"
#include "chat/error.h"
#include "chat/usage.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::anthropic {

// stop_reason, stop_sequence and stop_details of a message or of a message_delta's delta; null ones change nothing.
void read_stop(json::Value holder, base::Arena& arena, chat::Choice& choice);

// How an answer ended, in Anthropic's words. Views of the choice.
struct Stop {
  std::string_view reason;
  std::string_view sequence = {};     // empty: null
  std::string_view explanation = {};  // of a refusal
};
Stop stop_of(const chat::Choice& choice, bool any_tool_call);
// The members stop_reason, stop_sequence and, for a refusal, stop_details.
void write_stop(json::Writer& writer, const Stop& stop);

// Counts that are there replace those of before: in a stream they are cumulative.
void read_usage(json::Value usage, chat::Usage& into);
// An object; what is unknown is null, but for the two counts that SDKs insist on.
void write_usage(json::Writer& writer, const chat::Usage& usage, std::string_view service_tier);

// By the error's type and, for requests, its message.
chat::ErrorKind error_kind(std::string_view type, chat::ErrorKind otherwise);

}  // namespace llmgw::dialects::anthropic
