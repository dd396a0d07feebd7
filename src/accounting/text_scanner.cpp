#include "accounting/text_scanner.h"

#include <algorithm>
#include <bit>

#include "accounting/structure_scan.h"
#include "json/token.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace llmgw::accounting {
namespace {

using chat::Dialect;
using json::is_space;

// What providers' streams were recorded to have in 2026. The first three of OpenAI's are one thing: servers that
// changed its name send thoughts under two, and Mistral's are texts in a list.
constexpr size_t kThoughtNames = 3;
constexpr std::array<std::string_view, 6> kChatNames = {"reasoning", "reasoning_content", "text",
                                                        "content",   "arguments",         "refusal"};
constexpr std::array<std::string_view, 1> kCompletionNames = {"text"};
constexpr std::array<std::string_view, 1> kResponsesNames = {"delta"};
// The last two: what other makers' models say in InvokeModel's chunks.
constexpr std::array<std::string_view, 5> kAnthropicNames = {"text", "thinking", "partial_json", "generation",
                                                             "outputText"};
constexpr std::array<std::string_view, 3> kGeminiNames = {"text", "args", "code"};
constexpr std::array<std::string_view, 2> kBedrockNames = {"text", "input"};
constexpr std::array<std::string_view, 4> kCohereNames = {"text", "thinking", "arguments", "tool_plan"};

constexpr std::string_view kError = "error";
constexpr std::array<std::string_view, 1> kChatReasons = {"finish_reason"};
constexpr std::array<std::string_view, 4> kGeminiReasons = {"finishReason", "blockReason", "finish_reason",
                                                            "block_reason"};

std::span<const std::string_view> names_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::openai_completions: return kCompletionNames;
    case Dialect::openai_responses: return kResponsesNames;
    case Dialect::anthropic: return kAnthropicNames;
    case Dialect::gemini:
    case Dialect::vertex: return kGeminiNames;
    case Dialect::bedrock: return kBedrockNames;
    case Dialect::cohere: return kCohereNames;
    default: return kChatNames;
  }
}

std::span<const std::string_view> reasons_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::openai_responses:
    case Dialect::anthropic:
    case Dialect::bedrock:
    case Dialect::cohere: return {};
    case Dialect::gemini:
    case Dialect::vertex: return kGeminiReasons;
    default: return kChatReasons;
  }
}

// Bytes from the front in which no quote has one of the letters behind it (bit 0: a), as it has where a name begins. A
// quote at the very end may have one.
size_t bytes_before_name(std::string_view bytes, uint32_t letters) {
  const auto may_begin = [letters](char c) { return c >= 'a' && c <= 'z' && (letters >> (c - 'a') & 1) != 0; };
  size_t at = 0;
#if defined(__x86_64__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i below = _mm_set1_epi8('a' - 1);
  const __m128i above = _mm_set1_epi8('z' + 1);
  for (; at + 17 <= bytes.size(); at += 16) {
    const __m128i here = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes.data() + at));
    const __m128i next = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes.data() + at + 1));
    const __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(next, below), _mm_cmplt_epi8(next, above));
    auto mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(here, quote), letter)));
    for (; mask != 0; mask &= mask - 1) {
      const size_t found = at + static_cast<size_t>(std::countr_zero(mask));
      if (may_begin(bytes[found + 1])) return found;
    }
  }
#endif
  while (at < bytes.size()) {
    if (bytes[at] == '"' && (at + 1 == bytes.size() || may_begin(bytes[at + 1]))) return at;
    ++at;
  }
  return at;
}

// Bytes of UTF-8 for a code unit of UTF-16; a surrogate is half of a character of four.
uint64_t utf8_bytes(uint16_t unit) {
  if (unit < 0x80) return 1;
  if (unit < 0x800) return 2;
  return (unit & 0xF800) == 0xD800 ? 2 : 3;
}

}  // namespace

TextScanner::TextScanner(Dialect dialect)
    : names_(names_of(dialect)), reasons_(reasons_of(dialect)), first_letters_(1U << (kError.front() - 'a')) {
  for (const std::string_view name : names_) first_letters_ |= 1U << (name.front() - 'a');
  for (const std::string_view name : reasons_) first_letters_ |= 1U << (name.front() - 'a');
}

uint64_t TextScanner::bytes() const {
  uint64_t sum = 0;
  for (const uint64_t count : counts_) sum += count;
  if (names_.data() != kChatNames.data()) return sum;
  const auto thoughts = std::span(counts_).first<kThoughtNames>();
  for (const uint64_t count : thoughts) sum -= count;
  return sum + *std::ranges::max_element(thoughts);
}

void TextScanner::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    switch (mode_) {
      case Mode::search: search(bytes); break;
      case Mode::name: read_name(bytes); break;
      case Mode::colon:
      case Mode::value: read_mark(bytes); break;
      case Mode::text: read_text(bytes); break;
      case Mode::escape:
      case Mode::code_unit: read_escape(bytes); break;
      case Mode::object:
      case Mode::object_text:
      case Mode::object_escape: read_object(bytes); break;
      case Mode::reason:
        finished_ = finished_ || bytes.front() != '"';  // else it is empty
        mode_ = Mode::search;
        break;
    }
  }
}

void TextScanner::search(std::string_view& bytes) {
  for (;;) {
    bytes.remove_prefix(bytes_before_name(bytes, first_letters_));
    if (bytes.empty()) return;
    bytes.remove_prefix(1);
    if (bytes.size() <= kNameBytesMax) break;
    const auto stands = [&](std::string_view name) {
      return bytes.front() == name.front() && bytes[name.size()] == '"' && bytes.starts_with(name);
    };
    std::string_view name = kError;
    if (const auto found = std::ranges::find_if(names_, stands); found != names_.end()) {
      name = *found;
    } else if (const auto reason = std::ranges::find_if(reasons_, stands); reason != reasons_.end()) {
      name = *reason;
    } else if (!stands(kError)) {
      continue;
    }
    bytes.remove_prefix(name.size() + 1);
    begin_value(name);
    return;
  }
  mode_ = Mode::name;
  name_size_ = 0;
}

// False if no name is meant.
bool TextScanner::begin_value(std::string_view name) {
  const auto found = std::ranges::find(names_, name);
  if (found != names_.end()) {
    current_ = static_cast<uint8_t>(found - names_.begin());
  } else if (name == kError) {
    current_ = kErrorIndex;
  } else if (std::ranges::find(reasons_, name) != reasons_.end()) {
    current_ = kReasonIndex;
  } else {
    return false;
  }
  mode_ = Mode::colon;
  return true;
}

void TextScanner::read_name(std::string_view& bytes) {
  while (!bytes.empty()) {
    const char c = bytes.front();
    if (c == '"' || c == '\\' || name_size_ == kNameBytesMax) break;
    name_[name_size_++] = c;
    bytes.remove_prefix(1);
  }
  if (bytes.empty()) return;
  mode_ = Mode::search;
  if (bytes.front() != '"') return;
  // Else the quote stays: if the one before was at the end of its bytes and closed a string, this one opens the next.
  if (begin_value({name_.data(), name_size_})) bytes.remove_prefix(1);
}

void TextScanner::read_mark(std::string_view& bytes) {
  while (!bytes.empty() && is_space(bytes.front())) bytes.remove_prefix(1);
  if (bytes.empty()) return;
  const char mark = bytes.front();
  if (mode_ == Mode::colon && mark == ':') {
    mode_ = Mode::value;
  } else if (current_ == kErrorIndex) {
    says_error_ = says_error_ || mark != 'n';  // of null
    mode_ = Mode::search;
    return;
  } else if (current_ == kReasonIndex) {
    // Gemini's may be a number, where 0 is none.
    finished_ = finished_ || (mode_ == Mode::value && mark >= '1' && mark <= '9');
    const bool text = mode_ == Mode::value && mark == '"';
    mode_ = text ? Mode::reason : Mode::search;
    if (!text) return;
  } else if (mode_ == Mode::value && mark == '"') {
    mode_ = Mode::text;
  } else if (mode_ == Mode::value && mark == '{' && names_[current_] == "args") {
    mode_ = Mode::object;
    depth_ = 1;
    add(1);
  } else {
    mode_ = Mode::search;
    return;
  }
  bytes.remove_prefix(1);
}

void TextScanner::read_text(std::string_view& bytes) {
  size_t at = plain_bytes(bytes.data(), bytes.size());
  while (at < bytes.size() && bytes[at] != '"' && bytes[at] != '\\') ++at;
  add(at);
  bytes.remove_prefix(at);
  if (bytes.empty()) return;
  mode_ = bytes.front() == '\\' ? Mode::escape : Mode::search;
  bytes.remove_prefix(1);
}

void TextScanner::read_escape(std::string_view& bytes) {
  const char c = bytes.front();
  bytes.remove_prefix(1);
  if (mode_ == Mode::escape) {
    mode_ = c == 'u' ? Mode::code_unit : Mode::text;
    digits_ = 0;
    code_unit_ = 0;
    if (c != 'u') add(1);
    return;
  }
  const int value = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
  code_unit_ = static_cast<uint16_t>(code_unit_ << 4 | (value & 0xF));
  if (++digits_ < 4) return;
  add(utf8_bytes(code_unit_));
  mode_ = Mode::text;
}

// Arguments as JSON has them without white space.
void TextScanner::read_object(std::string_view& bytes) {
  uint64_t count = 0;
  size_t at = 0;
  while (at < bytes.size() && depth_ > 0) {
    const char c = bytes[at++];
    if (mode_ == Mode::object && is_space(c)) continue;
    ++count;
    if (mode_ == Mode::object_escape) {
      mode_ = Mode::object_text;
    } else if (mode_ == Mode::object_text) {
      if (c == '\\') mode_ = Mode::object_escape;
      if (c == '"') mode_ = Mode::object;
    } else if (c == '"') {
      mode_ = Mode::object_text;
    } else if (c == '{') {
      ++depth_;
    } else if (c == '}') {
      --depth_;
    }
  }
  add(count);
  bytes.remove_prefix(at);
  if (depth_ == 0) mode_ = Mode::search;
}

}  // namespace llmgw::accounting
