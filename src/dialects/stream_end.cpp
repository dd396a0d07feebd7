#include "dialects/stream_end.h"

#include <algorithm>
#include <cstring>

namespace llmgw::dialects {

using chat::Dialect;

namespace {

constexpr std::string_view kGeminiMarks[] = {"\"finishReason\"", "\"finish_reason\"", "\"blockReason\"",
                                             "\"block_reason\"", "\"error\""};

std::string_view field_value(std::string_view line, std::string_view name) {
  if (!line.starts_with(name)) return {};
  line.remove_prefix(name.size());
  if (line.starts_with(' ')) line.remove_prefix(1);
  return line;
}

}  // namespace

void StreamEnd::feed(std::string_view bytes) {
  if (seen_ || bytes.empty()) return;
  if (dialect_ == Dialect::gemini || dialect_ == Dialect::vertex) {
    feed_text(bytes);
  } else {
    feed_lines(bytes);
  }
}

void StreamEnd::feed_lines(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find_first_of("\r\n");
    const std::string_view part = bytes.substr(0, end);
    const size_t kept = std::min(part.size(), kLineBytes - size_);
    if (kept > 0) std::memcpy(line_.data() + size_, part.data(), kept);
    size_ += kept;
    if (line_ends_stream({line_.data(), size_})) {
      seen_ = true;
      return;
    }
    if (end == std::string_view::npos) return;
    size_ = 0;
    bytes.remove_prefix(end + 1);
  }
}

bool StreamEnd::line_ends_stream(std::string_view line) const {
  if (const std::string_view event = field_value(line, "event:"); !event.empty()) {
    return event == "error" || event.starts_with("message_stop") || event.starts_with("response.completed") ||
           event.starts_with("response.incomplete") || event.starts_with("response.failed");
  }
  const std::string_view data = field_value(line, "data:");
  return data.starts_with("[DONE]") || data.starts_with("{\"error\"") || data.starts_with("{\"type\":\"error\"");
}

// A mark may be cut between two pieces: the end of the last one is looked at again with the start of the next.
void StreamEnd::feed_text(std::string_view bytes) {
  std::array<char, 2 * kLineBytes> joint;
  const size_t head = std::min(bytes.size(), kLineBytes);
  std::memcpy(joint.data(), line_.data(), size_);
  std::memcpy(joint.data() + size_, bytes.data(), head);
  for (const std::string_view mark : kGeminiMarks) {
    if (std::string_view(joint.data(), size_ + head).find(mark) != std::string_view::npos ||
        bytes.find(mark) != std::string_view::npos) {
      seen_ = true;
      return;
    }
  }
  const std::string_view tail = bytes.size() >= kLineBytes ? bytes.substr(bytes.size() - kLineBytes)
                                                           : std::string_view(joint.data(), size_ + head);
  const std::string_view kept = tail.substr(tail.size() - std::min(tail.size(), kLineBytes));
  std::memmove(line_.data(), kept.data(), kept.size());
  size_ = kept.size();
}

}  // namespace llmgw::dialects
