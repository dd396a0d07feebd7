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

void StreamBoundary::feed_array(std::string_view bytes) {
  for (const char c : bytes) {
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
      continue;
    }
    switch (c) {
      case '"': in_string_ = true; break;
      case '{':
      case '[': ++depth_; break;
      case '}':
      case ']':
        if (depth_ > 0) --depth_;
        element_done_ = depth_ == 1;
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
