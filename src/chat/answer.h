// The neutral answer. Views point into the provider's body or the request's arena. Plain data; one thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "chat/list.h"
#include "chat/message.h"
#include "chat/usage.h"

namespace llmgw::chat {

// Why the model stopped.
enum class Finish : uint8_t {
  unknown,         // the provider gave no reason, or one nobody knows: writers say "stop" (see Choice::native)
  stop,            // done, also at a stop sequence
  length,          // max_tokens, or the context window is full
  tool,            // it wants tools called
  filter,          // a safety filter cut or withheld the text
  refusal,         // the model declined
  pause,           // Anthropic's pause_turn: send it back to go on
  malformed_tool,  // it tried to call a tool and failed: never to be shown as a clean stop
};

std::string_view to_string(Finish finish);

struct Choice {
  uint32_t index = 0;
  Finish finish = Finish::unknown;
  bool context_window = false;          // length: because the window is full
  bool at_sequence = false;             // stop: at a stop sequence of the request
  std::string_view stop_sequence = {};  // at_sequence: which, where the provider tells
  std::string_view native_finish = {};  // the provider's own word, for logs and same-dialect writers
  std::string_view explanation = {};    // filter, refusal: the provider's words, if any
  std::string_view logprobs = {};       // OpenAI's array of token logprobs (choices[].logprobs.content) as JSON text
  List<Part> parts = {};
};

struct Answer {
  std::string_view id = {};     // the provider's; empty if it has none (Bedrock)
  std::string_view model = {};  // the provider's name of the model; empty if it does not say
  int64_t created = 0;          // seconds since 1970; 0 if unknown
  List<Choice> choices = {};    // one, unless n was asked for; a blocked prompt is one choice without parts
  Usage usage = {};
  std::string_view service_tier = {};
  std::string_view system_fingerprint = {};
};

}  // namespace llmgw::chat
