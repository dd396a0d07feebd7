// Which members of the objects inside a request a dialect's reader reads, as data, and of which JSON types they are.
// Another type is refused, since readers take what is of another type for absent; what a client sends besides is noted
// in the request, and becomes a warning when the request is written (dialects/losses.h). Pure; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "chat/request.h"
#include "dialects/codec.h"
#include "json/tree.h"

namespace llmgw::dialects {

struct Shape;

// The JSON types that a member may be of. null is always taken: it says what an absent member says.
enum class Takes : uint16_t {
  text = 1,
  number = 2,
  whole = 4,   // a number without a fraction
  quoted = 8,  // with one of the two: also as text, as protobuf's JSON has it
  flag = 16,
  object = 32,
  list = 64,
  texts = 128,       // a list of texts
  empty_list = 256,  // how PHP writes an empty object
  anything = 511,
};
constexpr Takes operator|(Takes a, Takes b) {
  return static_cast<Takes>(static_cast<uint16_t>(a) | static_cast<uint16_t>(b));
}
constexpr bool any_of(Takes takes, Takes types) {
  return (static_cast<uint16_t>(takes) & static_cast<uint16_t>(types)) != 0;
}

struct Known {
  constexpr Known(std::string_view member, Takes types) : name(member), takes(types) {}
  // Content is a text as often as a list of objects.
  constexpr Known(std::string_view member, const Shape* shape, Takes types = Takes::text | Takes::object | Takes::list)
      : name(member), inside(shape), takes(types) {}
  constexpr Known(std::string_view member, std::nullptr_t, std::string_view why, std::string_view value = {})
      : name(member), harmless(why), only(value) {}

  std::string_view name;
  // Of the object, or of the objects of the list, that it is. Null: read as it stands, whatever is in it.
  const Shape* inside = nullptr;
  // Not read, and no loss: why not. Of `only` this value, or an object of this `type`, if that is not empty.
  std::string_view harmless = {};
  std::string_view only = {};
  Takes takes = Takes::anything;
};

// Objects told apart by a member.
struct Variant {
  std::string_view type;  // empty: without one
  std::span<const Known> members;
  bool kept = false;  // see Shape
};

enum class Others : uint8_t {
  noted,  // unread
  whole,  // of an object of an unknown type: it is read as it stands (opaque parts, provider's own tools)
  extra,  // the reader puts them among the request's extras
};

struct Shape {
  std::span<const Known> members = {};
  std::span<const Variant> variants = {};
  std::string_view type = "type";  // the member that tells variants apart
  Others unknown_members = Others::noted;
  Others unknown_types = Others::whole;
  // A target of the same dialect gets the object as it stood, unread members and all.
  bool kept = false;
};

// Refuses the first member that is of a type it cannot be of. Notes in request.unread what `root` has beyond the shape;
// members that say nothing (null, "", [], {}) are no loss.
Outcome<void> check_members(json::Value root, const Shape& shape, chat::Request& request, base::Arena& arena);

// The value of a number that may be in quotes; empty if it is none.
std::string_view number_in_quotes(json::Value value);

}  // namespace llmgw::dialects
