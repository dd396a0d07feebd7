// Converse's words for what the neutral model says: stop reasons, usage, formats of media, errors. Pure; any thread.
#pragma once

#include <string_view>

#include "chat/answer.h"
#include "chat/error.h"
#include "chat/usage.h"
#include "dialects/codec.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::bedrock {

void read_stop_reason(std::string_view reason, chat::Choice& choice);
std::string_view stop_reason(const chat::Choice& choice, bool any_tool_call);

void read_usage(json::Value usage, chat::Usage& into);
void write_usage(json::Writer& writer, const chat::Usage& usage);
// Milliseconds from the request to now, for metrics.latencyMs.
int64_t latency_ms(const AnswerContext& context);

// "pdf" <-> "application/pdf", "three_gp" <-> "video/3gpp", ...; empty for what Bedrock does not know.
std::string_view media_type_of(std::string_view format);
std::string_view image_format(std::string_view media_type);
std::string_view document_format(std::string_view media_type);
std::string_view video_format(std::string_view media_type);
std::string_view audio_format(std::string_view media_type);

// An exception's name, in either spelling ("ThrottlingException", "throttlingException"), without what follows a colon.
chat::ErrorKind kind_of_exception(std::string_view name, chat::ErrorKind otherwise);
// {"message"} or {"Message"}; a body that is no JSON.
chat::ClientError error_of(std::string_view body, std::string_view type, int status, const ReadContext& context,
                           base::Arena& arena);

}  // namespace llmgw::dialects::bedrock
