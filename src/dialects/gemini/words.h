// Google's enumerations, as words and as numbers (a client or SDK may ask for `$alt=json;enum-encoding=int`). Any
// thread. Sources: google.ai.generativelanguage.v1beta and google.cloud.aiplatform.v1, 2026.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "chat/answer.h"
#include "chat/dialect.h"
#include "chat/request.h"
#include "dialects/gemini/error.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::gemini {

// Native reasons of a blocked prompt are kept with this in front.
inline constexpr std::string_view kPromptBlocked = "promptFeedback.blockReason=";

inline bool is_gemini(chat::Dialect dialect) {
  return dialect == chat::Dialect::gemini || dialect == chat::Dialect::vertex;
}
inline Service service_of(chat::Dialect dialect) {
  return dialect == chat::Dialect::vertex ? Service::vertex : Service::ai_studio;
}

// The word of a finishReason that is a word or a number; empty if it is neither, or says nothing.
std::string_view finish_word(json::Value reason, Service service, base::Arena& arena);
std::string_view block_word(json::Value reason, Service service, base::Arena& arena);
chat::Finish finish_of(std::string_view word);
// What to answer: `native` where it is a word of Google's for that finish.
std::string_view finish_word_for(chat::Finish finish, std::string_view native);
// The member, as a word or its number.
void write_finish(json::Writer& w, std::string_view word, Service service, bool as_number);
void write_block(json::Writer& w, std::string_view word, Service service, bool as_number);

enum class CallingMode : uint8_t { unset, automatic, any, none, validated };
CallingMode calling_mode(json::Value mode, base::Arena& arena);

chat::Effort effort_of_level(json::Value level, base::Arena& arena);
std::string_view level_of_effort(chat::Effort effort);

}  // namespace llmgw::dialects::gemini
