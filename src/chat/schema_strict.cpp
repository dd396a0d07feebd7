// What OpenAI's strict mode takes (OpenAI, "Structured outputs", supported schemas, 2026).
#include <algorithm>

#include "chat/schema.h"
#include "chat/schema_node.h"

namespace llmgw::chat {
namespace schema {
namespace {

using json::Member;
using json::Value;

constexpr size_t kPropertiesMax = 5000;
constexpr size_t kEnumValuesMax = 1000;
constexpr size_t kLevelsMax = 10;  // of objects and arrays
constexpr size_t kNameBytesMax = 120'000;

class StrictCheck {
 public:
  explicit StrictCheck(base::Arena& arena) : arena_(arena) {}

  bool root(Value schema) {
    return type_bits(schema["type"]) == kObject && !schema["anyOf"].present() && node(schema, 0, 0);
  }

 private:
  bool node(Value schema, size_t level, size_t depth) {
    if (!schema.is_object() || level > kLevelsMax || depth > kDepthMax) return false;
    const Value ref = schema["$ref"];
    if (ref.present()) return ref.is_string() && schema.size() == 1;
    const uint8_t types = type_bits(schema["type"]);
    if (types == 0 && !schema["anyOf"].present() && !schema["enum"].present() && !schema["const"].present())
      return false;
    if ((types & kObject) != 0 && !object(schema)) return false;
    if ((types & kArray) != 0 && !schema["items"].is_object()) return false;
    const bool nests = (types & (kObject | kArray)) != 0;
    return std::ranges::all_of(members(schema), [&](const Member& member) {
      return keyword(member, types, level + (nests ? 1 : 0), depth + 1);
    });
  }

  std::vector<Member> members(Value object) {
    std::vector<Member> all;
    for (const Member member : object.members()) all.push_back(member);
    return all;
  }

  bool object(Value schema) {
    const Value properties = schema["properties"];
    if (schema["additionalProperties"].boolean() != false || !properties.is_object()) return false;
    const Names required = names_of({schema["required"]}, arena_);
    for (const Member property : properties.members()) {
      const std::string_view name = property.key(arena_);
      name_bytes_ += name.size();
      if (++properties_ > kPropertiesMax || name_bytes_ > kNameBytesMax) return false;
      if (!required.contains(name)) return false;
    }
    return true;
  }

  bool keyword(const Member& member, uint8_t types, size_t level, size_t depth) {
    const KeywordRow& row = row_of(member.key(arena_));
    const Value value = member.value;
    switch (row.keyword) {
      case Keyword::one_of:
      case Keyword::all_of: return false;
      case Keyword::format: return takes_format(SchemaSubset::openai_strict, value.escaped(), (types & kString) != 0);
      case Keyword::items: return node(value, level, depth);
      case Keyword::any_of:
        for (const Value branch : value.elements())
          if (!node(branch, level, depth)) return false;
        return value.is_array();
      case Keyword::properties:
      case Keyword::definitions:
        for (const Member child : value.members())
          if (!node(child.value, row.keyword == Keyword::definitions ? 0 : level, depth)) return false;
        return value.is_object();
      case Keyword::enumeration:
        enum_values_ += value.size();
        return value.is_array() && enum_values_ <= kEnumValuesMax;
      default: break;
    }
    return row.openai == Treatment::keep;
  }

  base::Arena& arena_;
  size_t properties_ = 0;
  size_t enum_values_ = 0;
  size_t name_bytes_ = 0;
};

}  // namespace
}  // namespace schema

bool is_openai_strict(std::string_view schema, json::Parser& parser, base::Arena& arena) {
  const auto root = json::parse_tree(parser, schema, arena);
  return root && schema::StrictCheck(arena).root(*root);
}

}  // namespace llmgw::chat
