// Gemini's OpenAPI subset as JSON Schema.
#include <unordered_map>

#include "chat/schema.h"
#include "chat/schema_node.h"
#include "json/number.h"
#include "json/writer.h"

namespace llmgw::chat {
namespace schema {
namespace {

using json::Member;
using json::Value;

class FromOpenapi {
 public:
  explicit FromOpenapi(base::Arena& arena) : arena_(arena) {}

  void write(Value schema, size_t depth) {
    if (!schema.is_object() || depth > kDepthMax || ++nodes_ > kNodesMax) {
      changed_ = true;
      w_.begin_object().end_object();
      return;
    }
    bool nullable = false;
    bool typed = false;
    Value ordering;
    for (const Member member : schema.members()) {
      const Keyword keyword = row_of_openapi(member.key(arena_)).keyword;
      if (keyword == Keyword::nullable) nullable = member.value.is_true();
      if (keyword == Keyword::property_ordering) ordering = member.value;
      typed |= keyword == Keyword::type && type_bits(member.value) != 0;
    }
    w_.begin_object();
    for (const Member member : schema.members()) {
      const KeywordRow& row = row_of_openapi(member.key(arena_));
      write_member(row, member, nullable, typed, ordering, depth);
    }
    w_.end_object();
  }

  bool changed() const { return changed_; }
  std::string& text() { return out_; }

 private:
  void write_member(const KeywordRow& row, const Member& member, bool nullable, bool typed, Value ordering,
                    size_t depth) {
    const Value value = member.value;
    const std::string_view name = row.name.empty() ? member.key(arena_) : row.name;
    changed_ |= name != member.escaped_key;
    switch (row.keyword) {
      case Keyword::nullable:
      case Keyword::property_ordering: changed_ = true; return;
      case Keyword::type: return write_type(value, nullable);
      case Keyword::enumeration: return write_enum(value, nullable);
      case Keyword::any_of:
      case Keyword::one_of:
      case Keyword::all_of: return write_list(name, value, nullable && !typed && row.keyword != Keyword::all_of, depth);
      case Keyword::items: w_.key(name); return write(value, depth + 1);
      case Keyword::properties:
      case Keyword::definitions: return write_map(name, value, ordering, depth);
      case Keyword::format:
        if (value.equals("enum") || value.equals("")) {
          changed_ = true;  // says only that there is an enum
          return;
        }
        break;
      case Keyword::additional_properties:
        if (!value.is_object()) break;
        w_.key(name);
        return write(value, depth + 1);
      default: break;
    }
    if (name == "example") {
      changed_ = true;
      w_.key("examples").begin_array().raw(value.raw()).end_array();
    } else if (is_count(name) && value.is_string() && json::is_json_number(value.escaped())) {
      changed_ = true;  // protobuf writes 64-bit integers as strings
      w_.raw_member(name, value.escaped());
    } else {
      w_.raw_member(name, value.raw());
    }
  }

  static bool is_count(std::string_view name) { return name.starts_with("min") || name.starts_with("max"); }

  void write_type(Value value, bool nullable) {
    const uint8_t bits = type_bits(value);
    if (bits == 0) {
      changed_ = true;  // TYPE_UNSPECIFIED
      return;
    }
    const bool list = value.is_array() || (nullable && bits != kNull);
    w_.key("type");
    if (list) w_.begin_array();
    for (int bit = kObject; bit != 0; bit >>= 1) {
      if ((bits & bit) == 0 && !(bit == kNull && nullable)) continue;
      const std::string_view name = type_name(static_cast<uint8_t>(bit));
      changed_ |= !value.equals(name);
      w_.value(name);
    }
    if (list) w_.end_array();
  }

  void write_enum(Value value, bool nullable) {
    bool null = false;
    w_.key("enum").begin_array();
    for (const Value element : value.elements()) {
      null |= element.is_null();
      w_.raw(element.raw());
    }
    if (nullable && !null) w_.null();
    w_.end_array();
  }

  void write_list(std::string_view name, Value list, bool add_null, size_t depth) {
    w_.key(name).begin_array();
    for (const Value branch : list.elements()) write(branch, depth + 1);
    if (add_null) w_.begin_object().member("type", "null").end_object();
    w_.end_array();
  }

  // JSON Schema knows no order but that of the members.
  void write_map(std::string_view name, Value map, Value ordering, size_t depth) {
    w_.key(name).begin_object();
    Names first;
    if (map.is_object() && ordering.is_array()) {
      std::unordered_map<std::string_view, Value> index;
      for (const Member member : map.members()) index[member.key(arena_)] = member.value;
      for (const Value element : ordering.elements()) {
        const auto property = index.find(element.string(arena_));
        if (property == index.end() || !first.insert(property->first).second) continue;
        w_.key(property->first);
        write(property->second, depth + 1);
      }
    }
    for (const Member member : map.members()) {
      const std::string_view key = member.key(arena_);
      if (first.contains(key)) continue;
      w_.key(key);
      write(member.value, depth + 1);
    }
    w_.end_object();
  }

  base::Arena& arena_;
  std::string out_;
  json::Writer w_{out_};
  size_t nodes_ = 0;
  bool changed_ = false;
};

}  // namespace
}  // namespace schema

std::string_view schema_from_openapi(std::string_view schema, json::Parser& parser, base::Arena& arena) {
  const auto root = json::parse_tree(parser, schema, arena);
  if (!root || !root->is_object()) return schema;
  schema::FromOpenapi converter(arena);
  converter.write(*root, 0);
  return converter.changed() ? arena.copy(converter.text()) : schema;
}

}  // namespace llmgw::chat
