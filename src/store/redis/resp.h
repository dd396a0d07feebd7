// Redis's protocol, version 2 (redis.io, "Redis serialization protocol specification", read 2025-10): what a client
// writes and reads. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace llmgw::store {

struct RespValue {
  enum class Kind : uint8_t { text, error, integer, null, array } kind = Kind::null;
  std::string text = {};  // also of an error
  int64_t integer = 0;
  std::vector<RespValue> items = {};

  bool is_error() const { return kind == Kind::error; }
};

// Appends a command: an array of bulk strings.
void append_command(std::string& to, std::span<const std::string_view> words);

// Collects bytes and hands out whole answers.
class RespReader {
 public:
  static constexpr size_t kTextBytesMax = 1u << 20;  // answers to our commands are a line or two
  static constexpr size_t kItemsMax = 1024;
  static constexpr int kDepthMax = 4;

  void feed(std::string_view bytes) { buffer_.append(bytes); }
  // The next answer; nothing yet: std::nullopt. protocol, too_large: the connection is of no use any more.
  base::Result<std::optional<RespValue>> next();

 private:
  enum class Step : uint8_t { whole, more, broken, too_large };
  Step read(size_t& at, RespValue& value, int depth) const;
  bool line(size_t& at, std::string_view& text) const;

  std::string buffer_;
};

}  // namespace llmgw::store
