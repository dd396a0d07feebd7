#include "chat/schema_converter.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace llmgw::chat::schema {
namespace {

using json::Value;
using enum SchemaSubset;

bool is_null_schema(Value schema) {
  return schema["type"].equals("null") || schema["type"].equals("NULL");
}

bool is_object_type(const Node& node, uint8_t types) {
  return (types & kObject) != 0 || !node.properties.empty();
}

void add_note(std::string& notes, std::string_view name, Value value, base::Arena& arena) {
  if (!notes.empty()) notes += "; ";
  notes += name;
  notes += ": ";
  notes += value.is_string() ? value.string(arena) : value.raw();
}

// Null fits as it stands.
bool takes_null(const Node& node) {
  const auto any_null = [](Value branches) {
    for (const Value branch : branches.elements())
      if (is_null_schema(branch)) return true;
    return false;
  };
  return node.nullable || node.null_enum || (node.types & kNull) != 0 || any_null(node.any_of) || any_null(node.one_of);
}

bool applies(Applies applies, uint8_t types) {
  switch (applies) {
    case Applies::any: return true;
    case Applies::text: return (types & kString) != 0;
    case Applies::number: return (types & (kNumber | kInteger)) != 0;
    case Applies::array: return (types & kArray) != 0;
    case Applies::object: return (types & kObject) != 0;
  }
  return true;
}

}  // namespace

Converter::Converter(Value root, SchemaSubset subset, base::Arena& arena)
    : root_(root), subset_(subset), arena_(arena), resolver_(root, arena) {
  inline_refs_ = is(gemini_openapi) || (is(anthropic) && has_cycle(resolver_, arena));
  rename_definitions_ = root["definitions"].present() && !root["$defs"].present();
}

std::string Converter::convert() {
  active_.push_back(root_);
  write(root_, {}, 0);
  return std::move(out_);
}

void Converter::note_unsayable() {
  if (!unsayable_.empty()) return;
  for (const std::string_view step : path_) {
    if (!unsayable_.empty() && step != kElements) unsayable_ += '.';
    unsayable_ += step;
  }
  if (unsayable_.empty()) unsayable_ = "its root";
}

void Converter::write(Value schema, const Outer& outer, size_t depth, std::string_view step) {
  if (++nodes_ > kNodesMax || depth > kDepthMax) too_large_ = true;
  if (too_large_ || !schema.is_object()) {
    if (too_large_) note_unsayable();
    changed_ = true;
    lost_ |= schema.boolean() == false;
    w_.begin_object().end_object();
    return;
  }
  if (!step.empty()) path_.push_back(step);
  const size_t mark = active_.size();
  Node node = flatten(schema, resolver_, inline_refs_, active_, arena_);
  changed_ |= node.merged || node.unknown;
  lost_ |= node.cut;
  if (node.cut) note_unsayable();
  write_node(node, outer, depth);
  active_.resize(mark, Value());
  if (!step.empty()) path_.pop_back();
}

void Converter::infer_types(Node& node) const {
  if (node.types != 0 || is(gemini_json)) return;
  if (node.constant.present()) {
    node.types = type_of(node.constant);
  } else if (node.enumeration.is_array()) {
    for (const Value value : node.enumeration.elements()) node.types |= type_of(value);
  } else if (!node.properties.empty()) {
    node.types = kObject;
  } else if (node.element.present() || node.prefix_items.present()) {
    node.types = kArray;
  }
}

void Converter::write_node(Node& node, Outer outer, size_t depth) {
  const uint8_t said = node.types;
  infer_types(node);
  uint8_t types = node.types;
  changed_ |= said != types;
  nulls_added_ |= outer.optional && !takes_null(node);
  outer.nullable |= node.nullable;
  if (is(gemini_openapi)) {
    if ((types & kNull) != 0 && types != kNull) {
      outer.nullable = true;
      types &= static_cast<uint8_t>(~kNull);
    }
    if (node.null_enum) outer.nullable = true;
  }
  if (node.ref.present()) {
    write_reference(node, outer);
  } else if (!is(gemini_openapi) || !write_union(node, types, outer, depth)) {
    write_single(node, types, outer, depth, types);
  }
}

// Gemini's OpenAPI has no lists of types and wants nothing beside anyOf that says what a value is.
bool Converter::write_union(const Node& node, uint8_t types, const Outer& outer, size_t depth) {
  const Value branches = node.any_of.present() ? node.any_of : node.one_of;
  if (branches.is_array() && node.properties.empty()) {
    size_t others = 0;
    Value last;
    Outer inner = outer;
    for (const Value branch : branches.elements()) {
      if (is_null_schema(branch)) {
        inner.nullable = true;
      } else {
        ++others;
        last = branch;
      }
    }
    if (!inner.description.present())
      for (const Item& item : node.items)
        if (item.row->keyword == Keyword::description) inner.description = item.value;
    changed_ |= others == 1 || types != 0 || inner.nullable != outer.nullable || node.one_of.present();
    if (others == 0) return false;
    if (others == 1) {
      write(last, inner, depth + 1);
      return true;
    }
    w_.begin_object();
    if (inner.description.is_string()) w_.member("description", inner.description.string(arena_));
    if (inner.nullable) w_.member("nullable", true);
    write_branches(branches, false, depth);
    w_.end_object();
    return true;
  }
  if (std::popcount(types) < 2) return false;
  changed_ = true;
  w_.begin_object().key("anyOf").begin_array();
  for (uint8_t bit = kNull; bit != 0 && bit <= kObject; bit = static_cast<uint8_t>(bit << 1))
    if ((types & bit) != 0) write_single(node, bit, outer, depth, bit);
  w_.end_array().end_object();
  return true;
}

void Converter::write_single(const Node& node, uint8_t types, const Outer& outer, size_t depth, uint8_t of_types) {
  w_.begin_object();
  if (types != 0) write_type(types, outer.nullable);
  const std::string words = notes(node, of_types);
  Value own = outer.description;
  if (!own.is_string())
    for (const Item& item : node.items)
      if (item.row->keyword == Keyword::description) own = item.value;
  if (!words.empty()) {
    changed_ = described_ = true;
    std::string text(own.string(arena_));
    text += (text.empty() ? "(" : " (") + words + ")";
    w_.member("description", text);
  } else if (own.is_string()) {
    w_.member("description", own.string(arena_));
  }
  write_members(node, types, outer, depth);
  w_.end_object();
}

void Converter::write_type(uint8_t types, bool nullable) {
  const bool add_null = nullable && !is(gemini_openapi) && (types & kNull) == 0;
  changed_ |= add_null;
  if (add_null) types |= kNull;
  w_.key("type");
  const bool list = std::popcount(types) > 1;
  if (list) w_.begin_array();
  for (int bit = kObject; bit != 0; bit >>= 1)
    if ((types & bit) != 0) w_.value(type_name(static_cast<uint8_t>(bit)));
  if (list) w_.end_array();
}

void Converter::write_members(const Node& node, uint8_t types, const Outer& outer, size_t depth) {
  for (const Item& item : node.items) {
    if (types != 0 && std::popcount(static_cast<uint8_t>(node.types & ~kNull)) > 1 && is(gemini_openapi) &&
        !applies(item.row->applies, types))
      continue;
    write_item(node, item, types, outer, depth);
  }
  const bool array = (types & kArray) != 0 || node.element.present() || node.prefix_items.present();
  if (array) write_elements(node, depth);
  const bool object = is_object_type(node, types) || (types == 0 && node.additional.is_object());
  if (object && (types == 0 || (types & kObject) != 0)) {
    write_properties(node, depth);
    write_required(node);
    write_additional(node, depth);
  } else if (!node.required.empty()) {
    // Branches that only say what is required, of a schema that says the rest.
    if (is(gemini_json)) {
      w_.raw_member("required", node.required.front().raw());
    } else {
      changed_ = lost_ = true;
    }
  }
  if (is(gemini_openapi) && outer.nullable) {
    changed_ |= !node.nullable;
    w_.member("nullable", true);
  }
}

bool Converter::takes_enum(const Node& node, uint8_t types) const {
  if (!is(gemini_openapi) && !is(gemini_json)) return true;
  for (const Value value : node.enumeration.elements()) {
    const bool null = value.is_null();
    if (is(gemini_json) ? !(value.is_string() || value.is_number() || null) : !(value.is_string() || null))
      return false;
  }
  return is(gemini_json) || (types & (kNumber | kInteger | kBoolean)) == 0;
}

bool Converter::takes_constant(const Node& node) const {
  if (is(gemini_openapi)) return node.constant.is_string();
  return !is(gemini_json) || node.constant.is_string() || node.constant.is_number();
}

bool Converter::is_noted(const Node& node, const Item& item, uint8_t types) const {
  switch (item.row->keyword) {
    case Keyword::enumeration: return !takes_enum(node, types);
    case Keyword::constant: return !takes_constant(node) && !(is(gemini_openapi) && item.value.is_null());
    case Keyword::format: {
      const bool of_text = types == 0 || (types & kString) != 0;
      return !takes_format(subset_, item.value.escaped(), of_text);
    }
    case Keyword::min_items:
      if (is(anthropic)) return item.value.unsigned_integer().value_or(2) > 1;
      break;
    case Keyword::any_of:
    case Keyword::one_of:
      if (node.any_of.present() && item.row->keyword == Keyword::one_of) return true;
      return !is(gemini_json) && !node.properties.empty();
    case Keyword::additional_properties: return is(gemini_openapi) && item.value.is_object() && !item.value.empty();
    default: break;
  }
  return treatment(*item.row, subset_) == Treatment::note;
}

std::string Converter::notes(const Node& node, uint8_t types) {
  std::string text;
  for (const Item& item : node.items) {
    if (types != 0 && !applies(item.row->applies, types)) continue;
    if (is_noted(node, item, types)) add_note(text, item.row->name, item.value, arena_);
  }
  return text;
}

void Converter::write_item(const Node& node, const Item& item, uint8_t types, const Outer& outer, size_t depth) {
  const Keyword keyword = item.row->keyword;
  if (is_noted(node, item, types)) {
    changed_ = true;
    return;
  }
  switch (keyword) {
    case Keyword::type:
    case Keyword::description:
    case Keyword::items:
    case Keyword::prefix_items:
    case Keyword::additional_properties: return;  // written with what they belong to
    case Keyword::enumeration: return write_enum(node, outer.nullable);
    case Keyword::constant:
      if (!is(gemini_openapi) && !is(gemini_json) && !outer.nullable) {
        w_.raw_member("const", item.value.raw());
        return;
      }
      changed_ = true;
      if (item.value.is_null() || node.enumeration.present()) return;
      w_.key("enum").begin_array().raw(item.value.raw());
      if (outer.nullable && !is(gemini_openapi)) w_.null();
      w_.end_array();
      return;
    case Keyword::any_of:
    case Keyword::one_of:
      changed_ |= keyword == Keyword::one_of;
      return write_branches(item.value, outer.nullable && types == 0, depth);
    case Keyword::definitions:
      if (inline_refs_) {
        changed_ = true;
      } else {
        write_definitions(item.value, depth);
      }
      return;
    default: break;
  }
  if (treatment(*item.row, subset_) == Treatment::drop) {
    changed_ = true;
  } else if (keyword != Keyword::property_ordering || node.properties.size() == 1) {
    w_.raw_member(item.row->name, item.value.raw());
  }
}

void Converter::write_enum(const Node& node, bool nullable) {
  w_.key("enum").begin_array();
  for (const Value value : node.enumeration.elements()) {
    if (value.is_null() && is(gemini_openapi)) {
      changed_ = true;
    } else {
      w_.raw(value.raw());
    }
  }
  if (nullable && !node.null_enum && !is(gemini_openapi)) w_.null();
  w_.end_array();
}

void Converter::write_branches(Value branches, bool nullable, size_t depth) {
  bool has_null = false;
  w_.key("anyOf").begin_array();
  for (const Value branch : branches.elements()) {
    has_null |= is_null_schema(branch);
    if (!is(gemini_openapi) || !is_null_schema(branch)) write(branch, {}, depth + 1);
  }
  if (nullable && !has_null) {
    changed_ = true;
    w_.begin_object().member("type", "null").end_object();
  }
  w_.end_array();
}

void Converter::write_reference(const Node& node, const Outer& outer) {
  const bool alone = node.items.empty() && node.required.empty() && node.properties.empty() && !outer.nullable;
  std::string reference(node.ref.string(arena_));
  constexpr std::string_view kOld = "#/definitions/";
  if (rename_definitions_ && reference.starts_with(kOld)) {
    reference.replace(0, kOld.size(), "#/$defs/");
    changed_ = true;
  }
  w_.begin_object();
  if (!alone) {
    changed_ = true;
    std::string words = notes(node, node.types);
    Value own;
    for (const Item& item : node.items)
      if (item.row->keyword == Keyword::description) own = item.value;
    std::string text(own.string(arena_));
    if (!words.empty()) text += (text.empty() ? "(" : " (") + words + ")";
    described_ |= !words.empty();
    if (!text.empty()) w_.member("description", text);
    w_.key("anyOf").begin_array().begin_object();
  }
  w_.member("$ref", reference);
  if (!alone) {
    w_.end_object();
    if (outer.nullable) w_.begin_object().member("type", "null").end_object();
    w_.end_array();
  }
  w_.end_object();
}

}  // namespace llmgw::chat::schema
