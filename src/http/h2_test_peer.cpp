#include "http/h2_test_peer.h"

#include <nghttp2/nghttp2.h>

#include <cstdlib>

#include "http/h1_parser.h"

namespace llmgw::http {

using net::Task;

namespace {

constexpr size_t kFrameHeaderBytes = 9;

uint32_t read_number(std::string_view bytes, size_t count) {
  uint32_t number = 0;
  for (size_t i = 0; i < count; ++i) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

// RFC 7541, section 5.1, with a prefix of 7 bits.
void put_length(std::string& out, size_t length) {
  if (length < 127) {
    out.push_back(static_cast<char>(length));
    return;
  }
  out.push_back(127);
  for (length -= 127; length >= 128; length >>= 7) out.push_back(static_cast<char>(length % 128 + 128));
  out.push_back(static_cast<char>(length));
}

}  // namespace

uint32_t TestFrame::number(size_t offset) const {
  return payload.size() >= offset + 4 ? read_number(std::string_view(payload).substr(offset), 4) : UINT32_MAX;
}

std::string number_bytes(uint32_t number) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift));
  return out;
}

std::string frame_bytes(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string out = number_bytes(static_cast<uint32_t>(payload.size())).substr(1);
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  return out.append(number_bytes(stream)).append(payload);
}

std::string field_block(const TestFields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out.push_back(0);
    put_length(out, name.size());
    out += name;
    put_length(out, value.size());
    out += value;
  }
  return out;
}

TestFields request_fields(std::string_view method, std::string_view path, const TestFields& more) {
  TestFields fields{{":method", std::string(method)},
                    {":scheme", "http"},
                    {":authority", "example.com"},
                    {":path", std::string(path)}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

TestPeer::TestPeer(std::unique_ptr<net::Stream> stream) : stream_(std::move(stream)) {
  if (nghttp2_hd_inflate_new(&inflater_) != 0) std::abort();
}

TestPeer::~TestPeer() {
  nghttp2_hd_inflate_del(inflater_);
}

Task<void> TestPeer::greet(bool client) {
  std::string bytes;
  if (client) bytes = kH2Preface;
  (void)co_await send(bytes + frame_bytes(FrameType::settings, 0, 0, {}));
}

Task<bool> TestPeer::send(std::string bytes) {
  auto sent = co_await net::write_all(*stream_, bytes, {stream_->loop().now() + std::chrono::seconds(5)});
  co_return sent.has_value();
}

Task<bool> TestPeer::send_request(uint32_t stream, TestFields fields, bool end) {
  const uint8_t flags = kEndHeaders | (end ? kEndStream : 0);
  co_return co_await send(frame_bytes(FrameType::headers, flags, stream, field_block(fields)));
}

Task<TestFrame> TestPeer::next(base::Duration patience) {
  const base::Instant deadline = stream_->loop().now() + patience;
  for (;;) {
    const size_t length = received_.size() >= kFrameHeaderBytes ? read_number(received_, 3) : 0;
    if (received_.size() >= kFrameHeaderBytes + length) {
      TestFrame frame;
      frame.arrived = true;
      frame.type = static_cast<FrameType>(received_[3]);
      frame.flags = static_cast<uint8_t>(received_[4]);
      frame.stream = read_number(std::string_view(received_).substr(5), 4);
      frame.payload = received_.substr(kFrameHeaderBytes, length);
      received_.erase(0, kFrameHeaderBytes + length);
      if (frame.type == FrameType::settings && (frame.flags & kAck) == 0) {
        (void)co_await send(frame_bytes(FrameType::settings, kAck, 0, {}));
      }
      if (frame.type == FrameType::headers) {
        const auto* at = reinterpret_cast<const uint8_t*>(frame.payload.data());
        size_t left = frame.payload.size();
        for (;;) {
          nghttp2_nv field{};
          int flags = 0;
          const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
          if (used < 0) co_return TestFrame{};
          at += used;
          left -= static_cast<size_t>(used);
          if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            frame.fields.emplace(std::string(reinterpret_cast<char*>(field.name), field.namelen),
                                 std::string(reinterpret_cast<char*>(field.value), field.valuelen));
          }
          if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
        }
        nghttp2_hd_inflate_end_headers(inflater_);
      }
      co_return frame;
    }
    auto bytes = co_await net::read_scratch(*stream_, {.deadline = deadline});
    if (!bytes || bytes->empty()) co_return TestFrame{};
    received_.append(bytes->data(), bytes->size());
  }
}

Task<TestFrame> TestPeer::next_of(FrameType type, uint32_t stream) {
  for (;;) {
    auto frame = co_await next();
    if (!frame.arrived || (frame.type == type && (stream == 0 || frame.stream == stream))) co_return frame;
  }
}

}  // namespace llmgw::http
