#include "control/config_error.h"

#include <algorithm>
#include <utility>

namespace llmgw::control {

void ConfigErrors::add(Location at, std::string message) {
  if (errors_.size() == max_) {
    ++omitted_;
    return;
  }
  errors_.push_back({at, std::move(message)});
}

void ConfigErrors::sort() {
  std::ranges::sort(errors_, [](const ConfigError& a, const ConfigError& b) {
    return a.at != b.at ? a.at < b.at : a.message < b.message;
  });
}

std::string format_errors(const ConfigErrors& errors, std::string_view file) {
  std::string text;
  for (const auto& error : errors.all()) {
    text.append(file).append(":").append(std::to_string(error.at.line)).append(":");
    text.append(std::to_string(error.at.column)).append(": ").append(error.message).append("\n");
  }
  if (errors.omitted() > 0) text += "and " + std::to_string(errors.omitted()) + " more\n";
  return text;
}

}  // namespace llmgw::control
