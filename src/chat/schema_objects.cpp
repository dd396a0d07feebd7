// The parts of the converter that write what is inside objects and arrays.
#include <algorithm>

#include "chat/schema_converter.h"

namespace llmgw::chat::schema {
namespace {

using json::Member;
using json::Value;
using enum SchemaSubset;

}  // namespace

bool Converter::is_free_form(const Node& node) const {
  if (node.additional.boolean() == false) return false;
  return std::ranges::all_of(node.properties, [](Value properties) { return properties.empty(); });
}

// Its members have names that nobody knows beforehand. An object that lists no members and says no more is taken for
// one that has none; one that lists some loses at most what nobody named.
bool Converter::is_map(const Node& node) const {
  const Value additional = node.additional;
  if (additional.boolean() == false) return false;
  if (additional.is_object() && !additional.empty()) return true;
  return is_free_form(node) && (additional.present() || node.properties.empty());
}

void Converter::write_properties(const Node& node, size_t depth) {
  const bool wanted = is(openai_strict) && !is_free_form(node);
  if (node.properties.empty() && !wanted) return;
  const bool any = std::ranges::any_of(node.properties, [](Value properties) { return !properties.empty(); });
  if (is(gemini_openapi) && !any) {
    changed_ = true;  // an object of no properties is refused where it says so
    return;
  }
  changed_ |= node.properties.empty();
  const Names required = is(openai_strict) ? names_of(node.required, arena_) : Names();
  Names seen;
  w_.key("properties").begin_object();
  for (const Value properties : node.properties) {
    for (const Member property : properties.members()) {
      const std::string_view name = property.key(arena_);
      if (property.value.boolean() == false || !seen.insert(name).second) {
        changed_ = true;
        continue;
      }
      w_.key(name);
      const bool optional = is(openai_strict) && !required.contains(name);
      changed_ |= optional;
      write(property.value, {.nullable = optional, .description = {}, .optional = optional}, depth + 1, name);
    }
  }
  w_.end_object();
}

void Converter::write_all_required(const Node& node) {
  if (is_free_form(node)) return;
  Names seen;
  w_.key("required").begin_array();
  for (const Value properties : node.properties) {
    for (const Member property : properties.members()) {
      const std::string_view name = property.key(arena_);
      if (property.value.boolean() != false && seen.insert(name).second) w_.value(name);
    }
  }
  changed_ |= node.required.empty();
  w_.end_array();
}

void Converter::write_required(const Node& node) {
  if (is(openai_strict)) return write_all_required(node);
  Names known;
  for (const Value properties : node.properties)
    for (const Member property : properties.members()) known.insert(property.key(arena_));
  std::vector<std::string_view> names;
  for (const Value list : node.required) {
    for (const Value element : list.elements()) {
      const std::string_view name = element.string(arena_);
      if (known.erase(name) == 1) {
        names.push_back(name);
      } else {
        changed_ = true;
      }
    }
  }
  if (names.empty()) return;
  w_.key("required").begin_array();
  for (const std::string_view name : names) w_.value(name);
  w_.end_array();
}

void Converter::write_additional(const Node& node, size_t depth) {
  const Value additional = node.additional;
  const bool closed = additional.boolean() == false;
  if (is(gemini_openapi)) {
    changed_ |= additional.present();
    return;
  }
  const bool must_close = is(anthropic) || (is(openai_strict) && !is_free_form(node));
  if (must_close) {
    changed_ |= !closed;
    // Optional members nobody named are given up; a map without names is lost altogether.
    lost_ |= !closed && (additional.present() || is_free_form(node));
    if (is_map(node)) note_unsayable();
    w_.member("additionalProperties", false);
  } else if (additional.is_object()) {
    w_.key("additionalProperties");
    write(additional, {}, depth + 1, "*");
  } else if (additional.present()) {
    w_.raw_member("additionalProperties", additional.raw());
  }
}

void Converter::write_elements(const Node& node, size_t depth) {
  // Before draft 2020-12 a list of schemas stood under "items".
  const Value prefix = node.element.is_array() ? node.element : node.prefix_items;
  const Value each = node.element.is_array() ? Value() : node.element;
  changed_ |= node.element.is_array();
  if (is(gemini_json) && prefix.is_array()) {
    w_.key("prefixItems").begin_array();
    for (const Value element : prefix.elements()) write(element, {}, depth + 1);
    w_.end_array();
  }
  if (each.is_object() || (each.boolean() && is(gemini_json))) {
    w_.key("items");
    if (each.is_object()) return write(each, {}, depth + 1, kElements);
    w_.raw(each.raw());
  } else if (!is(gemini_json) && !prefix.empty()) {
    w_.key("items");
    changed_ = true;
    if (prefix.size() == 1) return write(prefix.first_element(), {}, depth + 1, kElements);
    w_.begin_object();
    write_branches(prefix, false, depth);
    w_.end_object();
  } else if (is(gemini_openapi)) {
    changed_ = lost_ = true;  // elements must have a type there
    w_.key("items").begin_object().member("type", "string").end_object();
  }
}

void Converter::write_definitions(Value definitions, size_t depth) {
  changed_ |= rename_definitions_;
  const bool old = root_["$defs"].present() && definitions.raw().data() == root_["definitions"].raw().data();
  w_.key(old ? "definitions" : "$defs").begin_object();
  for (const Member definition : definitions.members()) {
    const std::string_view name = definition.key(arena_);
    w_.key(name);
    write(definition.value, {}, depth + 1, name);
  }
  w_.end_object();
}

}  // namespace llmgw::chat::schema
