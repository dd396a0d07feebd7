// The commands of one exchange with Redis: calls of the scripts, one key each, so that each books whole or not at all.
// The first call of a script brings its text, and Redis knows it by its digest from then on. Pure; one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace llmgw::control {

class Telling {
 public:
  enum class Script : uint8_t { window, budget, running };

  void call(Script script, std::string_view key, std::span<const std::string> arguments);
  // How many fields a hash has: 0 where there is none.
  void count_fields(std::string_view key);
  // Somebody must notice that Redis is gone, or back.
  void ping();
  const std::string& commands() const { return commands_; }
  size_t count() const { return count_; }

 private:
  std::string commands_;
  size_t count_ = 0;
  std::array<bool, 3> brought_ = {};
};

}  // namespace llmgw::control
