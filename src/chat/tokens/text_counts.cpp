#include "chat/tokens/text_counts.h"

#include <algorithm>
#include <array>
#include <string>

namespace llmgw::chat {
namespace {

enum class Class : uint8_t { letter, digit, blank, line, mark, high };

constexpr std::array<Class, 256> make_classes() {
  std::array<Class, 256> classes{};
  for (size_t c = 0; c < classes.size(); ++c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      classes[c] = Class::letter;
    } else if (c >= '0' && c <= '9') {
      classes[c] = Class::digit;
    } else if (c == '\n' || c == '\r') {
      classes[c] = Class::line;
    } else if (c <= ' ') {
      classes[c] = Class::blank;
    } else {
      classes[c] = c < 0x80 ? Class::mark : Class::high;
    }
  }
  return classes;
}
constexpr std::array<Class, 256> kClasses = make_classes();

Class class_of(char c) {
  return kClasses[static_cast<unsigned char>(c)];
}
bool is_capital(char c) {
  return c >= 'A' && c <= 'Z';
}

constexpr uint64_t kShortWord = 7;     // most words up to this length are one token
constexpr uint64_t kShortCapital = 3;  // shorter ones are words like others
constexpr uint64_t kDigitGroup = 3;    // tokenizers cut numbers into groups

// Bytes of the character that begins there; 1 for what is no UTF-8.
size_t character_size(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  return std::min(size, text.size() - at);
}

uint32_t code_point(std::string_view text, size_t at, size_t size) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[at + i])); };
  switch (size) {
    case 2: return (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
    case 3: return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    case 4: return (byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    default: return byte(0);
  }
}

bool is_wide(uint32_t point) {
  return (point >= 0x2E80 && point <= 0x9FFF) || (point >= 0xAC00 && point <= 0xD7AF) ||
         (point >= 0xF900 && point <= 0xFAFF) || (point >= 0xFF00 && point <= 0xFFEF) ||
         (point >= 0x20000 && point <= 0x3FFFF);
}
bool is_letter(uint32_t point) {
  return point >= 0xC0 && point < 0x2000;
}

// Thai, Lao, Burmese, Khmer: no blanks between words.
bool is_unspaced(uint32_t point) {
  return (point >= 0x0E00 && point <= 0x0EFF) || (point >= 0x1000 && point <= 0x109F) ||
         (point >= 0x1780 && point <= 0x17FF);
}

void add_word(TextCounts& counts, std::string_view word) {
  if (word.size() >= kShortCapital && std::ranges::all_of(word, is_capital)) {
    ++counts.capitals;
    counts.capital_letters += word.size();
    return;
  }
  ++counts.words;
  size_t begin = 0;
  for (size_t i = 1; i <= word.size(); ++i) {
    const bool ends = i == word.size();
    if (!ends && (!is_capital(word[i]) || is_capital(word[i - 1]))) continue;
    if (i - begin > kShortWord) counts.long_letters += i - begin - kShortWord;
    counts.humps += ends ? 0 : 1;
    begin = i;
  }
}

// A run of letters of any alphabet but the wide ones, from `at` on; where it ends.
size_t add_letters(TextCounts& counts, std::string_view text, size_t at) {
  constexpr uint64_t kUnspacedWord = 6;
  uint64_t plain = 0;
  uint64_t foreign = 0;
  uint64_t unspaced = 0;
  size_t end = at;
  while (end < text.size()) {
    if (class_of(text[end]) == Class::letter) {
      ++plain;
      ++end;
      continue;
    }
    const size_t size = character_size(text, end);
    const uint32_t point = class_of(text[end]) == Class::high ? code_point(text, end, size) : 0;
    if (!is_letter(point)) break;
    ++foreign;
    unspaced += is_unspaced(point) ? 1 : 0;
    end += size;
  }
  if (foreign == 0) {
    add_word(counts, text.substr(at, end - at));
    return end;
  }
  counts.letters += plain > 0 ? 2 * foreign : foreign;
  counts.words += 1 + unspaced / kUnspacedWord;
  if (plain > 0 && plain + foreign > kShortWord) counts.long_letters += plain + foreign - kShortWord;
  return end;
}

bool is_joint(std::string_view text, size_t at) {
  constexpr std::string_view kJoints = "_-./\\'$@#";
  if (!kJoints.contains(text[at]) || at + 1 >= text.size() || class_of(text[at + 1]) != Class::letter) return false;
  if (text[at] == '_') return true;
  return at > 0 && (class_of(text[at - 1]) == Class::letter || class_of(text[at - 1]) == Class::digit);
}

double number(uint64_t count) {
  return static_cast<double>(count);
}

}  // namespace

void TextCounts::add(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Class kind = class_of(text[i]);
    if (kind == Class::high) {
      const size_t size = character_size(text, i);
      const uint32_t point = code_point(text, i, size);
      if (is_letter(point)) {
        i = add_letters(*this, text, i);
        continue;
      }
      ++(is_wide(point) ? wide : symbols);
      i += size;
      continue;
    }
    if (kind == Class::letter) {
      i = add_letters(*this, text, i);
      continue;
    }
    size_t end = i + 1;
    while (end < text.size() && class_of(text[end]) == kind) ++end;
    const uint64_t length = end - i;
    switch (kind) {
      case Class::digit:
        digits += (length + kDigitGroup - 1) / kDigitGroup;
        digit_chars += length;
        spaced_digits += i > 0 && text[i - 1] == ' ' ? 1 : 0;
        break;
      case Class::line: ++(i > 0 && class_of(text[i - 1]) == Class::mark ? mark_lines : lines); break;
      case Class::blank: indents += length > 1 ? 1 : 0; break;
      case Class::mark:
        ++marks;
        more_marks += length - 1;
        joints += length == 1 && is_joint(text, i) ? 1 : 0;
        break;
      case Class::letter:
      case Class::high: break;
    }
    i = end;
  }
}

void TextCounts::add_json(std::string_view json) {
  std::string compact;
  compact.reserve(json.size());
  bool in_string = false;
  bool escaped = false;
  for (const char c : json) {
    const Class kind = class_of(c);
    if (!in_string && (kind == Class::blank || kind == Class::line)) continue;
    if (c == '"' && !escaped) in_string = !in_string;
    escaped = in_string && c == '\\' && !escaped;
    compact += c;
  }
  add(compact);
}

double weigh(const TextCounts& text, const TextWeights& w) {
  return number(text.words) * w.word + number(text.long_letters) * w.long_letter + number(text.humps) * w.hump +
         number(text.capitals) * w.capital + number(text.capital_letters) * w.capital_letter +
         number(text.digits) * w.digits + number(text.digit_chars) * w.digit_char +
         number(text.spaced_digits) * w.spaced_digits + number(text.marks) * w.mark +
         number(text.more_marks) * w.more_marks + number(text.joints) * w.joint + number(text.lines) * w.line +
         number(text.mark_lines) * w.mark_line + number(text.indents) * w.indent + number(text.letters) * w.letter +
         number(text.wide) * w.wide + number(text.symbols) * w.symbol;
}

}  // namespace llmgw::chat
