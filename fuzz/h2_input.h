// What the HTTP/2 fuzz targets make of their input: options, and the bytes of a peer in pieces.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace llmgw::http::fuzzing {

inline void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

// Takes the input from the front; zeros when it is used up.
class Input {
 public:
  Input(const unsigned char* data, size_t size) : left_(reinterpret_cast<const char*>(data), size) {}
  uint8_t byte() {
    if (left_.empty()) return 0;
    const auto value = static_cast<uint8_t>(left_.front());
    left_.remove_prefix(1);
    return value;
  }
  std::string_view take(size_t count) {
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(taken.size());
    return taken;
  }
  bool empty() const { return left_.empty(); }
  std::string_view rest() const { return left_; }

 private:
  std::string_view left_;
};

// Frames whose lengths are right, so that a mutation does not shift all that follows: a byte each of type, flags,
// stream and length, then the payload. Types above 0xf0 are payload without a frame around it.
inline std::string frames_of(Input& input) {
  constexpr uint8_t kRaw = 0xf0;
  std::string out;
  while (!input.empty()) {
    const uint8_t type = input.byte();
    const uint8_t flags = input.byte();
    const uint8_t stream = input.byte();
    const std::string_view payload = input.take(input.byte());
    if (type < kRaw) {
      const char header[9] = {
          0, 0, static_cast<char>(payload.size()), static_cast<char>(type), static_cast<char>(flags), 0,
          0, 0, static_cast<char>(stream)};
      out.append(header, sizeof header);
    }
    out.append(payload);
  }
  return out;
}

}  // namespace llmgw::http::fuzzing
