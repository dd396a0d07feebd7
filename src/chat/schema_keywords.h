// JSON Schema's keywords and what each subset of chat/target.h does with them: the table behind schema.h. Any thread.
// Sources: OpenAI "Structured outputs", Anthropic "Structured outputs", google.ai.generativelanguage.v1beta Schema and
// FunctionDeclaration.parameters_json_schema (all 2026).
#pragma once

#include <cstdint>
#include <string_view>

#include "chat/target.h"

namespace llmgw::chat::schema {

enum class Keyword : uint8_t {
  other,  // treated by the table alone
  type,
  enumeration,
  constant,
  nullable,
  description,
  format,
  properties,
  required,
  additional_properties,
  items,
  prefix_items,
  min_items,
  any_of,
  one_of,
  all_of,
  ref,
  definitions,
  property_ordering,
};

enum class Treatment : uint8_t {
  keep,  // as it stands
  drop,  // says nothing about values, or nothing the target needs to hear
  note,  // "keyword: value" goes into the description
};

// Which types a keyword speaks of: for unions that have to be split.
enum class Applies : uint8_t { any, text, number, array, object };

struct KeywordRow {
  std::string_view name;
  Keyword keyword;
  Applies applies;
  Treatment openai, anthropic, openapi, gemini_json;
  std::string_view snake = {};  // Gemini's other spelling
};

// Unknown keywords are annotations: they share a row, without a name, that drops them.
const KeywordRow& row_of(std::string_view name);
// The same, also for Gemini's snake_case.
const KeywordRow& row_of_openapi(std::string_view name);
Treatment treatment(const KeywordRow& row, SchemaSubset subset);

// Whether the subset takes this `format` for that type.
bool takes_format(SchemaSubset subset, std::string_view format, bool of_text);

}  // namespace llmgw::chat::schema
