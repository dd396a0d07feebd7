// A TOML document as a plain tree in the order of the file. The parser behind it (toml++) stays in the .cpp.
// Control thread and command line only.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "control/config_error.h"

namespace llmgw::control {

inline constexpr size_t kConfigBytesMax = 16u << 20;  // ten thousand models fit several times over

enum class TomlKind : uint8_t { table, array, string, integer, number, boolean, other };

struct TomlMember;

struct TomlValue {
  TomlKind kind = TomlKind::other;
  Location at;
  bool boolean = false;
  int64_t integer = 0;
  double number = 0;
  std::string text;
  std::vector<TomlValue> items;     // of an array
  std::vector<TomlMember> members;  // of a table, in the order of the file
};

struct TomlMember {
  std::string key;
  Location at;  // of the key
  TomlValue value;
};

// "a table", "a string", ... for messages.
std::string_view kind_name(TomlKind kind);

// The whole document as a table. The error never repeats a value of the file.
std::expected<TomlValue, ConfigError> parse_toml(std::string_view text);

}  // namespace llmgw::control
