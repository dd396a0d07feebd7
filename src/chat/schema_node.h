// One level of a JSON Schema, flattened: what it says itself, and what its allOf branches (and references, where the
// target has none) add. Internal to schema.cpp and its parts. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/arena.h"
#include "chat/schema_keywords.h"
#include "json/tree.h"

namespace llmgw::chat::schema {

// References within references, or levels of schema: schemas in the wild stay below 30.
inline constexpr size_t kDepthMax = 64;
// Work of one conversion, in schema nodes: OpenAI's bound on properties is 5,000. References that are written out may
// grow exponentially; what is beyond becomes an empty schema.
inline constexpr size_t kNodesMax = 20'000;
// A reference to a schema it stands in is written out this often, then it is an object without further description.
inline constexpr size_t kRecursionMax = 1;

// A step from an array to its elements, in paths.
inline constexpr std::string_view kElements = "[]";

enum TypeBit : uint8_t {
  kNull = 1,
  kBoolean = 2,
  kInteger = 4,
  kNumber = 8,
  kString = 16,
  kArray = 32,
  kObject = 64,
};
inline constexpr uint8_t kScalars = kNull | kBoolean | kInteger | kNumber | kString;

// A type's bit by JSON Schema's, OpenAPI's (upper-case) or protobuf's (a number) name; 0 if it is none.
uint8_t type_bit(json::Value name);
std::string_view type_name(uint8_t bit);
// All types a schema lists.
uint8_t type_bits(json::Value type);
// The type of a constant.
uint8_t type_of(json::Value constant);

struct Item {
  const KeywordRow* row;
  json::Value value;
};

struct Node {
  std::vector<Item> items;
  uint8_t types = 0;  // 0: not said
  bool null_enum = false;
  json::Value enumeration;
  json::Value constant;
  json::Value ref;  // only where references stay
  json::Value any_of;
  json::Value one_of;
  json::Value element;  // items
  json::Value prefix_items;
  json::Value additional;
  std::vector<json::Value> properties;  // objects of properties
  std::vector<json::Value> required;    // arrays of names
  bool nullable = false;
  bool merged = false;   // something else than the schema's own members is in it
  bool cut = false;      // a reference was not followed: recursion, or no such target
  bool unknown = false;  // keywords nobody knows were left out

  bool has(Keyword keyword) const;
};

using Names = std::unordered_set<std::string_view>;
// All names of the lists.
Names names_of(const std::vector<json::Value>& lists, base::Arena& arena);

// Finds what references into the same document mean.
class Resolver {
 public:
  // References that are no plain name in $defs or definitions cost a walk; beyond this many they mean nothing.
  static constexpr size_t kWalksMax = 500;

  Resolver(json::Value root, base::Arena& arena);
  json::Value root() const { return root_; }
  // Absent if there is no such target.
  json::Value target(json::Value ref);

 private:
  json::Value root_;
  base::Arena& arena_;
  std::unordered_map<std::string_view, json::Value> defs_;
  std::unordered_map<std::string_view, json::Value> definitions_;
  size_t walks_ = 0;
};

// `active` holds the references being written out; those this node takes in are added to it.
Node flatten(json::Value schema, Resolver& resolver, bool inline_refs, std::vector<json::Value>& active,
             base::Arena& arena);

// True if a schema refers to one it stands in.
bool has_cycle(Resolver& resolver, base::Arena& arena);

}  // namespace llmgw::chat::schema
