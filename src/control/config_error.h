// Everything that is wrong with a configuration, collected: each fault names its place and what to write instead.
// No text in here ever holds a value of a secret setting. Control thread and command line only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace llmgw::control {

// Both from 1. Every fault has one; what is missing as a whole is reported at its section's header or at 1:1.
struct Location {
  uint32_t line = 1;
  uint32_t column = 1;
  auto operator<=>(const Location&) const = default;
};

struct ConfigError {
  Location at;
  std::string message;
};

class ConfigErrors {
 public:
  static constexpr size_t kErrorsMax = 50;  // more than anyone reads at once; bounds what a broken file can cost

  explicit ConfigErrors(size_t max = kErrorsMax) : max_(max) {}
  void add(Location at, std::string message);
  bool empty() const { return errors_.empty(); }
  // How many were found beyond those kept.
  size_t omitted() const { return omitted_; }
  const std::vector<ConfigError>& all() const { return errors_; }
  // By place in the file; call once when complete.
  void sort();

 private:
  size_t max_;
  std::vector<ConfigError> errors_;
  size_t omitted_ = 0;
};

// "file:line:column: message" on a line each, and how many more there are.
std::string format_errors(const ConfigErrors& errors, std::string_view file);

}  // namespace llmgw::control
