#include "telemetry/json_line.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "telemetry/utf8.h"

namespace llmgw::telemetry {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";     // U+2026
constexpr size_t kEscapeBytesMax = 6;                      // \u00XX

constexpr uint64_t repeated(uint8_t byte) {
  return 0x0101010101010101u * byte;
}

// Nonzero if one of eight bytes is a control character, a quote, a backslash, DEL or not ASCII.
// The usual "has a zero byte" trick: it may flag more bytes above a hit, never fewer.
constexpr uint64_t needs_care(uint64_t bytes) {
  const auto has_zero = [](uint64_t word) { return (word - repeated(1)) & ~word; };
  const uint64_t control = bytes - repeated(0x20);
  const uint64_t found = control | has_zero(bytes ^ repeated('"')) | has_zero(bytes ^ repeated('\\')) |
                         has_zero(bytes ^ repeated(0x7F)) | bytes;
  return found & repeated(0x80);
}

bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

template <class Word>
Word load(const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// Names are short: two words that overlap copy any of up to 16 bytes without a call or a loop.
char* put(char* out, std::string_view text) {
  const char* const from = text.data();
  const size_t size = text.size();
  const auto copy_ends = [=]<class Word>(Word) {
    const Word first = load<Word>(from);
    const Word last = load<Word>(from + size - sizeof(Word));
    std::memcpy(out, &first, sizeof first);
    std::memcpy(out + size - sizeof(Word), &last, sizeof last);
  };
  if (size > 16) {
    std::memcpy(out, from, size);
  } else if (size >= 8) {
    copy_ends(uint64_t{});
  } else if (size >= 4) {
    copy_ends(uint32_t{});
  } else {
    for (size_t i = 0; i < size; ++i) out[i] = from[i];
  }
  return out + size;
}

char* put_escaped(char* out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"': return put(out, "\\\"");
    case '\\': return put(out, "\\\\");
    case '\n': return put(out, "\\n");
    case '\r': return put(out, "\\r");
    case '\t': return put(out, "\\t");
    default: break;
  }
  const auto byte = static_cast<unsigned char>(c);
  out = put(out, "\\u00");
  *out++ = kHex[byte >> 4];
  *out++ = kHex[byte & 15];
  return out;
}

// Copies plain bytes eight at a time; returns how many were copied. `out` has room for `count` bytes.
size_t copy_plain(char* out, const char* from, size_t count) {
  size_t done = 0;
  for (; done + 8 <= count; done += 8) {
    const auto word = load<uint64_t>(from + done);
    if (needs_care(word)) break;
    std::memcpy(out + done, &word, 8);
  }
  // The last bytes, together with some that are copied already.
  if (count >= 8 && count - done < 8) {
    const auto word = load<uint64_t>(from + count - 8);
    if (!needs_care(word)) {
      std::memcpy(out + count - 8, &word, 8);
      return count;
    }
  } else if (count >= 4 && count < 8) {
    const auto first = load<uint32_t>(from);
    const auto last = load<uint32_t>(from + count - 4);
    if (!needs_care(uint64_t{last} << 32 | first)) {
      std::memcpy(out, &first, 4);
      std::memcpy(out + count - 4, &last, 4);
      return count;
    }
  }
  while (done < count && is_plain(from[done])) {
    out[done] = from[done];
    ++done;
  }
  return done;
}

}  // namespace

bool JsonLine::begin_field(std::string_view name, size_t value_bytes) {
  if (room() < name.size() + 4 + value_bytes) return false;  // comma, two quotes, colon
  if (cursor_ != buffer_.data() + 1) *cursor_++ = ',';
  *cursor_++ = '"';
  append(name);
  *cursor_++ = '"';
  *cursor_++ = ':';
  return true;
}

void JsonLine::append(std::string_view text) {
  cursor_ = put(cursor_, text);
}

void JsonLine::text(std::string_view name, std::string_view value, size_t value_bytes_max) {
  constexpr size_t kEndBytes = kEllipsis.size() + 1;
  if (!begin_field(name, kEndBytes + 1)) return;
  *cursor_++ = '"';
  const char* const limit = cursor_ + room() - kEndBytes;  // what stands before it leaves room for "…" and the quote
  size_t done = 0;
  const size_t end = std::min(value.size(), value_bytes_max);
  bool is_cut = value.size() > value_bytes_max;
  while (done < end) {
    const size_t plain =
        copy_plain(cursor_, value.data() + done, std::min(end - done, static_cast<size_t>(limit - cursor_)));
    cursor_ += plain;
    done += plain;
    if (done == end) break;
    if (limit - cursor_ < static_cast<ptrdiff_t>(kEscapeBytesMax)) {
      is_cut = true;
      break;
    }
    if (static_cast<unsigned char>(value[done]) < 0x80) {
      // copy_plain may have stopped for want of room, so the byte may be plain.
      if (is_plain(value[done]))
        *cursor_++ = value[done++];
      else
        cursor_ = put_escaped(cursor_, value[done++]);
      continue;
    }
    const size_t bytes = utf8_character_bytes(value.substr(done));
    if (done + bytes > end) break;  // the cut falls inside a character
    append(bytes ? value.substr(done, bytes) : kReplacement);
    done += std::max<size_t>(bytes, 1);
  }
  if (is_cut) append(kEllipsis);
  *cursor_++ = '"';
}

void JsonLine::number(std::string_view name, uint64_t value) {
  if (begin_field(name, kNumberBytesMax)) cursor_ = std::to_chars(cursor_, cursor_ + kNumberBytesMax, value).ptr;
}

void JsonLine::number(std::string_view name, int64_t value) {
  if (begin_field(name, kNumberBytesMax)) cursor_ = std::to_chars(cursor_, cursor_ + kNumberBytesMax, value).ptr;
}

void JsonLine::number(std::string_view name, double value) {
  if (!begin_field(name, kNumberBytesMax)) return;
  if (std::isfinite(value))
    cursor_ = std::to_chars(cursor_, cursor_ + kNumberBytesMax, value).ptr;
  else
    append("null");
}

void JsonLine::boolean(std::string_view name, bool value) {
  if (begin_field(name, 5)) append(value ? "true" : "false");
}

void JsonLine::thousandths(std::string_view name, uint64_t value) {
  if (!begin_field(name, kNumberBytesMax)) return;
  cursor_ = std::to_chars(cursor_, cursor_ + kNumberBytesMax, value / 1000).ptr;
  const auto rest = static_cast<uint32_t>(value % 1000);
  *cursor_++ = '.';
  *cursor_++ = static_cast<char>('0' + rest / 100);
  *cursor_++ = static_cast<char>('0' + rest / 10 % 10);
  *cursor_++ = static_cast<char>('0' + rest % 10);
}

void JsonLine::milliseconds(std::string_view name, base::Duration value) {
  thousandths(name, static_cast<uint64_t>(std::max<int64_t>(value.count(), 0)) / 1000);
}

void JsonLine::microseconds(std::string_view name, base::Duration value) {
  thousandths(name, static_cast<uint64_t>(std::max<int64_t>(value.count(), 0)));
}

std::string_view JsonLine::finish() {
  append("}\n");
  return {buffer_.data(), static_cast<size_t>(cursor_ - buffer_.data())};
}

}  // namespace llmgw::telemetry
