#include "chat/schema.h"

#include "chat/schema_converter.h"

namespace llmgw::chat {
namespace {

// No provider takes a larger one: OpenAI's bound on all names and constants is 120,000 characters.
constexpr size_t kSchemaBytesMax = 1 << 20;

}  // namespace

std::string_view convert_schema(std::string_view schema, SchemaSubset subset, std::string_view field,
                                json::Parser& parser, base::Arena& arena, Warnings& warnings) {
  if (subset == SchemaSubset::any) return schema;
  if (schema.size() > kSchemaBytesMax) {
    warnings.changed(field, "the schema is too large to be fitted to the target");
    return schema;
  }
  const auto root = json::parse_tree(parser, schema, arena);
  if (!root || !root->is_object()) {
    warnings.changed(field, "the schema is no JSON object");
    return schema;
  }
  schema::Converter converter(*root, subset, arena);
  const std::string converted = converter.convert();
  if (converter.described()) warnings.changed(field, "constraints the target's schemas lack are in the description");
  if (converter.lost()) warnings.dropped(field, "parts of the schema that the target cannot express");
  if (converter.too_large()) warnings.dropped(field, "parts of the schema: it is too deep or too large");
  return converter.changed() ? arena.copy(converted) : schema;
}

}  // namespace llmgw::chat
