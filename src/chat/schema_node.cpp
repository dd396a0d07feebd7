#include "chat/schema_node.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/text.h"

namespace llmgw::chat::schema {
namespace {

using json::Value;

struct TypeRow {
  std::string_view name;
  std::string_view upper;
  uint8_t bit;
  uint8_t number;  // of google.ai.generativelanguage.v1beta.Type
};
constexpr auto kTypes = std::to_array<TypeRow>({
    {"string", "STRING", kString, 1},
    {"number", "NUMBER", kNumber, 2},
    {"integer", "INTEGER", kInteger, 3},
    {"boolean", "BOOLEAN", kBoolean, 4},
    {"array", "ARRAY", kArray, 5},
    {"object", "OBJECT", kObject, 6},
    {"null", "NULL", kNull, 7},
});

bool same(Value a, Value b) {
  return a.raw().data() == b.raw().data();
}

// RFC 6901 inside a URI fragment: %XX first, then ~1 and ~0.
std::string pointer_token(std::string_view raw) {
  const std::string token = base::percent_decode(raw).value_or(std::string(raw));
  std::string text;
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1')) {
      text += token[++i] == '0' ? '~' : '/';
    } else {
      text += token[i];
    }
  }
  return text;
}

Value child(Value at, std::string_view token) {
  if (at.is_object()) return at[token];
  if (!at.is_array()) return {};
  const auto number = base::parse_decimal(token);
  size_t i = 0;
  if (number)
    for (const Value element : at.elements())
      if (i++ == *number) return element;
  return {};
}

}  // namespace

uint8_t type_bit(Value name) {
  if (const auto number = name.unsigned_integer()) {
    for (const TypeRow& row : kTypes)
      if (row.number == *number) return row.bit;
    return 0;
  }
  for (const TypeRow& row : kTypes)
    if (name.equals(row.name) || name.equals(row.upper)) return row.bit;
  return 0;
}

std::string_view type_name(uint8_t bit) {
  for (const TypeRow& row : kTypes)
    if (row.bit == bit) return row.name;
  return "string";
}

uint8_t type_bits(Value type) {
  if (!type.is_array()) return type_bit(type);
  uint8_t bits = 0;
  for (const Value name : type.elements()) bits |= type_bit(name);
  return bits;
}

uint8_t type_of(Value constant) {
  switch (constant.kind()) {
    case json::Kind::object: return kObject;
    case json::Kind::array: return kArray;
    case json::Kind::string: return kString;
    case json::Kind::number: return constant.integer() ? kInteger : kNumber;
    case json::Kind::boolean: return kBoolean;
    case json::Kind::null: return kNull;
    case json::Kind::invalid: return 0;
  }
  return 0;
}

bool Node::has(Keyword keyword) const {
  return std::ranges::any_of(items, [&](const Item& item) { return item.row->keyword == keyword; });
}

Names names_of(const std::vector<Value>& lists, base::Arena& arena) {
  Names names;
  for (const Value list : lists)
    for (const Value element : list.elements())
      if (element.is_string()) names.insert(element.string(arena));
  return names;
}

Resolver::Resolver(Value root, base::Arena& arena) : root_(root), arena_(arena) {
  for (const json::Member member : root["$defs"].members()) defs_[member.key(arena)] = member.value;
  for (const json::Member member : root["definitions"].members()) definitions_[member.key(arena)] = member.value;
}

Value Resolver::target(Value ref) {
  std::string_view path = ref.string(arena_);
  if (path.empty() || path.front() != '#') return {};
  path.remove_prefix(1);
  for (const auto& [prefix, index] :
       {std::pair<std::string_view, const decltype(defs_)*>{"/$defs/", &defs_},
        std::pair<std::string_view, const decltype(defs_)*>{"/definitions/", &definitions_}}) {
    if (!path.starts_with(prefix)) continue;
    const auto found = index->find(path.substr(prefix.size()));
    if (found != index->end()) return found->second;
  }
  if (++walks_ > kWalksMax) return {};
  Value at = root_;
  while (!path.empty()) {
    if (path.front() != '/') return {};
    path.remove_prefix(1);
    const size_t length = std::min(path.find('/'), path.size());
    at = child(at, pointer_token(path.substr(0, length)));
    if (!at.present()) return {};
    path.remove_prefix(length);
  }
  return at;
}

namespace {

struct Flattener {
  Resolver& resolver;
  bool inline_refs;
  std::vector<Value>& active;
  base::Arena& arena;
  Node node;

  static void add_first(Value& place, Value value) {
    if (!place.present()) place = value;
  }

  void take(const KeywordRow& row, Value value) {
    switch (row.keyword) {
      case Keyword::type: node.types = node.types == 0 ? type_bits(value) : node.types; break;
      case Keyword::enumeration: add_first(node.enumeration, value); break;
      case Keyword::constant: add_first(node.constant, value); break;
      case Keyword::any_of: add_first(node.any_of, value); break;
      case Keyword::one_of: add_first(node.one_of, value); break;
      case Keyword::items: add_first(node.element, value); break;
      case Keyword::prefix_items: add_first(node.prefix_items, value); break;
      case Keyword::additional_properties: add_first(node.additional, value); break;
      case Keyword::properties: node.properties.push_back(value); return;
      case Keyword::required: node.required.push_back(value); return;
      case Keyword::nullable: node.nullable |= value.is_true(); return;
      default: break;
    }
    node.unknown |= row.name.empty();
    if (row.name.empty()) return;
    for (const Item& item : node.items)
      if (item.row == &row) return;
    node.items.push_back({&row, value});
  }

  void follow(Value ref, size_t depth) {
    const Value target = resolver.target(ref);
    const auto times = std::ranges::count_if(active, [&](Value other) { return same(other, target); });
    node.merged = true;
    if (!target.is_object() || static_cast<size_t>(times) > kRecursionMax) {
      node.cut = true;
      if (node.types == 0 && target.is_object()) node.types = type_bits(target["type"]);
      return;
    }
    active.push_back(target);
    collect(target, depth + 1);
  }

  void collect(Value schema, size_t depth) {
    if (depth > kDepthMax) return;
    Value ref;
    Value all_of;
    for (const json::Member member : schema.members()) {
      const KeywordRow& row = row_of(member.key(arena));
      if (row.keyword == Keyword::ref) {
        ref = member.value;
      } else if (row.keyword == Keyword::all_of) {
        all_of = member.value;
      } else if (row.keyword != Keyword::definitions || depth == 0) {
        take(row, member.value);
      }
    }
    if (ref.is_string()) {
      if (inline_refs || depth > 0 || same(schema, resolver.root())) {
        follow(ref, depth);
      } else {
        node.ref = ref;
      }
    }
    for (const Value branch : all_of.elements()) {
      node.merged = true;
      collect(branch, depth + 1);
    }
  }
};

struct CycleSearch {
  Resolver& resolver;
  base::Arena& arena;
  std::vector<const char*> open;
  std::unordered_set<const char*> done;

  bool visit(Value schema, size_t depth) {
    if (depth > json::kDepthMax) return true;
    if (schema.is_array()) {
      for (const Value element : schema.elements())
        if (visit(element, depth + 1)) return true;
      return false;
    }
    for (const json::Member member : schema.members()) {
      const std::string_view key = member.key(arena);
      if (key == "$ref" && member.value.is_string()) {
        if (enter(resolver.target(member.value), depth)) return true;
      } else if (key != "$defs" && key != "definitions" && visit(member.value, depth + 1)) {
        return true;
      }
    }
    return false;
  }

  bool enter(Value target, size_t depth) {
    if (!target.present()) return false;
    const char* const place = target.raw().data();
    if (std::ranges::find(open, place) != open.end()) return true;
    if (done.contains(place)) return false;
    open.push_back(place);
    const bool found = visit(target, depth + 1);
    open.pop_back();
    done.insert(place);
    return found;
  }
};

}  // namespace

Node flatten(Value schema, Resolver& resolver, bool inline_refs, std::vector<Value>& active, base::Arena& arena) {
  Flattener flattener{.resolver = resolver, .inline_refs = inline_refs, .active = active, .arena = arena, .node = {}};
  flattener.collect(schema, 0);
  Node node = std::move(flattener.node);
  for (const Value value : node.enumeration.elements()) node.null_enum |= value.is_null();
  return node;
}

bool has_cycle(Resolver& resolver, base::Arena& arena) {
  const Value root = resolver.root();
  CycleSearch search{.resolver = resolver, .arena = arena, .open = {root.raw().data()}, .done = {}};
  return search.visit(root, 0);
}

}  // namespace llmgw::chat::schema
