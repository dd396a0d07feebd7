#include "json/text.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "json/utf8.h"

namespace llmgw::json {
namespace {

constexpr char kHex[] = "0123456789abcdef";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Four hexadecimal digits at `p`, or -1.
int32_t code_unit(const char* p) {
  int32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(p[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

char* put_utf8(char* out, uint32_t code) {
  if (code < 0x80) {
    *out++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *out++ = static_cast<char>(0xC0 | (code >> 6));
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *out++ = static_cast<char>(0xE0 | (code >> 12));
    *out++ = static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  } else {
    *out++ = static_cast<char>(0xF0 | (code >> 18));
    *out++ = static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    *out++ = static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  }
  return out;
}

char simple_escape(char c) {
  switch (c) {
    case '"': return '"';
    case '\\': return '\\';
    case '/': return '/';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
  }
}

// 0 for a byte that stands as it is, else what to do with it.
enum Action : uint8_t { plain = 0, control, quote, multibyte };

constexpr auto kActions = [] {
  std::array<uint8_t, 256> table{};
  for (size_t i = 0; i < 0x20; ++i) table[i] = control;
  table['"'] = quote;
  table['\\'] = quote;
  for (size_t i = 0x80; i < 256; ++i) table[i] = multibyte;
  return table;
}();

// True if one of the eight bytes needs an action: control, quote, backslash or non-ASCII (the usual SWAR zero-byte
// tests).
bool any_action(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHigh = 0x8080808080808080;
  const auto zero_byte = [](uint64_t x) { return (x - kOnes) & ~x; };
  const uint64_t below_space = word - kOnes * 0x20;
  return ((word | below_space | zero_byte(word ^ (kOnes * '"')) | zero_byte(word ^ (kOnes * '\\'))) & kHigh) != 0;
}

size_t plain_prefix(const char* p, size_t size) {
  size_t i = 0;
  while (i + 8 <= size && !any_action(p + i)) i += 8;
  while (i < size && kActions[static_cast<uint8_t>(p[i])] == plain) ++i;
  return i;
}

void append_control(std::string& out, char c) {
  switch (c) {
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default:
      out += "\\u00";
      out += kHex[static_cast<uint8_t>(c) >> 4];
      out += kHex[static_cast<uint8_t>(c) & 15];
  }
}

void append_surrogate(std::string& out, const char* p) {
  const uint32_t code = 0xD000U | ((static_cast<uint8_t>(p[1]) & 0x3FU) << 6) | (static_cast<uint8_t>(p[2]) & 0x3FU);
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(code >> shift) & 15];
}

}  // namespace

base::Result<size_t> unescape(std::string_view escaped, char* out) {
  const char* p = escaped.data();
  const char* const end = p + escaped.size();
  const char* const start = out;
  const auto broken = [] { return base::fail(base::ErrorCode::invalid_argument, "JSON string has a broken escape"); };
  while (p < end) {
    const char c = *p;
    if (c != '\\') {
      if (c == '"' || static_cast<uint8_t>(c) < 0x20) return broken();
      *out++ = c;
      ++p;
      continue;
    }
    if (end - p < 2) return broken();
    if (p[1] != 'u') {
      const char simple = simple_escape(p[1]);
      if (simple == 0) return broken();
      *out++ = simple;
      p += 2;
      continue;
    }
    if (end - p < 6) return broken();
    const int32_t unit = code_unit(p + 2);
    if (unit < 0) return broken();
    p += 6;
    auto code = static_cast<uint32_t>(unit);
    if (code >= 0xD800 && code < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
      const int32_t low = code_unit(p + 2);
      if (low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (static_cast<uint32_t>(low) - 0xDC00);
        p += 6;
      }
    }
    out = put_utf8(out, code);
  }
  return static_cast<size_t>(out - start);
}

base::Result<std::string_view> unescape(std::string_view escaped, base::Arena& arena) {
  if (plain_prefix(escaped.data(), escaped.size()) == escaped.size()) return escaped;
  const auto room = arena.bytes(escaped.size());
  TRY(size, unescape(escaped, room.data()));
  return std::string_view(room.data(), size);
}

void append_escaped(std::string& out, std::string_view text) {
  const char* p = text.data();
  size_t left = text.size();
  while (left > 0) {
    const size_t run = plain_prefix(p, left);
    out.append(p, run);
    p += run;
    left -= run;
    if (left == 0) return;
    size_t used = 1;
    const uint8_t action = kActions[static_cast<uint8_t>(*p)];
    if (action == control) {
      append_control(out, *p);
    } else if (action == quote) {
      out += '\\';
      out += *p;
    } else {
      const Sequence sequence = read_sequence(p, left);
      used = sequence.length;
      if (sequence.kind == Sequence::valid) {
        out.append(p, used);
      } else if (sequence.kind == Sequence::surrogate) {
        append_surrogate(out, p);
      } else {
        out += "\xEF\xBF\xBD";
      }
    }
    p += used;
    left -= used;
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

}  // namespace llmgw::json
