// Which members of the objects inside a request a dialect's reader reads, as data, and what a client sends besides: it
// is noted in the request, and becomes a warning when the request is written (dialects/losses.h). Pure; one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "chat/request.h"
#include "json/tree.h"

namespace llmgw::dialects {

struct Shape;

struct Known {
  std::string_view name;
  // Of the object, or of the objects of the list, that it is. Null: read as it stands, whatever is in it.
  const Shape* inside = nullptr;
  // Not read, and no loss: why not. Of `only` this value, or an object of this `type`, if that is not empty.
  std::string_view harmless = {};
  std::string_view only = {};
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

// Notes in request.unread what `root` has beyond the shape. Members that say nothing (null, "", [], {}) are no loss.
void note_unread(json::Value root, const Shape& shape, chat::Request& request, base::Arena& arena);

}  // namespace llmgw::dialects
