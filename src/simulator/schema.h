// A value that a JSON schema allows: what the simulator's model says when it calls a tool or answers in JSON.
// Knows type (also Gemini's upper-case names and type lists), properties, required, items, prefixItems, enum, const,
// anyOf, oneOf, allOf, $ref into the same document, minItems, minLength, maxLength, minimum, maximum (exclusive too),
// multipleOf, nullable and the usual formats. `pattern`, `not` and conditions are not looked at. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace llmgw::simulator {

// JSON text; the same for the same schema and seed. A schema that is empty or no object allows anything: "{}".
std::string example_for_schema(std::string_view schema_json, uint64_t seed);

}  // namespace llmgw::simulator
