#include "json/splice.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>

#include "json/text.h"

namespace llmgw::json {

void Pieces::add(std::string_view part) {
  if (part.empty()) return;
  parts_[count_++] = part;
  size_bytes_ += part.size();
}

std::string_view Pieces::joined(base::Arena& arena) const {
  if (count_ == 1) return parts_[0];
  const auto room = arena.bytes(size_bytes_);
  char* out = room.data();
  for (auto part : parts()) {
    std::memcpy(out, part.data(), part.size());
    out += part.size();
  }
  return {room.data(), room.size()};
}

base::Result<Pieces> splice(std::string_view body, std::span<const Edit> edits) {
  if (edits.size() > kEditsMax) return base::fail(base::ErrorCode::too_large, "more edits of a body than allowed");
  std::array<Edit, kEditsMax> sorted;
  std::copy(edits.begin(), edits.end(), sorted.begin());
  const auto last = sorted.begin() + static_cast<ptrdiff_t>(edits.size());
  std::sort(sorted.begin(), last, [](const Edit& a, const Edit& b) {
    if (a.span.data() != b.span.data()) return std::less<>{}(a.span.data(), b.span.data());
    return a.span.size() < b.span.size();
  });
  Pieces pieces;
  const char* cursor = body.data();
  const char* const end = body.data() + body.size();
  for (auto edit = sorted.begin(); edit != last; ++edit) {
    const char* from = edit->span.data();
    if (std::less<>{}(from, cursor) || std::less<>{}(end, from) ||
        edit->span.size() > static_cast<size_t>(end - from)) {
      return base::fail(base::ErrorCode::invalid_argument, "an edit lies outside the body or on another edit");
    }
    pieces.add({cursor, static_cast<size_t>(from - cursor)});
    pieces.add(edit->text);
    cursor = from + edit->span.size();
  }
  pieces.add({cursor, static_cast<size_t>(end - cursor)});
  return pieces;
}

std::string_view quoted(base::Arena& arena, std::string_view text) {
  const bool plain = std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x80 || c == '"' || c == '\\';
  });
  if (plain) {
    const auto room = arena.bytes(text.size() + 2);
    room.front() = '"';
    std::copy(text.begin(), text.end(), room.begin() + 1);
    room.back() = '"';
    return {room.data(), room.size()};
  }
  std::string escaped;
  append_quoted(escaped, text);
  return arena.copy(escaped);
}

}  // namespace llmgw::json
