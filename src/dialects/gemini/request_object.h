// A GenerateContentRequest as a value inside another document (countTokens). Internal; one thread.
#pragma once

#include "dialects/codec.h"
#include "json/tree.h"

namespace llmgw::dialects::gemini {

// The parser's document is gone afterwards.
Outcome<void> read_request_object(json::Value root, const ReadContext& context, chat::Request& request);

}  // namespace llmgw::dialects::gemini
