#include "dialects/openai/response_cursor.h"

#include <algorithm>
#include <cstring>

namespace llmgw::dialects::openai {

void ResponseCursor::feed(std::string_view bytes) {
  constexpr std::string_view kField = "data:";
  while (!bytes.empty()) {
    if (line_ == Line::start) {
      while (!bytes.empty() && line_matched_ < kField.size() && bytes.front() == kField[line_matched_]) {
        ++line_matched_;
        bytes.remove_prefix(1);
      }
      if (bytes.empty()) return;
      line_ = line_matched_ == kField.size() ? Line::data : Line::other;
    }
    const size_t end = bytes.find('\n');
    if (line_ == Line::data) feed_json(bytes.substr(0, end));
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    line_ = Line::start;
    line_matched_ = 0;
    // An event's JSON is one line, and no string goes over the end of one.
    depth_ = 0;
    in_string_ = escaped_ = in_response_ = expects_value_ = has_number_ = false;
    member_ = Member::none;
  }
}

void ResponseCursor::feed_json(std::string_view text) {
  while (!text.empty()) {
    if (in_string_) {
      text.remove_prefix(skip_string(text));
    } else {
      structural(text.front());
      text.remove_prefix(1);
    }
  }
}

// Takes bytes of a string up to its end; keeps those that may be a name, or the id.
size_t ResponseCursor::skip_string(std::string_view text) {
  if (escaped_) {
    escaped_ = false;
    name_size_ = kNameBytesMax;
    return 1;
  }
  size_t end = 0;
  while (end < text.size() && text[end] != '"' && text[end] != '\\') ++end;
  if (expects_value_ && member_ == Member::id && !id_done_) {
    const size_t kept = std::min(end, kIdBytesMax - id_size_);
    std::memcpy(id_.data() + id_size_, text.data(), kept);
    id_size_ = static_cast<uint8_t>(id_size_ + kept);
    // Longer ids, and those with escapes, are none.
    const bool unusable = kept < end || (end < text.size() && text[end] == '\\');
    if (unusable) id_size_ = 0;
    id_done_ = unusable;
  } else if (depth_ <= 2 && !expects_value_) {
    const size_t kept = std::min(end, kNameBytesMax - name_size_);
    std::memcpy(name_.data() + name_size_, text.data(), kept);
    name_size_ = static_cast<uint8_t>(name_size_ + kept);
  }
  if (end == text.size()) return end;
  if (text[end] == '\\') {
    escaped_ = true;
  } else {
    in_string_ = false;
    end_string();
  }
  return end + 1;
}

void ResponseCursor::end_string() {
  if (expects_value_ && member_ == Member::id) id_done_ = true;
}

ResponseCursor::Member ResponseCursor::member_of(std::string_view name) const {
  if (depth_ == 1) {
    if (name == "sequence_number") return Member::sequence_number;
    if (name == "response") return Member::response;
  } else if (depth_ == 2 && in_response_) {
    if (name == "id") return Member::id;
    if (name == "created_at") return Member::created_at;
  }
  return Member::none;
}

void ResponseCursor::structural(char c) {
  switch (c) {
    case '"':
      in_string_ = true;
      name_size_ = 0;
      return;
    case ':':
      member_ = member_of({name_.data(), name_size_});
      expects_value_ = true;
      has_number_ = false;
      number_ = 0;
      return;
    case '{':
    case '[':
      in_response_ = in_response_ || (depth_ == 1 && c == '{' && member_ == Member::response);
      ++depth_;
      expects_value_ = false;
      member_ = Member::none;
      return;
    case '}':
    case ']':
      end_value();
      if (depth_ > 0) --depth_;
      if (depth_ <= 1) in_response_ = false;
      return;
    case ',': end_value(); return;
    default: break;
  }
  const bool counts = expects_value_ && (member_ == Member::sequence_number || member_ == Member::created_at);
  if (!counts || c < '0' || c > '9') return;
  has_number_ = true;
  number_ = number_ * 10 + static_cast<uint64_t>(c - '0');
}

void ResponseCursor::end_value() {
  if (has_number_ && member_ == Member::sequence_number) next_ = number_ + 1;
  if (has_number_ && member_ == Member::created_at) created_at_ = number_;
  expects_value_ = has_number_ = false;
  member_ = Member::none;
}

}  // namespace llmgw::dialects::openai
