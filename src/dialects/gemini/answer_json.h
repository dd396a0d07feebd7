// The pieces that answers and stream chunks are written of. One answer, one thread.
#pragma once

#include <string>
#include <string_view>

#include "chat/answer.h"
#include "dialects/codec.h"
#include "dialects/gemini/words.h"
#include "json/writer.h"

namespace llmgw::dialects::gemini {

struct AnswerStyle {
  const AnswerContext& context;
  Service service;
  chat::Minter native;

  explicit AnswerStyle(const AnswerContext& answer_context);
};

// The provider's id if it may be one of Google's, else one made of the request's.
std::string response_id(std::string_view provider_id, std::string_view request_id);

// The whole part, or nothing where the dialect has no place for it. True if something was written.
bool write_part(json::Writer& w, const chat::Part& part, std::string_view signature, const AnswerStyle& style);
// The signature as the client gets it; empty if there is none.
std::string_view signature_of(const chat::Part& part, const AnswerStyle& style);

// usageMetadata, if anything is known.
void write_usage(json::Writer& w, const chat::Usage& usage);
// modelVersion, createTime, responseId.
void write_names(json::Writer& w, std::string_view id, int64_t created, const AnswerStyle& style);
// finishReason and finishMessage.
void write_finish_members(json::Writer& w, const chat::Choice& choice, bool refused, const AnswerStyle& style);
// promptFeedback of a choice that stands for a blocked prompt.
bool is_blocked_prompt(const chat::Choice& choice);
void write_prompt_feedback(json::Writer& w, const chat::Choice& choice, const AnswerStyle& style);

}  // namespace llmgw::dialects::gemini
