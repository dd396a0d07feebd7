#include "json/reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <new>
#include <utility>

#include "base/text.h"
#include "json/number.h"
#include "json/token.h"
#include "json/token_index.h"

namespace llmgw::json {

base::Result<Document> Parser::parse(std::string_view text) {
  using base::ErrorCode;
  if (text.size() > kDocumentBytesMax) return base::fail(ErrorCode::too_large, "JSON document above the size limit");
  if (text.size() > capacity_ || tokens_ == nullptr) {
    constexpr size_t kSmallest = 4096;
    const size_t capacity = std::bit_ceil(std::max(text.size(), kSmallest));
    tokens_.reset();
    tokens_.reset(new (std::nothrow) uint32_t[capacity + kIndexSlack]);
    capacity_ = tokens_ != nullptr ? capacity : 0;
    if (tokens_ == nullptr) return base::fail(ErrorCode::exhausted, "no memory to index a JSON document");
  }
  TRY(count, index_tokens(text, tokens_.get()));
  return Document{text, tokens_.get(), count};
}

void Parser::shrink() {
  if (capacity_ <= kKeptDocumentBytes) return;
  tokens_.reset();
  capacity_ = 0;
}

bool Reader::fail(const char* what) {
  if (error_ == nullptr) error_ = at_end() ? "the JSON document ends too early" : what;
  token_ = document_.token_count;
  return false;
}

std::string_view Reader::token_text() const {
  if (at_end()) return {};
  const size_t start = document_.tokens[token_];
  size_t end = token_ + 1 < document_.token_count ? document_.tokens[token_ + 1] : document_.text.size();
  while (end > start && is_space(document_.text[end - 1])) --end;
  return document_.text.substr(start, end - start);
}

size_t Reader::consumed() const {
  if (token_ == 0) return 0;
  size_t end = at_end() ? document_.text.size() : document_.tokens[token_];
  const size_t start = document_.tokens[token_ - 1];
  while (end > start && is_space(document_.text[end - 1])) --end;
  return end;
}

Kind Reader::kind() const {
  return kind_of(current());
}

bool Reader::enter_object() {
  if (current() != '{') return fail("expected an object");
  if (++depth_ > kDepthMax) return fail(kTooDeep);
  ++token_;
  first_ = true;
  return true;
}

bool Reader::enter_array() {
  if (current() != '[') return fail("expected an array");
  if (++depth_ > kDepthMax) return fail(kTooDeep);
  ++token_;
  first_ = true;
  return true;
}

bool Reader::next_member(std::string_view& key) {
  if (error_ != nullptr) return false;
  const bool first = std::exchange(first_, false);
  if (current() == '}') {
    ++token_;
    --depth_;
    return false;
  }
  if (!first) {
    if (current() != ',') return fail("expected ',' or '}' after a member");
    ++token_;
  }
  if (current() != '"') return fail("expected a member's name");
  const std::string_view text = token_text();
  key = text.substr(1, text.size() - 2);
  ++token_;
  if (current() != ':') return fail("expected ':' after a member's name");
  ++token_;
  return true;
}

bool Reader::next_element() {
  if (error_ != nullptr) return false;
  const bool first = std::exchange(first_, false);
  if (current() == ']') {
    ++token_;
    --depth_;
    return false;
  }
  if (!first) {
    if (current() != ',') return fail("expected ',' or ']' after an element");
    ++token_;
  }
  return at_end() ? fail("the document ends inside an array") : true;
}

std::string_view Reader::string() {
  if (current() != '"') {
    fail("expected a string");
    return {};
  }
  const std::string_view text = token_text();
  ++token_;
  return text.substr(1, text.size() - 2);
}

std::string_view Reader::number() {
  const std::string_view text = token_text();
  if (!is_json_number(text)) {
    fail("expected a number");
    return {};
  }
  ++token_;
  return text;
}

bool Reader::boolean() {
  const std::string_view text = token_text();
  if (text != "true" && text != "false") return fail("expected true or false");
  ++token_;
  return text.size() == 4;
}

void Reader::null() {
  if (token_text() != "null") {
    fail("expected null");
    return;
  }
  ++token_;
}

std::optional<uint64_t> Reader::unsigned_integer() {
  if (kind() != Kind::number) {
    skip();
    return std::nullopt;
  }
  return base::parse_decimal(number());
}

bool Reader::check_scalar() const {
  const std::string_view text = token_text();
  switch (text.empty() ? '\0' : text.front()) {
    case 't': return text == "true";
    case 'f': return text == "false";
    case 'n': return text == "null";
    default: return is_json_number(text);
  }
}

std::string_view Reader::skip() {
  const size_t start = position();
  switch (current()) {
    case '{':
    case '[': skip_container(); break;
    case '"': ++token_; break;
    default:
      if (check_scalar()) {
        ++token_;
      } else {
        fail("expected a value");
      }
  }
  if (error_ != nullptr) return {};
  return document_.text.substr(start, consumed() - start);
}

// Walks a container without recursion. One bit a level says whether it is an object.
void Reader::skip_container() {
  std::array<uint64_t, kDepthMax / 64> objects;
  size_t level = 0;
  const size_t level_max = kDepthMax - depth_;
  bool in_object = false;
  while (true) {
    // On a value.
    const char c = current();
    if (c == '{' || c == '[') {
      if (level == level_max) {
        fail(kTooDeep);
        return;
      }
      in_object = c == '{';
      const uint64_t bit = uint64_t{1} << (level % 64);
      objects[level / 64] = (level % 64 == 0 ? 0 : objects[level / 64] & (bit - 1)) | (in_object ? bit : 0);
      ++level;
      ++token_;
      if (current() != (in_object ? '}' : ']')) {
        if (!in_object) continue;
        if (!skip_key()) return;
        continue;
      }
    } else if (c == '"' || check_scalar()) {
      ++token_;
    } else {
      fail("expected a value");
      return;
    }
    // Behind a value, or on the bracket of an empty container: leave what ends here, then on to the next value.
    while (true) {
      const char separator = current();
      if (separator == ',') {
        ++token_;
        if (in_object && !skip_key()) return;
        break;
      }
      if (separator != (in_object ? '}' : ']')) {
        fail("expected ',' or the end of a container");
        return;
      }
      ++token_;
      if (--level == 0) return;
      in_object = ((objects[(level - 1) / 64] >> ((level - 1) % 64)) & 1) != 0;
    }
  }
}

bool Reader::skip_key() {
  if (current() != '"') return fail("expected a member's name");
  ++token_;
  if (current() != ':') return fail("expected ':' after a member's name");
  ++token_;
  return true;
}

base::Result<void> Reader::finish() {
  if (error_ == nullptr && !at_end()) error_ = "unexpected text behind the JSON document";
  if (error_ == nullptr && depth_ != 0) error_ = "the JSON document ends inside a container";
  if (error_ == nullptr && token_ == 0) error_ = "the JSON document is empty";
  if (error_ != nullptr) return base::fail(base::ErrorCode::invalid_argument, error_);
  return {};
}

}  // namespace llmgw::json
