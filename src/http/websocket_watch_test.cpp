#include "http/websocket_watch.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::http {
namespace {

enum class Masked : uint8_t { no, yes };

std::string frame(uint8_t opcode, size_t size, Masked masked) {
  std::string out;
  out += static_cast<char>(0x80 | opcode);
  const char mask = masked == Masked::yes ? '\x80' : '\0';
  if (size < 126) {
    out += static_cast<char>(mask | static_cast<char>(size));
  } else if (size < 65536) {
    out += static_cast<char>(mask | 126);
    for (int shift = 8; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift & 0xff);
  } else {
    out += static_cast<char>(mask | 127);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift & 0xff);
  }
  if (masked == Masked::yes) out += "\x88\x88\x88\x88";
  return out + std::string(size, '\x88');  // every byte of it would begin a Close frame
}

bool closes(std::string_view bytes, size_t step) {
  WebSocketWatch watch;
  for (size_t at = 0; at < bytes.size(); at += step) watch.feed(bytes.substr(at, step));
  return watch.closed();
}

TEST(WebSocketWatch, SeesACloseFrameWhateverCameBefore) {
  for (const Masked masked : {Masked::no, Masked::yes}) {
    std::string talk;
    for (const size_t size : {0, 1, 125, 126, 127, 300, 65535, 65536, 70000}) {
      talk += frame(1, size, masked) + frame(2, size, masked) + frame(0, size, masked);
    }
    talk += frame(9, 4, masked) + frame(10, 125, masked);
    for (const size_t close_size : {0, 2, 60}) {
      const std::string all = talk + frame(8, close_size, masked);
      for (const size_t step : {size_t{1}, size_t{7}, size_t{4096}, all.size()}) {
        EXPECT_FALSE(closes(talk, step));
        EXPECT_TRUE(closes(all, step));
        EXPECT_FALSE(closes(std::string_view(all).substr(0, all.size() - 1), step)) << "half a Close frame is none";
        EXPECT_TRUE(closes(all + "what nobody reads", step));
      }
    }
  }
}

}  // namespace
}  // namespace llmgw::http
