#include "chat/schema.h"

#include "chat/schema_converter.h"

namespace llmgw::chat {
namespace {

// No provider takes a larger one: OpenAI's bound on all names and constants is 120,000 characters.
constexpr size_t kSchemaBytesMax = 1 << 20;
// Of a path that is told: names may be as long as a body.
constexpr size_t kPathBytesMax = 128;
// References that stand for references, at the root.
constexpr size_t kHopsMax = 8;
constexpr std::string_view kNotStrict =
    "not strict, so that the model may miss it: strict mode cannot leave members out and has no maps";

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
  if (converter.lost()) {
    const std::string& where = converter.unsayable();
    warnings.dropped(field, "parts of the schema that the target cannot express" +
                                (where.empty() ? std::string() : ", first at " + where.substr(0, kPathBytesMax)));
  }
  if (converter.too_large()) warnings.dropped(field, "parts of the schema: it is too deep or too large");
  return converter.changed() ? arena.copy(converted) : schema;
}

std::string_view unsayable_part(std::string_view schema, SchemaSubset subset, json::Parser& parser,
                                base::Arena& arena) {
  if (subset == SchemaSubset::any || schema.size() > kSchemaBytesMax) return {};
  const auto root = json::parse_tree(parser, schema, arena);
  if (!root || !root->is_object()) return {};
  schema::Converter converter(*root, subset, arena);
  converter.convert();
  return arena.copy(std::string_view(converter.unsayable()).substr(0, kPathBytesMax));
}

std::optional<std::string_view> strict_schema(std::string_view schema, std::string_view field, json::Parser& parser,
                                              base::Arena& arena, Warnings& warnings) {
  if (is_openai_strict(schema, parser, arena)) return schema;
  if (schema.size() > kSchemaBytesMax) return std::nullopt;
  const auto root = json::parse_tree(parser, schema, arena);
  if (!root || !root->is_object()) return std::nullopt;
  schema::Converter converter(*root, SchemaSubset::openai_strict, arena);
  const std::string_view converted = arena.copy(converter.convert());
  const bool fits = !converter.nulls_added() && converter.unsayable().empty() && !converter.too_large();
  if (!fits || !is_openai_strict(converted, parser, arena)) return std::nullopt;
  if (converter.described()) warnings.changed(field, "constraints the target's schemas lack are in the description");
  if (converter.lost()) warnings.dropped(field, "parts of the schema that the target cannot express");
  return converted;
}

bool fit_strict(std::string_view& schema, std::string_view field, json::Parser& parser, base::Arena& arena,
                Warnings& warnings) {
  if (const auto form = strict_schema(schema, field, parser, arena, warnings)) {
    schema = *form;
    return true;
  }
  warnings.changed(field, kNotStrict);
  schema = plain_schema(schema, parser, arena);
  return false;
}

std::string_view plain_schema(std::string_view schema, json::Parser& parser, base::Arena& arena) {
  if (schema.size() > kSchemaBytesMax) return schema;
  const auto root = json::parse_tree(parser, schema, arena);
  if (!root || !root->is_object()) return schema;
  schema::Converter converter(*root, SchemaSubset::any, arena);
  const std::string plain = converter.convert();
  return converter.changed() && !converter.too_large() ? arena.copy(plain) : schema;
}

bool is_object_schema(std::string_view schema, json::Parser& parser, base::Arena& arena) {
  if (schema.empty()) return true;
  const auto root = json::parse_tree(parser, schema, arena);
  if (!root || !root->is_object()) return false;
  schema::Resolver resolver(*root, arena);
  json::Value node = *root;
  for (size_t hops = 0; hops < kHopsMax && node["$ref"].present() && node["type"].is_unset(); ++hops) {
    node = resolver.target(node["$ref"]);
  }
  const json::Value type = node["type"];
  if (!type.is_unset()) return schema::type_bits(type) == schema::kObject;
  for (const std::string_view other : {"enum", "const", "anyOf", "oneOf", "items", "prefixItems", "$ref"}) {
    if (node[other].present()) return false;
  }
  return node.is_object();
}

}  // namespace llmgw::chat
