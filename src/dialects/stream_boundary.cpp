#include "dialects/stream_boundary.h"

namespace llmgw::dialects {

void StreamBoundary::feed(std::string_view bytes) {
  if (bytes.empty()) return;
  started_ = true;
  if (framing_ == chat::Framing::sse) feed_sse(bytes);
  if (framing_ == chat::Framing::json_array) feed_array(bytes);
}

// Only the end matters: everything before the last byte that ends no line is passed over.
void StreamBoundary::feed_sse(std::string_view bytes) {
  const size_t last_text = bytes.find_last_not_of("\r\n");
  if (last_text != std::string_view::npos) {
    line_ends_ = 0;
    after_cr_ = false;
    bytes.remove_prefix(last_text + 1);
  }
  for (const char c : bytes) {
    const bool second_half = c == '\n' && after_cr_;
    after_cr_ = c == '\r';
    if (!second_half && line_ends_ < 2) ++line_ends_;
  }
}

// Whether that may follow what came last outside strings.
bool StreamBoundary::may_stand(char c) const {
  const bool deep = depth_ > kDepthMax;
  const bool in_object = !deep && depth_ > 0 && (objects_ & 1) != 0;
  const auto behind = [this](std::string_view any) { return any.find(last_) != std::string_view::npos; };
  switch (c) {
    case '{':
    case '[': return last_ == 0 || (deep ? behind("[,:") : in_object ? last_ == ':' : behind("[,"));
    case '"': return deep || (in_object ? behind("{,:") : behind("[,"));
    case '}': return deep || (in_object && !behind(",:["));
    case ']': return deep || (!in_object && depth_ > 0 && !behind(",:{"));
    case ',': return depth_ > 0 && !behind("[{,:");
    case ':': return deep || (in_object && last_ == '"');
    default: return depth_ > 0;
  }
}

void StreamBoundary::feed_array(std::string_view bytes) {
  constexpr unsigned char kControlEnd = 0x20;
  if (malformed_ || foreign_) return;
  bytes_before_ = at_boundary() ? std::optional<size_t>(0) : std::nullopt;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      } else if (static_cast<unsigned char>(c) < kControlEnd) {
        malformed_ = true;
        return;
      }
      continue;
    }
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    foreign_ = last_ == 0 && c != '[' && c != '{';
    malformed_ = !foreign_ && !may_stand(c);
    if (foreign_ || malformed_) return;
    last_ = c;
    switch (c) {
      case '"': in_string_ = true; break;
      case '{':
      case '[':
        objects_ = objects_ << 1 | (c == '{' ? 1 : 0);
        ++depth_;
        break;
      case '}':
      case ']':
        objects_ >>= 1;
        --depth_;
        element_done_ = depth_ == 1 && (objects_ & 1) == 0;
        if (element_done_) bytes_before_ = i + 1;
        break;
      case ',':
        if (depth_ == 1) element_done_ = false;
        break;
      default: break;
    }
  }
}

bool StreamBoundary::at_boundary() const {
  switch (framing_) {
    case chat::Framing::sse: return line_ends_ >= 2;
    case chat::Framing::json_array: return started_ && depth_ == 1 && element_done_;
    case chat::Framing::json:
    case chat::Framing::event_stream: return false;
  }
  return false;
}

}  // namespace llmgw::dialects
