#include "dialects/said_text.h"

#include <algorithm>

namespace llmgw::dialects {
namespace {

constexpr size_t kMarkBytes = 4096;  // a search is no longer than this, however long the text

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

}  // namespace

uint64_t count_characters(std::string_view text) {
  return static_cast<uint64_t>(std::ranges::count_if(text, &begins_character));
}

void SaidText::start_part() {
  part_bytes_ = bytes_;
  part_characters_ = characters_;
}

void SaidText::add(std::string_view text) {
  // Nothing behind a gap: positions would be wrong there.
  if (bytes_ == text_.size()) text_ += text.substr(0, kKeptBytesMax - text_.size());
  bytes_ += text.size();
  characters_ += count_characters(text);
}

SaidText::Unit SaidText::unit_of(chat::Dialect dialect) {
  switch (dialect) {
    case chat::Dialect::gemini:
    case chat::Dialect::vertex: return Unit::bytes;
    case chat::Dialect::openai_responses: return Unit::characters_of_part;
    default: return Unit::characters;
  }
}

CitedPlace SaidText::whole_part(Unit unit) const {
  CitedPlace place{.start = part_bytes_, .end = bytes_};
  if (unit == Unit::characters) place = {.start = part_characters_, .end = characters_};
  if (unit == Unit::characters_of_part) place = {.start = 0, .end = characters_ - part_characters_};
  place.text = std::string_view(text_).substr(std::min<uint64_t>(part_bytes_, text_.size()));
  return place;
}

void SaidText::mark() {
  if (marks_.empty()) marks_.push_back(0);
  while (marks_.size() * kMarkBytes <= text_.size()) {
    const size_t from = (marks_.size() - 1) * kMarkBytes;
    marks_.push_back(marks_.back() + count_characters(std::string_view(text_).substr(from, kMarkBytes)));
  }
}

std::optional<size_t> SaidText::byte_at(uint64_t position, Unit unit) {
  if (unit == Unit::bytes) return position <= text_.size() ? std::optional<size_t>(position) : std::nullopt;
  if (position > bytes_) return std::nullopt;  // there are no more characters than bytes
  const uint64_t wanted = unit == Unit::characters_of_part ? part_characters_ + position : position;
  mark();
  // The last mark that does not lie behind it.
  const auto behind = std::ranges::upper_bound(marks_, wanted);
  uint64_t characters = *(behind - 1);
  for (size_t at = static_cast<size_t>(behind - marks_.begin() - 1) * kMarkBytes; at < text_.size(); ++at) {
    if (begins_character(text_[at]) && characters++ == wanted) return at;
  }
  return characters == wanted ? std::optional<size_t>(text_.size()) : std::nullopt;
}

uint64_t SaidText::position_at(size_t byte, Unit unit) {
  if (unit == Unit::bytes) return byte;
  mark();
  const size_t from = byte / kMarkBytes * kMarkBytes;
  const uint64_t characters =
      marks_[byte / kMarkBytes] + count_characters(std::string_view(text_).substr(from, byte - from));
  if (unit == Unit::characters) return characters;
  return characters - std::min(characters, part_characters_);
}

// Of text that is not kept or not yet said: between those who count characters only the start differs.
CitedPlace SaidText::unseen_place(uint64_t start, uint64_t end, Unit from, Unit to) const {
  if (from == Unit::bytes || to == Unit::bytes) return whole_part(to);
  CitedPlace place{.start = start, .end = end, .known = true};
  if (from == to) return place;
  for (uint64_t* position : {&place.start, &place.end}) {
    if (to == Unit::characters) *position += part_characters_;
    if (from == Unit::characters) *position -= std::min(*position, part_characters_);
  }
  return place.start < place.end ? place : whole_part(to);
}

CitedPlace SaidText::place(std::optional<uint64_t> start, std::optional<uint64_t> end, chat::Dialect origin,
                           chat::Dialect client) {
  const Unit from = unit_of(origin);
  const Unit to = unit_of(client);
  // Some vendors say 0 to 0 where they do not know.
  if (!end || start.value_or(0) >= *end) return whole_part(to);
  const auto first = byte_at(start.value_or(0), from);
  const auto last = byte_at(*end, from);
  if (!first || !last) return unseen_place(start.value_or(0), *end, from, to);
  CitedPlace place{.start = position_at(*first, to), .end = position_at(*last, to), .known = true};
  place.text = std::string_view(text_).substr(*first, *last - *first);
  // A place in an earlier part is none in this one.
  return place.start < place.end ? place : whole_part(to);
}

}  // namespace llmgw::dialects
