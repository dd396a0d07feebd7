#include "dialects/members.h"

#include <array>
#include <string>

#include "chat/warning.h"
#include "dialects/request_gates.h"
#include "json/number.h"

namespace llmgw::dialects {
namespace {

using json::Value;

// Deeper than any table goes; tables that name themselves end here.
constexpr size_t kDepthMax = 16;

bool says_nothing(Value value) {
  if (value.is_null()) return true;
  if (value.is_string()) return value.escaped().empty();
  const bool container = value.is_object() || value.is_array();
  // The shortest that hold anything are [1] and {"":1}.
  constexpr size_t kShortestFull = 3;
  return container && (value.raw().size() < kShortestFull || value.empty());
}

bool is_harmless(const Known& known, Value value) {
  if (known.harmless.empty()) return false;
  return known.only.empty() || value.equals(known.only) || value["type"].equals(known.only);
}

const Known* find(std::span<const Known> members, const json::Member& member) {
  for (const Known& known : members) {
    if (member.is(known.name)) return &known;
  }
  return nullptr;
}

bool is_whole(std::string_view digits) {
  return json::is_json_number(digits) && digits.find_first_of(".eE") == std::string_view::npos;
}

bool takes_number(Takes takes, Value value) {
  if (any_of(takes, Takes::number)) return true;
  return any_of(takes, Takes::whole) && (value.unsigned_integer() || value.integer());
}

bool takes_text(Takes takes, Value value) {
  if (any_of(takes, Takes::text)) return true;
  if (!any_of(takes, Takes::quoted)) return false;
  const std::string_view digits = value.escaped();
  return any_of(takes, Takes::whole) ? is_whole(digits) : json::is_json_number(digits);
}

bool takes_list(Takes takes, Value value) {
  if (any_of(takes, Takes::list)) return true;
  if (any_of(takes, Takes::texts)) {
    for (const Value element : value.elements()) {
      if (!element.is_string()) return false;
    }
    return true;
  }
  return any_of(takes, Takes::empty_list) && value.empty();
}

bool is_taken(Takes takes, Value value) {
  switch (value.kind()) {
    case json::Kind::object: return any_of(takes, Takes::object);
    case json::Kind::array: return takes_list(takes, value);
    case json::Kind::string: return takes_text(takes, value);
    case json::Kind::number: return takes_number(takes, value);
    case json::Kind::boolean: return any_of(takes, Takes::flag);
    default: return true;
  }
}

// "expected a text or a list".
std::string_view expectation(Takes takes, base::Arena& arena) {
  struct Row {
    Takes type;
    std::string_view words;
  };
  constexpr Row kRows[] = {{Takes::text, "a text"},          {Takes::number, "a number"},
                           {Takes::whole, "a whole number"}, {Takes::flag, "true or false"},
                           {Takes::object, "an object"},     {Takes::list, "a list"},
                           {Takes::texts, "a list of texts"}};
  std::string text;
  for (const Row& row : kRows) {
    if (!any_of(takes, row.type)) continue;
    text += text.empty() ? "expected " : " or ";
    text += row.words;
  }
  return arena.copy(text);
}

class Walk {
 public:
  Walk(chat::Request& request, base::Arena& arena) : request_(request), arena_(arena) {}

  Outcome<void> object(Value value, const Shape& shape) {
    std::span<const Known> members = shape.members;
    bool kept = shape.kept;
    if (!shape.variants.empty()) {
      const Variant* const variant = variant_of(value, shape);
      if (variant == nullptr) {
        if (shape.unknown_types == Others::noted) note(shape.variants.data(), {}, shape.kept);
        return {};
      }
      members = variant->members;
      kept = kept || variant->kept;
    }
    for (const json::Member member : value.members()) {
      const Known* const known = find(members, member);
      if (known == nullptr || !known->harmless.empty()) {
        if (known == nullptr && shape.unknown_members != Others::noted) continue;
        if (says_nothing(member.value) || (known != nullptr && is_harmless(*known, member.value))) continue;
        note(members.data(), member.key(arena_), kept);
      } else if (!is_taken(known->takes, member.value)) {
        return invalid(arena_, path(known->name), expectation(known->takes, arena_));
      } else if (known->inside != nullptr && depth_ < kDepthMax) {
        path_[depth_++] = {.name = known->name};
        TRY_VOID(inside(member.value, *known->inside));
        --depth_;
      }
    }
    return {};
  }

 private:
  struct Step {
    std::string_view name;
    size_t index = 0;
    bool indexed = false;
  };
  struct Noted {
    const void* kind;  // the table of members
    std::string_view name;
  };

  static const Variant* variant_of(Value value, const Shape& shape) {
    const Value type = value[shape.type];
    for (const Variant& variant : shape.variants) {
      if (variant.type.empty() ? type.is_unset() : type.equals(variant.type)) return &variant;
    }
    return nullptr;
  }

  Outcome<void> inside(Value value, const Shape& shape) {
    if (value.is_object()) return object(value, shape);
    Step& step = path_[depth_ - 1];
    step.indexed = true;
    step.index = 0;
    for (const Value element : value.elements()) {
      if (element.is_object()) TRY_VOID(object(element, shape));
      ++step.index;
    }
    return {};
  }

  // `name` empty: the object itself.
  void note(const void* kind, std::string_view name, bool kept) {
    for (size_t i = 0; i < request_.unread.size(); ++i) {
      if (noted_[i].kind != kind || noted_[i].name != name || request_.unread[i].kept != kept) continue;
      ++request_.unread[i].more;
      return;
    }
    if (request_.unread.size() == chat::Unread::kCountMax) {
      ++request_.unread_left_out;
      return;
    }
    noted_[request_.unread.size()] = {.kind = kind, .name = name};
    request_.unread.push(arena_, {.path = path(name), .kept = kept});
  }

  // Of the member in the object at hand; of the object itself if `name` is empty.
  std::string_view path(std::string_view name) {
    name = name.substr(0, chat::Warnings::kFieldBytesMax);
    std::string path;
    for (size_t i = 0; i < depth_; ++i) {
      if (!path.empty()) path += '.';
      path += path_[i].name;
      if (path_[i].indexed) path += '[' + std::to_string(path_[i].index) + ']';
    }
    if (!name.empty()) {
      if (!path.empty()) path += '.';
      path += name;
    }
    return arena_.copy(path);
  }

  chat::Request& request_;
  base::Arena& arena_;
  std::array<Step, kDepthMax> path_;
  size_t depth_ = 0;
  std::array<Noted, chat::Unread::kCountMax> noted_{};
};

}  // namespace

Outcome<void> check_members(Value root, const Shape& shape, chat::Request& request, base::Arena& arena) {
  return Walk(request, arena).object(root, shape);
}

std::string_view number_in_quotes(Value value) {
  if (value.is_number()) return value.number();
  return json::is_json_number(value.escaped()) ? value.escaped() : std::string_view();
}

}  // namespace llmgw::dialects
