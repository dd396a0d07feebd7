#include "chat/schema_keywords.h"

#include <algorithm>
#include <array>

namespace llmgw::chat::schema {
namespace {

constexpr Treatment K = Treatment::keep;
constexpr Treatment D = Treatment::drop;
constexpr Treatment N = Treatment::note;

using enum Keyword;

// name, keyword, applies to, OpenAI strict, Anthropic, Gemini's OpenAPI, Gemini's JSON Schema.
constexpr auto kRows = std::to_array<KeywordRow>({
    {"type", type, Applies::any, K, K, K, K},
    {"description", description, Applies::any, K, K, K, K},
    {"properties", properties, Applies::object, K, K, K, K},
    {"required", required, Applies::object, K, K, K, K},
    {"items", items, Applies::array, K, K, K, K},
    {"enum", enumeration, Applies::any, K, K, K, K},
    {"anyOf", any_of, Applies::any, K, K, K, K, "any_of"},
    {"title", other, Applies::any, K, K, K, K},
    {"additionalProperties", additional_properties, Applies::object, K, K, D, K, "additional_properties"},
    {"$ref", ref, Applies::any, K, K, K, K, "ref"},
    {"$defs", definitions, Applies::any, K, K, D, K, "defs"},
    {"definitions", definitions, Applies::any, K, K, D, K},
    {"const", constant, Applies::any, K, K, N, N},
    {"oneOf", one_of, Applies::any, K, K, K, K},
    {"allOf", all_of, Applies::any, K, K, K, K},
    {"format", format, Applies::any, N, N, N, N},
    {"default", other, Applies::any, N, K, K, K},
    {"minimum", other, Applies::number, K, N, K, K},
    {"maximum", other, Applies::number, K, N, K, K},
    {"minItems", min_items, Applies::array, K, N, K, K, "min_items"},
    {"maxItems", other, Applies::array, K, N, K, K, "max_items"},
    {"minLength", other, Applies::text, N, N, K, N, "min_length"},
    {"maxLength", other, Applies::text, N, N, K, N, "max_length"},
    {"pattern", other, Applies::text, K, N, K, N},
    {"exclusiveMinimum", other, Applies::number, K, N, N, N},
    {"exclusiveMaximum", other, Applies::number, K, N, N, N},
    {"multipleOf", other, Applies::number, K, N, N, N},
    {"nullable", nullable, Applies::any, D, D, K, D},
    {"propertyOrdering", property_ordering, Applies::object, D, D, K, K, "property_ordering"},
    {"prefixItems", prefix_items, Applies::array, N, N, N, K, "prefix_items"},
    {"minProperties", other, Applies::object, N, N, K, N, "min_properties"},
    {"maxProperties", other, Applies::object, N, N, K, N, "max_properties"},
    {"uniqueItems", other, Applies::array, N, N, N, N},
    {"patternProperties", other, Applies::object, N, N, N, N},
    {"propertyNames", other, Applies::object, N, N, N, N},
    {"contains", other, Applies::array, N, N, N, N},
    {"minContains", other, Applies::array, N, N, N, N},
    {"maxContains", other, Applies::array, N, N, N, N},
    {"unevaluatedProperties", other, Applies::object, D, D, D, D},
    {"unevaluatedItems", other, Applies::array, D, D, D, D},
    {"additionalItems", other, Applies::array, D, D, D, D},
    {"not", other, Applies::any, N, N, N, N},
    {"if", other, Applies::any, N, N, N, N},
    {"then", other, Applies::any, N, N, N, N},
    {"else", other, Applies::any, N, N, N, N},
    {"dependentRequired", other, Applies::object, N, N, N, N},
    {"dependentSchemas", other, Applies::object, N, N, N, N},
    {"dependencies", other, Applies::object, N, N, N, N},
    {"contentMediaType", other, Applies::text, N, N, N, N},
    {"contentEncoding", other, Applies::text, N, N, N, N},
    {"example", other, Applies::any, N, N, K, N},
    {"examples", other, Applies::any, N, N, N, N},
    {"$schema", other, Applies::any, D, D, D, D},
    {"$id", other, Applies::any, D, D, D, K},
    {"$anchor", other, Applies::any, D, D, D, K},
    {"$comment", other, Applies::any, D, D, D, D},
    {"discriminator", other, Applies::any, D, D, D, D},
    {"deprecated", other, Applies::any, D, D, D, D},
    {"readOnly", other, Applies::any, D, D, D, D},
    {"writeOnly", other, Applies::any, D, D, D, D},
});

constexpr KeywordRow kUnknown{"", other, Applies::any, D, D, D, D};

constexpr auto kTextFormats = std::to_array<std::string_view>(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"});

bool is_text_format(std::string_view format) {
  return std::ranges::find(kTextFormats, format) != kTextFormats.end();
}

}  // namespace

const KeywordRow& row_of(std::string_view name) {
  const auto* const row = std::ranges::find(kRows, name, &KeywordRow::name);
  return row == kRows.end() ? kUnknown : *row;
}

const KeywordRow& row_of_openapi(std::string_view name) {
  const KeywordRow& row = row_of(name);
  if (!row.name.empty() || name.empty()) return row;
  const auto* const snake = std::ranges::find(kRows, name, &KeywordRow::snake);
  return snake == kRows.end() ? kUnknown : *snake;
}

Treatment treatment(const KeywordRow& row, SchemaSubset subset) {
  switch (subset) {
    case SchemaSubset::any: return Treatment::keep;
    case SchemaSubset::openai_strict: return row.openai;
    case SchemaSubset::anthropic: return row.anthropic;
    case SchemaSubset::gemini_openapi: return row.openapi;
    case SchemaSubset::gemini_json: return row.gemini_json;
  }
  return Treatment::keep;
}

bool takes_format(SchemaSubset subset, std::string_view format, bool of_text) {
  switch (subset) {
    case SchemaSubset::any: return true;
    case SchemaSubset::openai_strict: return is_text_format(format);
    case SchemaSubset::anthropic: return format == "uri" || is_text_format(format);
    case SchemaSubset::gemini_openapi:
      if (of_text) return format == "enum" || format == "date-time";
      return format == "float" || format == "double" || format == "int32" || format == "int64";
    case SchemaSubset::gemini_json:
      if (of_text) return format == "date-time" || format == "date" || format == "time";
      return true;
  }
  return true;
}

}  // namespace llmgw::chat::schema
