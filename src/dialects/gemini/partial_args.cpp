#include "dialects/gemini/partial_args.h"

#include <algorithm>

#include "base/text.h"

namespace llmgw::dialects::gemini {
namespace {

constexpr size_t kNone = static_cast<size_t>(-1);

// The next step of a path: ".name", "['name']" or "[3]". False at its end or if it is none.
bool take_step(std::string_view& path, std::string_view& name, bool& index) {
  index = false;
  if (path.starts_with('.')) {
    path.remove_prefix(1);
    const size_t length = std::min(path.find_first_of(".["), path.size());
    name = path.substr(0, length);
    path.remove_prefix(length);
    return length > 0;
  }
  if (!path.starts_with('[')) return false;
  const bool quoted = path.size() > 1 && (path[1] == '\'' || path[1] == '"');
  const std::string end = quoted ? std::string(1, path[1]) + "]" : "]";
  const size_t from = quoted ? 2 : 1;
  const size_t close = path.find(end, from);
  if (close == std::string_view::npos) return false;
  name = path.substr(from, close - from);
  index = !quoted;
  path.remove_prefix(close + end.size());
  return true;
}

}  // namespace

void PartialArgs::whole(std::string_view json) {
  whole_ = json;
}

size_t PartialArgs::child(size_t parent, std::string_view key) {
  for (const size_t at : nodes_[parent].children)
    if (nodes_[at].key == key) return at;
  if (nodes_.size() >= kNodesMax) return kNone;
  nodes_.push_back({.key = std::string(key)});
  nodes_[parent].children.push_back(nodes_.size() - 1);
  return nodes_.size() - 1;
}

size_t PartialArgs::element(size_t parent, size_t index) {
  while (nodes_[parent].children.size() <= index) {
    if (nodes_.size() >= kNodesMax) return kNone;
    nodes_.push_back({});
    nodes_[parent].children.push_back(nodes_.size() - 1);
  }
  return nodes_[parent].children[index];
}

size_t PartialArgs::place(std::string_view path) {
  if (path.starts_with('$')) path.remove_prefix(1);
  size_t at = 0;
  std::string_view name;
  bool index = false;
  for (size_t depth = 0; !path.empty(); ++depth) {
    if (depth == kDepthMax || !take_step(path, name, index)) return kNone;
    Node& node = nodes_[at];
    const Kind wanted = index ? Kind::array : Kind::object;
    if (node.kind == Kind::unset) node.kind = wanted;
    if (node.kind != wanted) return kNone;
    if (index) {
      const auto number = base::parse_decimal(name);
      at = number && *number < kNodesMax ? element(at, *number) : kNone;
    } else {
      at = child(at, name);
    }
    if (at == kNone) return kNone;
  }
  return at;
}

bool PartialArgs::add(json::Value piece, base::Arena& arena) {
  const json::Value path = piece.any_of("jsonPath", "json_path");
  if (!path.is_string()) return false;
  const size_t at = place(path.string(arena));
  return at != kNone && at != 0 && set(at, piece, arena);
}

bool PartialArgs::set(size_t at, json::Value piece, base::Arena& arena) {
  Node& node = nodes_[at];
  const json::Value text = piece.any_of("stringValue", "string_value");
  if (text.is_string()) {
    if (node.kind == Kind::unset) node.kind = Kind::text;
    if (node.kind != Kind::text) return false;
    const std::string_view more = text.string(arena);
    text_bytes_ += more.size();
    if (text_bytes_ > kTextBytesMax) return false;
    node.text += more;
    return true;
  }
  if (node.kind != Kind::unset && node.kind != Kind::scalar) return true;  // a closing piece without a value
  const json::Value number = piece.any_of("numberValue", "number_value");
  const json::Value boolean = piece.any_of("boolValue", "bool_value");
  if (number.is_number()) {
    node.text = number.raw();
  } else if (boolean.present()) {
    node.text = boolean.raw();
  } else if (piece["nullValue"].present() || piece["null_value"].present()) {
    node.text = "null";
  } else {
    return true;
  }
  node.kind = Kind::scalar;
  return true;
}

void PartialArgs::write(json::Writer& w, size_t at) const {
  const Node& node = nodes_[at];
  switch (node.kind) {
    case Kind::object:
      w.begin_object();
      for (const size_t other : node.children) {
        w.key(nodes_[other].key);
        write(w, other);
      }
      w.end_object();
      return;
    case Kind::array:
      w.begin_array();
      for (const size_t other : node.children) write(w, other);
      w.end_array();
      return;
    case Kind::text: w.value(node.text); return;
    case Kind::scalar: w.raw(node.text); return;
    case Kind::unset: w.null(); return;
  }
}

std::string PartialArgs::json() const {
  if (!whole_.empty()) return whole_;
  std::string text;
  json::Writer w(text);
  write(w, 0);
  return text;
}

}  // namespace llmgw::dialects::gemini
