// Against peers that make us work without asking for anything: frames that carry no request, no body and no credit, and
// streams opened only to be reset ("rapid reset", CVE-2023-44487; the same with our side made to reset, CVE-2025-8671).
// Two token buckets a connection. Pure: time is passed in. One thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace llmgw::http {

class H2Guard {
 public:
  enum class Event : uint8_t { reset, idle_frame };

  // A proxy that loses all its clients at once resets what it has open, several times over; an attack makes that many
  // in a tenth of a second.
  static constexpr uint32_t kResetsBurst = 1000;
  static constexpr uint32_t kResetsPerSecond = 100;
  // PING, SETTINGS, PRIORITY, unknown types, empty DATA. Clients that measure with PING send some hundred a second.
  static constexpr uint32_t kIdleFramesBurst = 2000;
  static constexpr uint32_t kIdleFramesPerSecond = 500;

  // Counts an event. False when there were too many: the connection must go.
  bool allow(Event event, base::Instant now) {
    return event == Event::reset ? resets_.take(now) : idle_frames_.take(now);
  }

 private:
  struct Bucket {
    uint32_t burst;
    uint32_t per_second;
    double tokens;
    base::Instant refilled_at{};

    bool take(base::Instant now) {
      const double seconds = std::chrono::duration<double>(now - refilled_at).count();
      if (seconds > 0) {
        tokens = std::min<double>(burst, tokens + seconds * per_second);
        refilled_at = now;
      }
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    }
  };

  Bucket resets_{kResetsBurst, kResetsPerSecond, kResetsBurst};
  Bucket idle_frames_{kIdleFramesBurst, kIdleFramesPerSecond, kIdleFramesBurst};
};

}  // namespace llmgw::http
