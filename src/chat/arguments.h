// Tool arguments and results between dialects that want JSON text and those that want a JSON object. Pure; one thread
// for each Parser.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "json/reader.h"

namespace llmgw::chat {

struct ArgumentsObject {
  std::string_view json;  // one JSON object, for certain
  bool wrapped = false;   // the text was something else: it is now the object's one member
};

// "" and "null" become {}. Broken JSON and everything that is no object is wrapped: {"value": ...}, as JSON if it is
// JSON, else as a string. The parser's last document is gone afterwards.
ArgumentsObject arguments_object(std::string_view arguments, json::Parser& parser, base::Arena& arena);

// For results that must be an object (Gemini): the text itself if it is a JSON object, else {"<member>": ...} with the
// text as JSON if it is an array, else as a string.
std::string_view result_object(std::string_view text, std::string_view member, json::Parser& parser,
                               base::Arena& arena);

// True if the text is one JSON object.
bool is_json_object(std::string_view text, json::Parser& parser, base::Arena& arena);

}  // namespace llmgw::chat
