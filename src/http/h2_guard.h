// Against peers that make us work without asking for anything: frames that carry no request, no body and no credit, and
// streams opened only to be reset ("rapid reset", CVE-2023-44487; the same with our side made to reset, CVE-2025-8671).
// Pure: bytes and time are passed in. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/time.h"

namespace llmgw::http {

// Two token buckets a connection.
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

// Looks at the frame headers of a connection's bytes and counts what is idle: nghttp2 skips some frames in silence.
class H2FrameWatch {
 public:
  // `skip`: bytes before the first frame, the client's preface.
  H2FrameWatch(H2Guard& guard, size_t skip) : guard_(guard), skip_(skip) {}

  // The next bytes, cut anyhow. False when there were too many idle frames.
  bool feed(std::string_view bytes, base::Instant now) {
    bool allowed = true;
    while (!bytes.empty()) {
      const size_t skipped = std::min(skip_, bytes.size());
      skip_ -= skipped;
      bytes.remove_prefix(skipped);
      while (!bytes.empty() && have_ < kHeaderBytes) {
        header_[have_++] = static_cast<uint8_t>(bytes.front());
        bytes.remove_prefix(1);
      }
      if (have_ < kHeaderBytes) break;
      have_ = 0;
      skip_ = size_t{header_[0]} << 16 | size_t{header_[1]} << 8 | header_[2];
      if (is_reset()) allowed &= guard_.allow(H2Guard::Event::reset, now);
      if (is_idle()) allowed &= guard_.allow(H2Guard::Event::idle_frame, now);
    }
    return allowed;
  }

 private:
  static constexpr size_t kHeaderBytes = 9;
  // RFC 9113, section 6.
  static constexpr uint8_t kData = 0, kHeaders = 1, kPriority = 2, kRstStream = 3, kSettings = 4, kPing = 6;
  static constexpr uint8_t kContinuation = 9;
  static constexpr uint8_t kEndStream = 1, kEndHeaders = 4;

  bool is_reset() const { return header_[3] == kRstStream; }
  bool is_idle() const {
    const bool empty = skip_ == 0;
    switch (header_[3]) {
      case kData: return empty && (header_[4] & kEndStream) == 0;
      case kHeaders:
      case kContinuation: return empty && (header_[4] & kEndHeaders) == 0;
      case kPriority:
      case kSettings:
      case kPing: return true;
      default: return header_[3] > kContinuation;
    }
  }

  H2Guard& guard_;
  size_t skip_;
  std::array<uint8_t, kHeaderBytes> header_{};
  size_t have_ = 0;
};

}  // namespace llmgw::http
