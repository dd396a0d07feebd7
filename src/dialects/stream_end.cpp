#include "dialects/stream_end.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace llmgw::dialects {
namespace {

constexpr std::array<std::string_view, 4> kEnds{"message_stop", "message-end", "response.completed",
                                                "response.incomplete"};

std::string_view field_value(std::string_view line, std::string_view name) {
  if (!line.starts_with(name)) return {};
  line.remove_prefix(name.size());
  if (line.starts_with(' ')) line.remove_prefix(1);
  return line;
}

// Takes `token` and the spaces before it off the front.
bool take(std::string_view& text, std::string_view token) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  if (!text.starts_with(token)) return false;
  text.remove_prefix(token.size());
  return true;
}

bool is_end(std::string_view name) {
  return std::ranges::find(kEnds, name) != kEnds.end();
}

// By the beginning of a line; `whole`: its end is there.
StreamMark mark_of(std::string_view line, bool whole) {
  if (const std::string_view name = field_value(line, "event:"); !name.empty()) {
    if (!whole) return StreamMark::none;
    if (name == "error" || name == "response.failed") return StreamMark::error;
    return is_end(name) ? StreamMark::end : StreamMark::none;
  }
  std::string_view data = field_value(line, "data:");
  if (data.starts_with("[DONE]")) return StreamMark::end;
  if (!take(data, "{") || !take(data, "\"type\"") || !take(data, ":") || !take(data, "\"")) return StreamMark::none;
  const size_t end = data.find('"');
  return end != std::string_view::npos && is_end(data.substr(0, end)) ? StreamMark::end : StreamMark::none;
}

size_t line_end(std::string_view bytes) {
  const size_t feed = bytes.find('\n');
  return std::min(bytes.substr(0, feed).find('\r'), feed);
}

}  // namespace

void StreamEnd::feed(std::string_view bytes) {
  while (!bytes.empty() && mark_ == StreamMark::none) {
    const size_t end = line_end(bytes);
    const bool whole = end != std::string_view::npos;
    std::string_view line = bytes.substr(0, std::min(end, kLineBytes));
    if (size_ > 0 || !whole) {
      const size_t kept = std::min(line.size(), kLineBytes - size_);
      if (kept > 0) std::memcpy(line_.data() + size_, line.data(), kept);
      size_ += kept;
      line = {line_.data(), size_};
    }
    mark_ = mark_of(line, whole);
    if (!whole) return;
    size_ = 0;
    bytes.remove_prefix(end + 1);
  }
}

}  // namespace llmgw::dialects
