#include "store/redis/resp.h"

#include <charconv>
#include <utility>

namespace llmgw::store {
namespace {

std::optional<int64_t> number_of(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

void append_command(std::string& to, std::span<const std::string_view> words) {
  to.append("*").append(std::to_string(words.size())).append("\r\n");
  for (const std::string_view word : words) {
    to.append("$").append(std::to_string(word.size())).append("\r\n").append(word).append("\r\n");
  }
}

// A line without its end.
bool RespReader::line(size_t& at, std::string_view& text) const {
  const size_t end = buffer_.find("\r\n", at);
  if (end == std::string::npos) return false;
  text = std::string_view(buffer_).substr(at, end - at);
  at = end + 2;
  return true;
}

RespReader::Step RespReader::read(size_t& at, RespValue& value, int depth) const {
  using Kind = RespValue::Kind;
  std::string_view text;
  if (!line(at, text)) return buffer_.size() - at > kTextBytesMax ? Step::too_large : Step::more;
  if (text.empty()) return Step::broken;
  const char mark = text[0];
  text.remove_prefix(1);
  if (mark == '+' || mark == '-') {
    value = {.kind = mark == '+' ? Kind::text : Kind::error, .text = std::string(text)};
    return Step::whole;
  }
  const auto number = number_of(text);
  if (!number) return Step::broken;
  if (mark == ':') {
    value = {.kind = Kind::integer, .integer = *number};
    return Step::whole;
  }
  if (*number == -1 && (mark == '$' || mark == '*')) {
    value = {};
    return Step::whole;
  }
  if (*number < 0) return Step::broken;
  const auto count = static_cast<size_t>(*number);
  if (mark == '$') {
    if (count > kTextBytesMax) return Step::too_large;
    if (buffer_.size() - at < count + 2) return Step::more;
    if (buffer_.compare(at + count, 2, "\r\n") != 0) return Step::broken;
    value = {.kind = Kind::text, .text = buffer_.substr(at, count)};
    at += count + 2;
    return Step::whole;
  }
  if (mark != '*') return Step::broken;
  if (count > kItemsMax || depth == kDepthMax) return Step::too_large;
  value = {.kind = Kind::array};
  for (size_t i = 0; i < count; ++i) {
    if (const Step step = read(at, value.items.emplace_back(), depth + 1); step != Step::whole) return step;
  }
  return Step::whole;
}

base::Result<std::optional<RespValue>> RespReader::next() {
  size_t at = 0;
  RespValue value;
  switch (read(at, value, 0)) {
    case Step::more: return std::optional<RespValue>();
    case Step::broken: return base::fail(base::ErrorCode::protocol, "not an answer of Redis");
    case Step::too_large: return base::fail(base::ErrorCode::too_large, "an answer of Redis is too large");
    case Step::whole: break;
  }
  buffer_.erase(0, at);
  return std::optional(std::move(value));
}

}  // namespace llmgw::store
