#include "http/sse.h"

#include <algorithm>
#include <cstring>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/text.h"

namespace llmgw::http {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// The first CR or LF in [at, end), else `end`.
const char* find_line_end(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i feed = _mm_set1_epi8('\n');
  const __m128i carriage_return = _mm_set1_epi8('\r');
  while (end - at >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(bytes, feed), _mm_cmpeq_epi8(bytes, carriage_return));
    const int mask = _mm_movemask_epi8(ends);
    if (mask != 0) return at + __builtin_ctz(static_cast<unsigned>(mask));
    at += 16;
  }
#endif
  while (at != end && *at != '\n' && *at != '\r') ++at;
  return at;
}

// Takes one line from the front of `text`, its end removed.
std::string_view take_line(std::string_view& text) {
  const char* const first = text.data();
  const size_t length = static_cast<size_t>(find_line_end(first, first + text.size()) - first);
  const std::string_view line = text.substr(0, length);
  text.remove_prefix(length);
  if (!text.empty()) text.remove_prefix(text.starts_with("\r\n") ? 2 : 1);
  return line;
}

bool is_line_end(char c) {
  return c == '\n' || c == '\r';
}

}  // namespace

size_t SseReader::find_block_end(std::string_view bytes) {
  const char* const end = bytes.data() + bytes.size();
  for (const char* at = bytes.data(); at != end;) {
    if (at_line_start_ && is_line_end(*at)) {
      after_return_ = *at == '\r';
      return static_cast<size_t>(at + 1 - bytes.data());
    }
    at = find_line_end(at, end);
    at_line_start_ = at != end;
    if (at == end) break;
    if (*at++ == '\n') continue;
    after_return_ = at == end;
    if (at != end && *at == '\n') ++at;
  }
  return 0;
}

base::Result<std::optional<SseEvent>> SseReader::next(std::string_view& bytes) {
  if (carry_used_) {
    carry_.clear();
    carry_used_ = false;
  }
  while (!bytes.empty() && !failed_) {
    if (after_return_) {
      after_return_ = false;
      if (bytes.front() == '\n') {
        if (!carry_.empty()) carry_.push_back('\n');
        bytes.remove_prefix(1);
        continue;
      }
    }
    const size_t block_end = find_block_end(bytes);
    const size_t taken = block_end != 0 ? block_end : bytes.size();
    if (taken > event_bytes_max_ || carry_.size() > event_bytes_max_ - taken) break;
    std::string_view block = bytes.substr(0, taken);
    bytes.remove_prefix(taken);
    if (block_end == 0 || !carry_.empty()) {
      carry_.append(block);
      if (block_end == 0) return std::nullopt;
      block = carry_;
    }
    const std::optional<SseEvent> event = parse_block(block);
    if (event) {
      carry_used_ = !carry_.empty();
      return event;
    }
    carry_.clear();
  }
  if (bytes.empty()) return std::nullopt;
  failed_ = true;
  return base::fail(base::ErrorCode::too_large, "server-sent event too large");
}

SseReader::Tail SseReader::finish() {
  if (carry_used_) carry_.clear();
  Tail tail;
  tail.unterminated = !carry_.empty();
  tail.inside_line = tail.unterminated && !at_line_start_;
  if (tail.unterminated && !failed_) tail.event = parse_block(carry_);
  carry_used_ = true;
  at_line_start_ = true;
  return tail;
}

std::optional<SseEvent> SseReader::parse_block(std::string_view block) {
  if (first_block_ && block.starts_with(kByteOrderMark)) block.remove_prefix(kByteOrderMark.size());
  first_block_ = false;
  const std::string_view whole = block;
  SseEvent event;
  bool has_data = false;
  while (!block.empty()) parse_line(take_line(block), event, has_data);
  if (!has_data) {
    // Google ends a stream that fails with a bare JSON object, which no field introduces.
    if (!whole.starts_with('{')) return std::nullopt;
    event.data = whole.substr(0, whole.find_last_not_of("\r\n") + 1);
  }
  event.id = last_id_;
  event.retry_ms = std::exchange(retry_ms_, std::nullopt);
  return event;
}

void SseReader::parse_line(std::string_view line, SseEvent& event, bool& has_data) {
  const size_t colon = std::min(line.find(':'), line.size());
  const std::string_view field = line.substr(0, colon);
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (has_data) {
      if (event.data.data() != joined_.data()) joined_.assign(event.data);
      joined_.push_back('\n');
      joined_.append(value);
      value = joined_;
    }
    has_data = true;
    event.data = value;
  } else if (field == "event") {
    event.event = value;
  } else if (field == "id") {
    if (value.find('\0') == std::string_view::npos) last_id_ = value;
  } else if (field == "retry") {
    if (const auto milliseconds = base::parse_decimal(value)) retry_ms_ = milliseconds;
  }
}

void SseBoundary::add(std::string_view bytes) {
  const std::string_view last = bytes.substr(bytes.size() - std::min(bytes.size(), kTail));
  const size_t kept = std::min(size_, kTail - last.size());
  std::memmove(tail_, tail_ + size_ - kept, kept);
  std::copy(last.begin(), last.end(), tail_ + kept);
  size_ = kept + last.size();
}

bool SseBoundary::between_lines() const {
  return size_ == 0 || is_line_end(tail_[size_ - 1]);
}

bool SseBoundary::between_events() const {
  if (!between_lines()) return false;
  const std::string_view tail(tail_, size_);
  // Without the last line's end, what is left must be nothing or end a line itself.
  const std::string_view rest = tail.substr(0, size_ - std::min<size_t>(size_, tail.ends_with("\r\n") ? 2 : 1));
  return rest.empty() || is_line_end(rest.back());
}

namespace {

void append_on_one_line(std::string& out, std::string_view text) {
  const auto first = static_cast<std::ptrdiff_t>(out.size());
  out.append(text);
  std::replace_if(out.begin() + first, out.end(), is_line_end, ' ');
}

}  // namespace

bool append_event(std::string& out, std::string_view event, std::string_view json) {
  using namespace std::string_view_literals;
  if (event.find_first_of("\r\n\0"sv) != std::string_view::npos) return false;
  if (!event.empty()) out.append("event: ").append(event).push_back('\n');
  out.append("data: ");
  append_on_one_line(out, json);
  out.append("\n\n");
  return true;
}

void append_comment(std::string& out, std::string_view text) {
  out.append(": ");
  append_on_one_line(out, text);
  out.append("\n\n");
}

}  // namespace llmgw::http
