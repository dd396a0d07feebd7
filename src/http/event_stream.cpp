#include "http/event_stream.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

namespace llmgw::http {
namespace {

using base::ErrorCode;
using base::fail;
using Type = EventStreamHeader::Type;

constexpr size_t kPreludeBytes = 12;
constexpr size_t kChecksumBytes = 4;
static_assert(kPreludeBytes + kChecksumBytes == kEventStreamOverheadBytes);

uint64_t big_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

void append_big_endian(std::string& out, uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xFF));
}

// `before`: of the bytes that stand before these.
uint32_t checksum(std::string_view bytes, uint32_t before = 0) {
  return static_cast<uint32_t>(crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// Takes `count` bytes from the front; nothing when there are fewer.
std::optional<std::string_view> take(std::string_view& bytes, size_t count) {
  if (bytes.size() < count) return std::nullopt;
  const auto taken = bytes.substr(0, count);
  bytes.remove_prefix(count);
  return taken;
}

// Bytes of a value of fixed size; nothing for the types that say their own length.
std::optional<size_t> fixed_size(Type type) {
  switch (type) {
    case Type::yes:
    case Type::no: return 0;
    case Type::int8: return 1;
    case Type::int16: return 2;
    case Type::int32: return 4;
    case Type::int64:
    case Type::timestamp: return 8;
    case Type::uuid: return 16;
    case Type::bytes:
    case Type::string: break;
  }
  return std::nullopt;
}

// Takes one header; nothing when the bytes are none.
std::optional<EventStreamHeader> take_header(std::string_view& block) {
  const auto name_size = take(block, 1);
  if (!name_size || name_size->front() == 0) return std::nullopt;
  const auto name = take(block, static_cast<unsigned char>(name_size->front()));
  const auto type_byte = take(block, 1);
  if (!name || !type_byte || static_cast<unsigned char>(type_byte->front()) > 9) return std::nullopt;
  const auto type = static_cast<Type>(type_byte->front());
  auto size = fixed_size(type);
  if (!size) {
    const auto length = take(block, 2);
    if (!length) return std::nullopt;
    size = big_endian(*length);
  }
  const auto value = take(block, *size);
  if (!value) return std::nullopt;
  return EventStreamHeader{.name = *name, .type = type, .value = *value};
}

}  // namespace

int64_t EventStreamHeader::number() const {
  switch (type) {
    case Type::yes: return 1;
    case Type::int8: return static_cast<int8_t>(big_endian(value));
    case Type::int16: return static_cast<int16_t>(big_endian(value));
    case Type::int32: return static_cast<int32_t>(big_endian(value));
    case Type::int64:
    case Type::timestamp: return static_cast<int64_t>(big_endian(value));
    default: return 0;
  }
}

std::string_view EventStreamMessage::text(std::string_view name) const {
  for (const auto& header : headers) {
    if (header.type == Type::string && header.name == name) return header.value;
  }
  return {};
}

// `start` holds at least the prelude.
base::Result<size_t> EventStreamReader::message_length(std::string_view start) {
  const size_t total = big_endian(start.substr(0, 4));
  const size_t headers = big_endian(start.substr(4, 4));
  if (checksum(start.substr(0, 8)) != big_endian(start.substr(8, 4))) {
    return fail(ErrorCode::protocol, "event stream: wrong checksum of a message's lengths");
  }
  if (headers > kEventStreamHeaderBytesMax) return fail(ErrorCode::too_large, "event stream: headers too large");
  if (total < kEventStreamOverheadBytes + headers) {
    return fail(ErrorCode::protocol, "event stream: a message's lengths contradict each other");
  }
  if (total - kEventStreamOverheadBytes - headers > kEventStreamPayloadBytesMax) {
    return fail(ErrorCode::too_large, "event stream: payload too large");
  }
  return total;
}

base::Result<void> EventStreamReader::parse_headers(std::string_view block) {
  headers_.clear();
  while (!block.empty()) {
    const auto header = take_header(block);
    if (!header) return fail(ErrorCode::protocol, "event stream: malformed header");
    if (std::ranges::any_of(headers_, [&](const auto& other) { return other.name == header->name; })) {
      return fail(ErrorCode::protocol, "event stream: a header is there twice");
    }
    if (headers_.size() == kEventStreamHeadersMax) return fail(ErrorCode::too_large, "event stream: too many headers");
    headers_.push_back(*header);
  }
  return {};
}

base::Result<EventStreamMessage> EventStreamReader::parse(std::string_view message) {
  const size_t checked = message.size() - kChecksumBytes;
  if (checksum(message.substr(0, checked)) != big_endian(message.substr(checked))) {
    return fail(ErrorCode::protocol, "event stream: wrong checksum of a message");
  }
  const size_t headers = big_endian(message.substr(4, 4));
  TRY_VOID(parse_headers(message.substr(kPreludeBytes, headers)));
  const size_t payload = kPreludeBytes + headers;
  return EventStreamMessage{.headers = headers_, .payload = message.substr(payload, checked - payload)};
}

base::Result<std::optional<EventStreamMessage>> EventStreamReader::next(std::string_view& bytes) {
  const auto failed = [&](const base::Error& error) {
    failed_ = error;
    return fail(error);
  };
  if (failed_) return fail(*failed_);
  if (carry_used_) {
    carry_.clear();
    carry_used_ = false;
  }
  if (bytes.empty()) return std::nullopt;
  // The lengths first, so that a message is not gathered beyond its end.
  if (!carry_.empty() && carry_.size() < kPreludeBytes) {
    carry_.append(*take(bytes, std::min(bytes.size(), kPreludeBytes - carry_.size())));
  }
  const std::string_view start = carry_.empty() ? bytes : std::string_view(carry_);
  if (start.size() < kPreludeBytes) {
    if (carry_.empty()) carry_.append(*take(bytes, bytes.size()));
    return std::nullopt;
  }
  const auto total = message_length(start);
  if (!total) return failed(total.error());
  std::string_view message;
  if (carry_.empty() && bytes.size() >= *total) {
    message = *take(bytes, *total);
  } else {
    carry_.append(*take(bytes, std::min(bytes.size(), *total - carry_.size())));
    if (carry_.size() < *total) return std::nullopt;
    message = carry_;
    carry_used_ = true;
  }
  const auto parsed = parse(message);
  if (!parsed) return failed(parsed.error());
  return *parsed;
}

void EventStreamWalker::read_prelude() {
  const std::string_view prelude(kept_.data(), kPreludeBytes);
  const size_t total = big_endian(prelude.substr(0, 4));
  headers_left_ = big_endian(prelude.substr(4, 4));
  if (checksum(prelude.substr(0, 8)) != big_endian(prelude.substr(8, 4)) ||
      headers_left_ > kEventStreamHeaderBytesMax || total < kEventStreamOverheadBytes + headers_left_ ||
      total - kEventStreamOverheadBytes - headers_left_ > kEventStreamPayloadBytesMax) {
    place_ = Place::broken;
    return;
  }
  checksum_ = checksum(prelude);
  told_ = 0;
  payload_left_ = total - kEventStreamOverheadBytes - headers_left_;
  checksum_left_ = kChecksumBytes;
  place_ = Place::headers;
  size_ = 0;
}

void EventStreamWalker::read_headers() {
  std::string_view block(kept_.data(), std::min(size_, kHeaderBytesKept));
  event_type_size_ = 0;
  is_event_ = false;
  if (size_ <= kHeaderBytesKept) {
    while (const auto header = take_header(block)) {
      if (header->type != Type::string) continue;
      if (header->name == ":message-type") is_event_ = header->value == "event";
      const bool names =
          header->name == ":event-type" || header->name == ":exception-type" || header->name == ":error-code";
      if (names && header->value.size() <= kTypeBytesMax) {
        std::memcpy(event_type_.data(), header->value.data(), header->value.size());
        event_type_size_ = header->value.size();
      }
    }
  }
  place_ = Place::payload;
  size_ = 0;
}

std::optional<EventStreamWalker::Step> EventStreamWalker::next(std::string_view& bytes) {
  while (!bytes.empty() && place_ != Place::broken) {
    switch (place_) {
      case Place::prelude: {
        const auto part = *take(bytes, std::min(bytes.size(), kPreludeBytes - size_));
        std::memcpy(kept_.data() + size_, part.data(), part.size());
        size_ += part.size();
        if (size_ < kPreludeBytes) break;
        read_prelude();
        if (place_ == Place::broken || headers_left_ > 0) break;
        read_headers();
        return Step{.starts = true};
      }
      case Place::headers: {
        const auto part = *take(bytes, std::min(bytes.size(), headers_left_));
        if (size_ < kHeaderBytesKept) {
          std::memcpy(kept_.data() + size_, part.data(), std::min(part.size(), kHeaderBytesKept - size_));
        }
        size_ += part.size();
        checksum_ = checksum(part, checksum_);
        headers_left_ -= part.size();
        if (headers_left_ > 0) break;
        read_headers();
        return Step{.starts = true};
      }
      case Place::payload: {
        const auto part = *take(bytes, std::min(bytes.size(), payload_left_));
        checksum_ = checksum(part, checksum_);
        payload_left_ -= part.size();
        if (payload_left_ == 0) place_ = Place::checksum;
        if (part.empty()) break;
        return Step{.payload = part};
      }
      case Place::checksum: {
        const auto part = *take(bytes, std::min(bytes.size(), checksum_left_));
        for (const char c : part) told_ = told_ << 8 | static_cast<unsigned char>(c);
        checksum_left_ -= part.size();
        if (checksum_left_ > 0) break;
        place_ = told_ == checksum_ ? Place::prelude : Place::broken;
        if (place_ == Place::broken) break;
        return Step{.ends = true};
      }
      case Place::broken: break;
    }
  }
  return std::nullopt;
}

bool append_event_stream_message(std::string& out, std::span<const EventStreamField> headers,
                                 std::string_view payload) {
  size_t header_bytes = 0;
  for (const auto& header : headers) {
    if (header.name.empty() || header.name.size() > 255 || header.value.size() > 65535) return false;
    header_bytes += 1 + header.name.size() + 1 + 2 + header.value.size();
  }
  if (headers.size() > kEventStreamHeadersMax || header_bytes > kEventStreamHeaderBytesMax ||
      payload.size() > kEventStreamPayloadBytesMax) {
    return false;
  }
  const size_t total = kEventStreamOverheadBytes + header_bytes + payload.size();
  const size_t first = out.size();
  // Not reserve(), which would take exactly that and make many appends quadratic.
  if (out.capacity() - first < total) out.reserve(std::max(first + total, 2 * out.capacity()));
  append_big_endian(out, total, 4);
  append_big_endian(out, header_bytes, 4);
  append_big_endian(out, checksum(std::string_view(out).substr(first)), 4);
  for (const auto& header : headers) {
    out.push_back(static_cast<char>(header.name.size()));
    out.append(header.name).push_back(static_cast<char>(Type::string));
    append_big_endian(out, header.value.size(), 2);
    out.append(header.value);
  }
  out.append(payload);
  append_big_endian(out, checksum(std::string_view(out).substr(first)), 4);
  return true;
}

bool append_event_stream_event(std::string& out, std::string_view event_type, std::string_view json) {
  const EventStreamField headers[] = {
      {":event-type", event_type}, {":content-type", "application/json"}, {":message-type", "event"}};
  return append_event_stream_message(out, headers, json);
}

bool append_event_stream_exception(std::string& out, std::string_view exception_type, std::string_view json) {
  const EventStreamField headers[] = {
      {":exception-type", exception_type}, {":content-type", "application/json"}, {":message-type", "exception"}};
  return append_event_stream_message(out, headers, json);
}

}  // namespace llmgw::http
