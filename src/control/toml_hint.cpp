#include "control/toml_hint.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace llmgw::control {
namespace {

constexpr std::string_view kBlank = " \t";

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin);
}

// The place of a fault as rules look at it.
struct Spot {
  std::string_view fault;  // what the parser says
  std::string_view line;   // trimmed
  std::string_view value;  // where the value begins in which the fault is, to the line's end
  std::string_view rest;   // from the fault on
  bool at_end = false;     // beyond the line's last character

  bool says(std::string_view words) const { return fault.contains(words); }
  bool value_starts(std::string_view characters) const { return !value.empty() && characters.contains(value.front()); }
};

// A column counts code points; a byte that continues one is not counted.
size_t byte_of(std::string_view line, uint32_t column) {
  size_t at = 0;
  for (uint32_t left = column; at < line.size(); ++at) {
    if ((static_cast<unsigned char>(line[at]) & 0xc0U) != 0x80 && --left == 0) break;
  }
  return at;
}

Spot spot_of(std::string_view text, Location at, std::string_view fault) {
  for (uint32_t number = 1; number < at.line && !text.empty(); ++number) {
    text.remove_prefix(std::min(text.size(), text.find('\n') == text.npos ? text.size() : text.find('\n') + 1));
  }
  auto line = text.substr(0, text.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const size_t byte = byte_of(line, at.column);
  const size_t before = line.substr(0, byte).find_last_of("=[{,");
  return {.fault = fault,
          .line = trim(line),
          .value = trim(line.substr(before == line.npos ? 0 : before + 1)),
          .rest = line.substr(std::min(byte, line.size())),
          .at_end = byte >= line.size()};
}

std::string_view key_of(std::string_view line) {
  const size_t equals = line.find('=');
  return equals == line.npos ? std::string_view() : trim(line.substr(0, equals));
}

// The lines before that one, from the last to the first.
template <class Look>
uint32_t look_back(std::string_view text, uint32_t number, Look look) {
  std::vector<std::string_view> lines;
  while (!text.empty() && lines.size() + 1 < number) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(trim(text.substr(0, end > 0 && text[end - 1] == '\r' ? end - 1 : end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  for (size_t at = lines.size(); at-- > 0;) {
    if (const auto found = look(lines[at])) return *found ? static_cast<uint32_t>(at + 1) : 0;
  }
  return 0;
}

// Where the key stands that `line` has again: in the same section.
uint32_t line_of_key(std::string_view text, uint32_t number, std::string_view line) {
  return look_back(text, number, [key = key_of(line)](std::string_view before) -> std::optional<bool> {
    if (!key.empty() && key_of(before) == key) return true;
    return before.starts_with('[') ? std::optional(false) : std::nullopt;
  });
}

uint32_t line_of_section(std::string_view text, uint32_t number, std::string_view line) {
  const std::string_view header = line.substr(0, line.find('#'));
  return look_back(text, number, [header = trim(header)](std::string_view before) -> std::optional<bool> {
    return trim(before.substr(0, before.find('#'))) == header ? std::optional(true) : std::nullopt;
  });
}

// Where a list begins whose end is missing: the last line with a value in brackets.
uint32_t line_of_list(std::string_view text, uint32_t number) {
  return look_back(text, number, [](std::string_view before) -> std::optional<bool> {
    const size_t equals = before.find('=');
    if (equals == before.npos) return std::nullopt;
    return trim(before.substr(equals + 1)).starts_with('[');
  });
}

bool starts_like_a_word(std::string_view value, std::span<const std::string_view> words) {
  std::string word;
  for (const char c : value.substr(0, value.find_first_of(" \t,]}#"))) {
    word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return std::ranges::find(words, word) != words.end();
}

bool is_boolean(const Spot& spot) {
  static constexpr std::array<std::string_view, 6> kWords = {"true", "false", "yes", "no", "on", "off"};
  return starts_like_a_word(spot.value, kWords);
}

bool is_null(const Spot& spot) {
  static constexpr std::array<std::string_view, 3> kWords = {"none", "null", "nil"};
  return starts_like_a_word(spot.value, kWords);
}

bool has_round_quotes(const Spot& spot) {
  return spot.value.starts_with("\u201c") || spot.value.starts_with("\u201d") || spot.value.starts_with("\u2018") ||
         spot.value.starts_with("\u2019") || spot.value.starts_with("\u201e");
}

// The kinds of values the parser may have taken it for.
bool in_a_value(const Spot& spot) {
  static constexpr std::array<std::string_view, 8> kKinds = {
      "parsing value",   "parsing decimal", "parsing floating-point", "parsing boolean",
      "parsing hexadec", "parsing octal",   "parsing date",           "parsing time"};
  return std::ranges::any_of(kKinds, [&](std::string_view kind) { return spot.says(kind); });
}

// The next section's name, taken for an item.
bool in_an_open_list(const Spot& spot) {
  const bool header =
      spot.line.starts_with('[') && spot.line.ends_with(']') && spot.line.find_first_of("=,\"'") == spot.line.npos;
  return in_a_value(spot) && header;
}

bool half_a_number(const Spot& spot) {
  const std::string_view number = spot.value.substr(0, spot.value.find_first_of(" \t,]}#"));
  return number.find_first_not_of("+-0123456789.") == number.npos && std::ranges::count(number, '.') == 1;
}

// Of other languages.
bool is_odd_comment(const Spot& spot) {
  if (spot.says("root table")) return spot.line.starts_with("/") || spot.line.starts_with(";");
  if (spot.says("expected '='")) return spot.line.starts_with("--") || spot.line.starts_with("rem ");
  const bool behind = spot.says("expected a comment or whitespace");
  return behind && (spot.rest.starts_with("/") || spot.rest.starts_with("--") ||
                    (spot.rest.starts_with(";") && trim(spot.rest) != ";"));
}

bool is_merge_mark(const Spot& spot) {
  return spot.line.starts_with("<<<<<<<") || spot.line.starts_with("=======") || spot.line.starts_with(">>>>>>>");
}

struct Rule {
  bool (*fits)(const Spot& spot);
  std::string_view hint;
};

// The first that fits.
constexpr Rule kRules[] = {
    {[](const Spot& s) { return s.says("table header") && s.says("cannot redefine") && s.says("array-of-tables"); },
     "; what there are several of has two brackets everywhere, as in [[models]]"},
    {[](const Spot& s) { return s.says("table header") && s.says("cannot redefine"); },
     "; a section stands once: put its settings where it stands already"},
    {[](const Spot& s) { return s.says("cannot redefine"); },
     "; a key stands once in its section: remove this one or the other"},
    {[](const Spot& s) { return s.says("table header") && s.says("blank"); }, "; a section has a name, as in [server]"},
    {[](const Spot& s) { return s.says("table header") && (s.line.starts_with("[[") || s.line.contains("]]")); },
     "; write two brackets on both sides, as in [[models]]"},
    {[](const Spot& s) { return s.says("table header"); }, "; close the section's name with ], as in [server]"},
    {is_odd_comment, "; a comment begins with #"},
    {is_merge_mark, "; that is what an unfinished merge leaves: choose what holds and remove the marks"},
    {[](const Spot& s) { return s.says("expected space or tab"); },
     "; that is no ordinary space (a no-break space, copied from a page?): write one"},
    {[](const Spot& s) { return s.says("expected '='") && s.says("saw ':'") && trim(s.rest) == ":"; },
     "; a section's name stands in brackets, as in [server], and its settings below as key = value"},
    {[](const Spot& s) { return s.says("expected '='") && s.says("saw ':'"); }, "; write = instead of :"},
    {[](const Spot& s) { return s.says("expected '='") && s.line.starts_with("- "); },
     "; what there are several of begins with [[models]] each, and has key = value below"},
    {[](const Spot& s) { return s.says("expected '='"); },
     "; write key = value (a key with spaces or other characters is quoted)"},
    {[](const Spot& s) { return s.says("expected value, saw"); }, "; write a value after the =, or remove the line"},
    {[](const Spot& s) {
       return s.says("parsing") && s.says("string") && (s.says("end-of-file") || (s.says("control char") && s.at_end));
     },
     "; the closing quote is missing"},
    {[](const Spot& s) { return s.says("string") && s.says("control char"); },
     "; write such a character as an escape in double quotes, as in \"\\u0001\""},
    {[](const Spot& s) { return s.says("escape sequence"); },
     "; in double quotes write \\\\ for a backslash, or put the text in single quotes"},
    {in_an_open_list, "; the list above is not closed: write ] behind its last item"},
    {[](const Spot& s) { return in_a_value(s) && has_round_quotes(s); }, "; write straight quotes: \""},
    {[](const Spot& s) { return in_a_value(s) && s.value_starts("("); },
     "; a list stands in brackets, as in [\"a\", \"b\"]"},
    {[](const Spot& s) { return in_a_value(s) && s.value_starts("=>"); }, "; write one = between key and value"},
    {[](const Spot& s) { return in_a_value(s) && is_boolean(s); }, "; write true or false"},
    {[](const Spot& s) { return in_a_value(s) && is_null(s); }, "; there is no such value: remove the line"},
    {[](const Spot& s) { return s.says("leading zeroes") || s.says("underscores"); }, ""},
    {[](const Spot& s) { return in_a_value(s) && half_a_number(s); },
     "; a number has digits on both sides of its point"},
    {in_a_value, "; text, and a time or size with its unit, stands in quotes, as in \"info\", \"30s\" or \"64KiB\""},
    {[](const Spot& s) { return s.says("expected comma or closing ']'"); },
     "; separate the items of a list by commas and close it with ]"},
    {[](const Spot& s) { return s.says("inline table") && s.says("dangling comma"); },
     "; remove the comma before the }"},
    {[](const Spot& s) { return s.says("inline table"); }, "; close the table with } on the same line"},
    {[](const Spot& s) {
       return s.says("expected a comment or whitespace") && s.says("saw ','") && s.value_starts("0123456789");
     },
     "; a number has no commas: write 10000 or 10_000"},
    {[](const Spot& s) { return s.says("expected a comment or whitespace") && s.says("saw ';'"); },
     "; nothing ends a line: remove the ;"},
    {[](const Spot& s) { return s.says("expected a comment or whitespace") && s.says("saw ','"); },
     "; put several values in brackets, as in [\"a\", \"b\"]"},
    {[](const Spot& s) {
       return s.says("expected a comment or whitespace") && s.value_starts("0123456789") && !s.value.contains('=');
     },
     "; a time or size with its unit stands in quotes, as in \"30s\" or \"64KiB\""},
    {[](const Spot& s) { return s.says("expected a comment or whitespace"); }, "; write one setting on a line"},
    {[](const Spot& s) { return s.says("root table"); }, "; a line is [section], key = value or # comment"},
    {[](const Spot& s) { return s.says("utf-8"); }, "; save the file as UTF-8"},
};

// The line before that the fault has to do with, or 0.
uint32_t line_meant(std::string_view text, uint32_t number, const Spot& spot) {
  if (spot.says("table header") && spot.says("cannot redefine")) return line_of_section(text, number, spot.line);
  if (spot.says("cannot redefine")) return line_of_key(text, number, spot.line);
  return spot.says("expected comma or closing ']'") || in_an_open_list(spot) ? line_of_list(text, number) : 0;
}

}  // namespace

std::string toml_hint(std::string_view text, Location at, std::string_view fault) {
  const Spot spot = spot_of(text, at, fault);
  for (const Rule& rule : kRules) {
    if (!rule.fits(spot)) continue;
    const uint32_t line = line_meant(text, at.line, spot);
    return line == 0 ? std::string(rule.hint) : std::string(rule.hint) + " (line " + std::to_string(line) + ")";
  }
  return {};
}

}  // namespace llmgw::control
