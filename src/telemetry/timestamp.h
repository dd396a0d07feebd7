// Wall time as RFC 3339 text in UTC with milliseconds: "2026-01-31T23:59:59.042Z". Each kept text is rewritten only
// where it changed: a loop asks many times a millisecond. Pure; one thread an object.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/time.h"

namespace llmgw::telemetry {

class Timestamp {
 public:
  // Years 0 to 9999 are written; the view holds until the next call.
  std::string_view text(base::WallTime time) {
    const int64_t milliseconds = std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
    if (milliseconds != milliseconds_) update(milliseconds);
    return {text_.data(), text_.size()};
  }

 private:
  void update(int64_t milliseconds);

  int64_t milliseconds_ = INT64_MIN;
  int64_t seconds_ = INT64_MIN;
  std::array<char, 24> text_{};
};

}  // namespace llmgw::telemetry
