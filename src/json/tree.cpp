#include "json/tree.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "json/number.h"
#include "json/text.h"
#include "json/token.h"

namespace llmgw::json {
namespace {

// From the token to the last byte before the next one that is not white space.
std::string_view token_text(const TreeIndex& index, uint32_t token) {
  const size_t start = index.tokens[token];
  size_t end = token + 1 < index.token_count ? index.tokens[token + 1] : index.text.size();
  while (end > start && is_space(index.text[end - 1])) --end;
  return index.text.substr(start, end - start);
}

bool has_escape(std::string_view text) {
  return !text.empty() && std::memchr(text.data(), '\\', text.size()) != nullptr;
}

bool escapes_are_valid(std::string_view quoted) {
  const std::string_view text = quoted.substr(1, quoted.size() - 2);
  for (size_t i = text.find('\\'); i != std::string_view::npos; i = text.find('\\', i)) {
    if (i + 1 >= text.size()) return false;
    if (text[i + 1] == 'u') {
      if (i + 6 > text.size()) return false;
      for (size_t digit = i + 2; digit < i + 6; ++digit) {
        if (!base::is_hex_digit(text[digit])) return false;
      }
      i += 6;
    } else if (std::strchr("\"\\/bfnrt", text[i + 1]) != nullptr) {
      i += 2;
    } else {
      return false;
    }
  }
  return true;
}

// Links every opening bracket to its partner.
class Linker {
 public:
  Linker(const TreeIndex& index, uint32_t* partners) : index_(index), partners_(partners) {}

  const char* run() {
    if (index_.token_count == 0) return "the JSON document is empty";
    if (const char* problem = value()) return problem;
    while (level_ > 0) {
      if (const char* problem = behind_value()) return problem;
    }
    return token_ == index_.token_count ? nullptr : "unexpected text behind the JSON document";
  }

 private:
  char current() const { return token_ < index_.token_count ? index_.text[index_.tokens[token_]] : '\0'; }
  bool in_object() const { return index_.text[index_.tokens[open_[level_ - 1]]] == '{'; }

  // On a value: consumes a scalar or an empty container, or goes to the first value inside.
  const char* value() {
    while (true) {
      const char c = current();
      if (c == '"') return string();
      if (c != '{' && c != '[') return scalar();
      if (level_ == kDepthMax) return kTooDeep;
      open_[level_++] = token_++;
      if (current() == (c == '{' ? '}' : ']')) return close();
      if (c == '{') {
        if (const char* problem = key()) return problem;
      }
    }
  }

  const char* behind_value() {
    const char c = current();
    if (c == ',') {
      ++token_;
      if (in_object()) {
        if (const char* problem = key()) return problem;
      }
      return value();
    }
    if (c != (in_object() ? '}' : ']')) {
      return c == '\0' ? "the JSON document ends inside a container" : "expected ',' or the end of a container";
    }
    return close();
  }

  const char* close() {
    partners_[open_[--level_]] = token_++;
    return nullptr;
  }

  const char* key() {
    if (current() != '"')
      return current() == '\0' ? "the JSON document ends inside an object" : "expected a member's name";
    if (const char* problem = string()) return problem;
    if (current() != ':') return "expected ':' after a member's name";
    ++token_;
    return nullptr;
  }

  const char* string() {
    const std::string_view text = token_text(index_, token_++);
    if (text.size() < 2 || text.back() != '"') return "expected ',' or ':' after a string";
    return has_escape(text) && !escapes_are_valid(text) ? "a string of the JSON document has an invalid escape"
                                                        : nullptr;
  }

  const char* scalar() {
    if (token_ >= index_.token_count) return "the JSON document ends where a value is expected";
    const std::string_view text = token_text(index_, token_++);
    switch (text.front()) {
      case 't': return text == "true" ? nullptr : "expected a value";
      case 'f': return text == "false" ? nullptr : "expected a value";
      case 'n': return text == "null" ? nullptr : "expected a value";
      default: return is_json_number(text) ? nullptr : "expected a value";
    }
  }

  const TreeIndex& index_;
  uint32_t* partners_;
  uint32_t token_ = 0;
  size_t level_ = 0;
  std::array<uint32_t, kDepthMax> open_;
};

}  // namespace

base::Result<Value> parse_tree(Parser& parser, std::string_view text, base::Arena& arena) {
  TRY(document, parser.parse(text));
  auto* partners =
      static_cast<uint32_t*>(arena.allocate(sizeof(uint32_t) * (document.token_count + 1), alignof(uint32_t)));
  auto* index = arena.make<TreeIndex>(
      TreeIndex{.text = text, .tokens = document.tokens, .partners = partners, .token_count = document.token_count});
  if (const char* problem = Linker(*index, partners).run()) {
    return base::fail(base::ErrorCode::invalid_argument, problem);
  }
  return Value(index, 0);
}

Kind Value::kind() const {
  if (index_ == nullptr) return Kind::invalid;
  return kind_of(first_byte());
}

std::string_view Value::scalar() const {
  return token_text(*index_, token_);
}

uint32_t Value::behind() const {
  const char c = first_byte();
  return (c == '{' || c == '[' ? index_->partners[token_] : token_) + 1;
}

std::string_view Value::raw() const {
  if (index_ == nullptr) return {};
  const char c = first_byte();
  if (c != '{' && c != '[') return scalar();
  const size_t start = index_->tokens[token_];
  return index_->text.substr(start, index_->tokens[index_->partners[token_]] + 1 - start);
}

std::string_view Value::escaped() const {
  if (!is_string()) return {};
  const std::string_view text = scalar();
  return text.substr(1, text.size() - 2);
}

std::string_view Value::string(base::Arena& arena) const {
  const std::string_view text = escaped();
  if (!has_escape(text)) return text;
  auto unescaped = unescape(text, arena);
  return unescaped ? *unescaped : std::string_view{};  // escapes were checked: it never fails
}

bool Value::equals(std::string_view text) const {
  return is_string() && Member{.escaped_key = escaped(), .value = {}}.is(text);
}

std::string_view Value::number() const {
  return is_number() ? scalar() : std::string_view{};
}

std::optional<double> Value::real() const {
  const std::string_view text = number();
  if (text.empty()) return std::nullopt;
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc{} || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<uint64_t> Value::unsigned_integer() const {
  const std::string_view text = number();
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec == std::errc{} && result.ptr == text.data() + text.size()) return value;
  const auto as_real = real();
  constexpr double kExactMax = 9007199254740992.0;  // 2^53: above it a double is not sure of its last digit
  if (!as_real || *as_real < 0 || *as_real > kExactMax || std::floor(*as_real) != *as_real) return std::nullopt;
  return static_cast<uint64_t>(*as_real);
}

std::optional<int64_t> Value::integer() const {
  const std::string_view text = number();
  if (text.empty()) return std::nullopt;
  int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec == std::errc{} && result.ptr == text.data() + text.size()) return value;
  const auto as_real = real();
  constexpr double kExactMax = 9007199254740992.0;
  if (!as_real || std::fabs(*as_real) > kExactMax || std::floor(*as_real) != *as_real) return std::nullopt;
  return static_cast<int64_t>(*as_real);
}

std::optional<bool> Value::boolean() const {
  if (kind() != Kind::boolean) return std::nullopt;
  return first_byte() == 't';
}

Value Value::operator[](std::string_view key) const {
  Value found;
  for (const Member member : members()) {
    if (member.is(key)) found = member.value;
  }
  return found;
}

Value Value::first_element() const {
  for (const Value element : elements()) return element;
  return {};
}

size_t Value::size() const {
  size_t count = 0;
  for ([[maybe_unused]] const Member member : members()) ++count;
  for ([[maybe_unused]] const Value element : elements()) ++count;
  return count;
}

MemberRange Value::members() const {
  return MemberRange(is_object() ? *this : Value());
}

ElementRange Value::elements() const {
  return ElementRange(is_array() ? *this : Value());
}

std::string_view Member::key(base::Arena& arena) const {
  if (!has_escape(escaped_key)) return escaped_key;
  auto unescaped = unescape(escaped_key, arena);
  return unescaped ? *unescaped : std::string_view{};
}

bool Member::is(std::string_view name) const {
  if (escaped_key == name) return true;
  // Unescaping never grows, and an escape is at most six times its text.
  if (escaped_key.size() <= name.size() || escaped_key.size() > 6 * name.size() || !has_escape(escaped_key))
    return false;
  constexpr size_t kCompareMax = 512;  // names we ask for stay far below
  std::array<char, kCompareMax> buffer;
  if (escaped_key.size() > buffer.size()) return false;
  const auto size = unescape(escaped_key, buffer.data());
  return size && std::string_view(buffer.data(), *size) == name;
}

Member MemberRange::Iterator::operator*() const {
  const std::string_view quoted = token_text(*index_, token_);
  return {.escaped_key = quoted.substr(1, quoted.size() - 2), .value = Value(index_, token_ + 2)};
}

MemberRange::Iterator& MemberRange::Iterator::operator++() {
  const Value value(index_, token_ + 2);
  const char first = index_->text[index_->tokens[token_ + 2]];
  token_ = (first == '{' || first == '[' ? index_->partners[token_ + 2] : token_ + 2) + 1;
  if (index_->text[index_->tokens[token_]] == ',') ++token_;
  return *this;
}

MemberRange::Iterator MemberRange::begin() const {
  return {object_.index_, object_.token_ + (object_.present() ? 1 : 0)};
}

MemberRange::Iterator MemberRange::end() const {
  return {object_.index_, object_.present() ? object_.index_->partners[object_.token_] : object_.token_};
}

ElementRange::Iterator& ElementRange::Iterator::operator++() {
  const char first = index_->text[index_->tokens[token_]];
  token_ = (first == '{' || first == '[' ? index_->partners[token_] : token_) + 1;
  if (index_->text[index_->tokens[token_]] == ',') ++token_;
  return *this;
}

ElementRange::Iterator ElementRange::begin() const {
  return {array_.index_, array_.token_ + (array_.present() ? 1 : 0)};
}

ElementRange::Iterator ElementRange::end() const {
  return {array_.index_, array_.present() ? array_.index_->partners[array_.token_] : array_.token_};
}

}  // namespace llmgw::json
