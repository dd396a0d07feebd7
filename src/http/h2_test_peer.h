// The other end of an HTTP/2 connection, frame by frame, for tests: it sends whatever it is told, right or wrong. Not
// linked into a program that does not ask for it. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/io.h"
#include "net/stream.h"
#include "net/task.h"

struct nghttp2_hd_inflater;

namespace llmgw::http {

// RFC 9113, section 6.
enum class FrameType : uint8_t {
  data = 0,
  headers = 1,
  priority = 2,
  rst_stream = 3,
  settings = 4,
  push_promise = 5,
  ping = 6,
  goaway = 7,
  window_update = 8,
  continuation = 9
};
inline constexpr uint8_t kEndStream = 0x1;
inline constexpr uint8_t kAck = 0x1;
inline constexpr uint8_t kEndHeaders = 0x4;

struct TestFrame {
  bool arrived = false;  // or the connection has ended, or was silent
  FrameType type{};
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload = {};
  std::map<std::string, std::string> fields = {};  // of HEADERS, decoded

  uint32_t number(size_t offset) const;  // 32 bits of the payload: an error code, an increment
};

using TestFields = std::vector<std::pair<std::string, std::string>>;

std::string frame_bytes(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload);
// Literal fields without indexing and without Huffman coding: any bytes can be sent.
std::string field_block(const TestFields& fields);
std::string number_bytes(uint32_t number);
// "POST /path" with an authority and a scheme, then `more`.
TestFields request_fields(std::string_view method, std::string_view path, const TestFields& more = {});

class TestPeer {
 public:
  explicit TestPeer(std::unique_ptr<net::Stream> stream);
  ~TestPeer();

  // The client's preface and empty SETTINGS, or a server's SETTINGS.
  net::Task<void> greet(bool client = true);
  net::Task<bool> send(std::string bytes);
  net::Task<bool> send_request(uint32_t stream, TestFields fields, bool end = true);
  // The next frame, not `arrived` when the connection has ended or is silent for `patience`. SETTINGS are acknowledged.
  net::Task<TestFrame> next(base::Duration patience = std::chrono::seconds(5));
  // The next one of that type (and stream, unless 0); frames before it are dropped.
  net::Task<TestFrame> next_of(FrameType type, uint32_t stream = 0);

  net::Stream& stream() { return *stream_; }
  void close() { stream_.reset(); }

 private:
  std::unique_ptr<net::Stream> stream_;
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::string received_;
};

}  // namespace llmgw::http
