// Tool arguments and results between dialects that want JSON text and those that want a JSON object. Pure; one thread
// for each Parser.
#pragma once

#include <optional>
#include <string_view>

#include "base/arena.h"
#include "chat/message.h"
#include "json/reader.h"

namespace llmgw::chat {

struct ArgumentsObject {
  std::string_view json;  // one JSON object, for certain
  bool wrapped = false;   // the text was something else: it is now the object's one member
};

// "" and "null" become {}. Broken JSON and everything that is no object is wrapped: {"value": ...}, as JSON if it is
// JSON, else as a string. The parser's last document is gone afterwards.
ArgumentsObject arguments_object(std::string_view arguments, json::Parser& parser, base::Arena& arena);

// What a client may be given to execute: the arguments of a call in an answer, as one JSON object (the text of a
// free-text tool as its one member `input`). Nothing if they are none: the model failed to make the call, or the answer
// was cut in the middle of it, and what stands there is not what was meant. Wrapping is for calls of the past only.
std::optional<std::string_view> executable_arguments(const Part& call, json::Parser& parser, base::Arena& arena);

// The same of a call that is the client's to refuse: {"INVALID_JSON": "<text>"}, as Anthropic tells its own clients to
// give such a call back to the model (fine-grained tool streaming, 2026-10).
std::string_view invalid_arguments(std::string_view text, base::Arena& arena);

// For results that must be an object (Gemini): the text itself if it is a JSON object, else {"<member>": ...} with the
// text as JSON if it is an array, else as a string.
std::string_view result_object(std::string_view text, std::string_view member, json::Parser& parser,
                               base::Arena& arena);

// True if the text is one JSON object.
bool is_json_object(std::string_view text, json::Parser& parser, base::Arena& arena);

}  // namespace llmgw::chat
