#include "chat/warning.h"

#include <charconv>
#include <optional>

#include "chat/client_field.h"
#include "json/utf8.h"

namespace llmgw::chat {
namespace {

void append_unit(std::string& out, uint32_t unit) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[unit >> shift & 0xF];
}

// The character at the start of well-formed UTF-8, as one or two of JSON's escapes.
void append_escaped(std::string& out, std::string_view character) {
  uint32_t code = static_cast<uint8_t>(character[0]);
  constexpr uint32_t kHeads[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  code &= kHeads[character.size()];
  for (const char c : character.substr(1)) code = code << 6 | (static_cast<uint8_t>(c) & 0x3F);
  constexpr uint32_t kFirstOfTwo = 0x10000;
  if (code < kFirstOfTwo) return append_unit(out, code);
  code -= kFirstOfTwo;
  append_unit(out, 0xD800 | code >> 10);
  append_unit(out, 0xDC00 | (code & 0x3FF));
}

// An RFC 8941 string: printable ASCII. What is no character of UTF-8 becomes '?'.
void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c >= 0x20 && c < 0x7F) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
      ++i;
      continue;
    }
    const bool ascii = static_cast<uint8_t>(c) < 0x80;
    const json::Sequence sequence =
        ascii ? json::Sequence{1, json::Sequence::valid} : json::read_sequence(text.data() + i, text.size() - i);
    if (sequence.kind == json::Sequence::broken) {
      out += '?';
    } else {
      append_escaped(out, text.substr(i, sequence.length));
    }
    i += sequence.length;
  }
  out += '"';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Whether two paths differ in nothing but the numbers in brackets.
bool same_kind(std::string_view left, std::string_view right) {
  size_t i = 0;
  size_t j = 0;
  bool index = false;
  while (i < left.size() && j < right.size()) {
    if (left[i] != right[j]) return false;
    index = left[i] == '[';
    ++i;
    ++j;
    if (!index) continue;
    while (i < left.size() && is_digit(left[i])) ++i;
    while (j < right.size() && is_digit(right[j])) ++j;
  }
  return i == left.size() && j == right.size();
}

// "input[2].content[0]": the list, the element's number, and what is in it.
struct Element {
  std::string_view list;
  size_t index = 0;
  std::string_view rest;
};

std::optional<Element> element_of(std::string_view path) {
  const size_t open = path.find('[');
  if (open == std::string_view::npos) return std::nullopt;
  Element element{.list = path.substr(0, open), .rest = {}};
  const char* const end = path.data() + path.size();
  const auto [behind, error] = std::from_chars(path.data() + open + 1, end, element.index);
  if (error != std::errc() || behind == end || *behind != ']') return std::nullopt;
  element.rest = {behind + 1, end};
  return element;
}

// The place of an element that the client has elsewhere, or in no list at all; empty if it stands where it did.
std::string_view place_in_request(const List<Spelling>& spellings, std::string_view path, base::Arena& arena) {
  const std::optional<Element> asked = element_of(path);
  if (!asked) return {};
  std::optional<Element> first;
  std::string_view client;
  for (const Spelling& spelling : spellings) {
    const std::optional<Element> from = element_of(spelling.field);
    if (!from || from->list != asked->list || from->index > asked->index) continue;
    if (first && first->index > from->index) continue;
    first = from;
    client = spelling.client;
  }
  const std::optional<Element> place = element_of(client);
  if (!first || !place) return client;
  const std::string number = std::to_string(place->index + asked->index - first->index);
  return arena.copy(std::string(place->list) + '[' + number + ']' + std::string(asked->rest));
}

std::string reason_of(const Warning& warning) {
  std::string reason(warning.reason);
  if (warning.more == 0) return reason;
  return reason + "; the same in " + std::to_string(warning.more) +
         (warning.more == 1 ? " other place" : " other places");
}

}  // namespace

std::string_view to_string(WarningKind kind) {
  switch (kind) {
    case WarningKind::dropped: return "dropped";
    case WarningKind::changed: return "changed";
    case WarningKind::emulated: return "emulated";
    case WarningKind::estimated: return "estimated";
  }
  return "dropped";
}

std::string_view Warnings::name_of(std::string_view field) const {
  for (const Spelling& spelling : spellings_) {
    if (spelling.field == field) return spelling.client;
  }
  if (const std::string_view place = place_in_request(spellings_, field, arena_); !place.empty()) return place;
  return client_field(client_, field);
}

void Warnings::add(WarningKind kind, std::string_view field, std::string_view reason) {
  std::string cut;
  field = name_of(field);
  if (field.size() > kFieldBytesMax) {
    cut = std::string(field.substr(0, kFieldBytesMax)) + "...";
    field = cut;
  }
  for (const Warning& known : list_) {
    if (known.kind == kind && (known.field == field || known.last == field)) return;
  }
  for (Warning& known : list_) {
    if (known.kind != kind || known.reason != reason || !same_kind(known.field, field)) continue;
    ++known.more;
    known.last = arena_.copy(field);
    return;
  }
  if (list_.size() == kCountMax) {
    ++left_out_;
    return;
  }
  list_.push(arena_, {.kind = kind, .field = arena_.copy(field), .reason = arena_.copy(reason)});
}

void Warnings::keep_first(size_t count) {
  while (list_.size() > count) list_.pop();
  left_out_ = 0;
}

std::string Warnings::header() const {
  constexpr size_t kMoreBytes = 24;  // room for "more;count=N"
  std::string out;
  size_t left_out = left_out_;
  for (size_t i = 0; i < list_.size(); ++i) {
    std::string entry(to_string(list_[i].kind));
    entry += ";field=";
    append_string(entry, list_[i].field);
    entry += ";reason=";
    append_string(entry, reason_of(list_[i]));
    if (out.size() + entry.size() + kMoreBytes > kHeaderBytesMax) {
      left_out += list_.size() - i;
      break;
    }
    if (!out.empty()) out += ", ";
    out += entry;
  }
  if (left_out > 0) out += (out.empty() ? "more;count=" : ", more;count=") + std::to_string(left_out);
  return out;
}

}  // namespace llmgw::chat
