// links: chat json base
// Any schema converts to JSON of bounded size, for every subset, the same each time; what was converted stays as it is.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "chat/schema.h"
#include "json/tree.h"

using namespace llmgw;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

constexpr size_t kGrowthMax = size_t{64} << 20;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<char> bytes(data, data + size);
  const std::string_view schema(bytes.data(), bytes.size());
  static json::Parser parser;
  base::Arena arena;
  const bool valid = json::parse_tree(parser, schema, arena).has_value();
  for (const auto subset : {chat::SchemaSubset::any, chat::SchemaSubset::openai_strict, chat::SchemaSubset::anthropic,
                            chat::SchemaSubset::gemini_openapi, chat::SchemaSubset::gemini_json}) {
    chat::Warnings warnings(arena);
    const std::string once(chat::convert_schema(schema, subset, "f", parser, arena, warnings));
    require(once.size() < kGrowthMax);
    require(json::parse_tree(parser, once, arena).has_value() == valid);
    chat::Warnings same(arena);
    require(chat::convert_schema(schema, subset, "f", parser, arena, same) == once);
    (void)chat::is_openai_strict(once, parser, arena);
  }
  const std::string from(chat::schema_from_openapi(schema, parser, arena));
  require(json::parse_tree(parser, from, arena).has_value() == valid);
  return 0;
}
