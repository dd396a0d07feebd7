// Where something of a configuration stands, in words: its line in a file, or the store, whose objects have none.
// Control thread and command line.
#pragma once

#include <string>
#include <string_view>

#include "control/config_error.h"

namespace llmgw::control {

// Objects of a store stand on lines that no file has.
inline constexpr uint32_t kStoreLine = 1U << 30;

inline bool is_stored(Location at) {
  return at.line >= kStoreLine;
}

// What to do where nothing has the name that an entry there gives: "; add a [[models]] entry of that name", or where it
// is of a store "; `llm-gateway model list` shows all".
inline std::string add_or_list(Location at, std::string_view table, std::string_view command) {
  if (is_stored(at)) return "; `llm-gateway " + std::string(command) + " list` shows all";
  return "; add a [[" + std::string(table) + "]] entry of that name";
}

// " on line 5"; of a store's object nothing.
inline std::string on_line(Location at) {
  return is_stored(at) ? "" : " on line " + std::to_string(at.line);
}

}  // namespace llmgw::control
