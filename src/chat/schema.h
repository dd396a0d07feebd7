// JSON Schemas translated into the subset a target takes (facts: OpenAI strict mode, Anthropic structured output,
// Gemini's OpenAPI subset). What the subset cannot say moves into the description where it can be said in words, else
// it is a warning. Pure; one thread for each Parser.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "chat/target.h"
#include "chat/warning.h"
#include "json/reader.h"

namespace llmgw::chat {

// For strict mode: what it has no words for (free-form objects, untyped arrays, a root that is no object) stays as it
// is, so ask is_openai_strict() of the result before saying `strict`.
// `schema` is JSON; the result is JSON in the arena, `schema` itself where nothing had to change. A schema that is not
// a JSON object is returned as it is, with a warning. `field` names it in warnings. The parser's last document is gone.
std::string_view convert_schema(std::string_view schema, SchemaSubset subset, std::string_view field,
                                json::Parser& parser, base::Arena& arena, Warnings& warnings);

// For targets that hold a model to the schema: where it first asks for what they would refuse to let it say, so that
// answers would lack it: maps, free-form objects, recursion. A path like "people[].tags"; empty: nowhere.
std::string_view unsayable_part(std::string_view schema, SchemaSubset subset, json::Parser& parser, base::Arena& arena);

// The schema as OpenAI's strict mode takes it, if what it then makes of a model's answer still fits the client's own:
// strict mode leaves nothing out, so a member that may be missing, but not be null, has no place there.
std::optional<std::string_view> strict_schema(std::string_view schema, std::string_view field, json::Parser& parser,
                                              base::Arena& arena, Warnings& warnings);

// The same, put in place; true where it is strict now. Else a warning says so, and the schema is the plain one below.
bool fit_strict(std::string_view& schema, std::string_view field, json::Parser& parser, base::Arena& arena,
                Warnings& warnings);

// The schema in the words that every provider knows: what its root refers to stands there, allOf is merged, oneOf is
// anyOf. The schema itself where nothing had to change or it is too large.
std::string_view plain_schema(std::string_view schema, json::Parser& parser, base::Arena& arena);

// True if only objects fit the schema, as tools' parameters and some providers' answers must be.
bool is_object_schema(std::string_view schema, json::Parser& parser, base::Arena& arena);

// Gemini's OpenAPI subset (upper-case or numbered types, nullable, propertyOrdering, snake_case) as JSON Schema.
std::string_view schema_from_openapi(std::string_view schema, json::Parser& parser, base::Arena& arena);

// True if strict mode would take the schema as it is.
bool is_openai_strict(std::string_view schema, json::Parser& parser, base::Arena& arena);

}  // namespace llmgw::chat
