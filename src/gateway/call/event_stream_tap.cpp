#include "gateway/call/event_stream_tap.h"

#include <algorithm>

#include "base/base64.h"
#include "base/text.h"

namespace llmgw::gateway {
namespace {

// The other member, random padding, holds no quote.
constexpr std::string_view kMember = "\"bytes\"";

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (base::is_digit(c)) return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

void pass_on(std::string_view payload, const EventStreamTap::Scanners& scanners) {
  if (scanners.usage != nullptr) scanners.usage->feed(payload);
  if (scanners.text != nullptr) scanners.text->feed(payload);
  if (scanners.details != nullptr) scanners.details->feed(payload);
}

}  // namespace

void ChunkDecoder::reset() {
  *this = {};
}

// Looks for the member and the quote before its value.
void ChunkDecoder::find(char c) {
  if (place_ == Place::before) {
    // No prefix of the name occurs in it again but for its first byte.
    matched_ = c == kMember[matched_] ? matched_ + 1 : (c == kMember[0] ? 1 : 0);
    if (matched_ == kMember.size()) place_ = Place::value;
  } else if (c == '"') {
    place_ = Place::inside;
  } else if (c != ':' && c != ' ') {
    place_ = Place::before;  // it was a text of that name
    matched_ = 0;
  }
}

std::string_view ChunkDecoder::decode(std::string_view& payload, std::span<char> buffer) {
  size_t size = 0;
  size_t taken = 0;
  while (taken < payload.size() && size < buffer.size()) {
    if (place_ == Place::behind) {
      taken = payload.size();
      break;
    }
    const char c = payload[taken++];
    if (place_ != Place::inside) {
      find(c);
      continue;
    }
    const int value = base64_value(c);
    if (value < 0) {
      if (c == '"') place_ = Place::behind;
      continue;
    }
    bits_ = bits_ << 6 | static_cast<uint32_t>(value);
    bit_count_ = static_cast<uint8_t>(bit_count_ + 6);
    if (bit_count_ < 8) continue;
    bit_count_ = static_cast<uint8_t>(bit_count_ - 8);
    buffer[size++] = static_cast<char>(bits_ >> bit_count_ & 0xFF);
  }
  payload.remove_prefix(taken);
  return {buffer.data(), size};
}

bool unwrap_chunk(std::string_view payload, std::string& event) {
  for (size_t name = payload.find(kMember); name != std::string_view::npos; name = payload.find(kMember, name + 1)) {
    const size_t start = payload.find_first_not_of(" :", name + kMember.size());
    // Else it was a text of that name.
    if (start == name + kMember.size() || start == std::string_view::npos || payload[start] != '"') continue;
    const size_t end = payload.find('"', start + 1);
    if (end == std::string_view::npos) return false;
    const std::string_view text = payload.substr(start + 1, end - start - 1);
    const size_t before = event.size();
    event.resize(before + text.size());
    const auto size = base::base64_decode(text, event.data() + before);
    event.resize(before + size.value_or(0));
    return size.has_value();
  }
  return false;
}

void EventStreamTap::begin_message() {
  const bool named = payload_ == Payload::plain || !walker_.is_event();
  exception_ = exception_ || !walker_.is_event();
  stopped_ = stopped_ || (payload_ == Payload::plain && walker_.event_type() == "messageStop");
  // Usage comes behind the stop, in the metadata.
  ended_ = ended_ || payload_ == Payload::wrapped || !walker_.is_event() || walker_.event_type() == "metadata";
  content_ = content_ || unnamed_ || (named && !is_prelude_name(walker_.event_type()));
  unnamed_ = !named;
  in_error_ = false;
  inside_size_ = 0;
  chunk_.reset();
}

void EventStreamTap::read_name(std::string_view text) {
  inside_size_ += text.copy(inside_.data() + inside_size_, inside_.size() - inside_size_);
  const auto name = name_inside({inside_.data(), inside_size_});
  if (!name && inside_size_ < inside_.size()) return;
  unnamed_ = false;
  note_name(name.value_or(""));
}

// Of the event inside a chunk.
void EventStreamTap::note_name(std::string_view name) {
  content_ = content_ || !is_prelude_name(name);
  stops_ = stops_ || name == "message_start" || name == "messageStart";
  stopped_ = stopped_ || name == "message_stop" || name == "messageStop";
  in_error_ = name == "error" && said_error_.empty();
  if (in_error_) said_error_.assign(inside_.data(), inside_size_);
}

void EventStreamTap::keep_error(std::string_view text) {
  constexpr size_t kErrorBytesMax = 64 << 10;
  said_error_ += text.substr(0, kErrorBytesMax - std::min(kErrorBytesMax, said_error_.size()));
}

void EventStreamTap::read_chunk(std::string_view payload, const Scanners& scanners) {
  constexpr size_t kPieceBytes = 512;  // decoded at a time
  std::array<char, kPieceBytes> buffer;
  while (!payload.empty()) {
    const std::string_view text = chunk_.decode(payload, buffer);
    if (in_error_) {
      keep_error(text);
    } else if (unnamed_) {
      const size_t before = inside_size_;
      read_name(text);
      if (in_error_) keep_error(text.substr(inside_size_ - before));
    }
    pass_on(text, scanners);
  }
}

void EventStreamTap::feed(std::string_view bytes, const Scanners& scanners) {
  if (malformed_) return;
  const size_t size = bytes.size();
  message_at_.reset();
  for (;;) {
    if (walker_.between_messages()) message_at_ = size - bytes.size();
    const auto step = walker_.next(bytes);
    if (!step) break;
    if (step->starts) {
      begin_message();
      if (scanners.usage != nullptr) scanners.usage->next_document();
      if (scanners.text != nullptr) scanners.text->next_document();
    }
    if (step->ends && walker_.is_event() && scanners.usage != nullptr && scanners.usage->open()) {
      malformed_ = true;
      return;
    }
    if (step->payload.empty()) continue;
    if (payload_ == Payload::wrapped) {
      read_chunk(step->payload, scanners);
      continue;
    }
    pass_on(step->payload, scanners);
  }
  malformed_ = walker_.broken() && !exception_;
}

}  // namespace llmgw::gateway
