// Logs as JSON lines. A thread that logs owns a Log: it formats a line into its own buffer and pushes it into its own
// rings; no lock, no allocation and (all but now and then) no system call. log_writer.h has the one thread that writes.
// A full ring drops the line and counts it: a slow disk never delays a request.
#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "telemetry/byte_ring.h"
#include "telemetry/families.h"
#include "telemetry/json_line.h"
#include "telemetry/timestamp.h"

namespace llmgw::telemetry {

enum class Level : uint8_t { debug, info, warn, error, off };
std::string_view to_string(Level level);
std::optional<Level> parse_level(std::string_view name);

// A named value of an operational line. Names are constants of the program in snake_case with the unit in them. A
// Secret cannot be one, and the value of a name that smells of a credential is replaced (redact.h). Views must outlive
// the call.
class Field {
 public:
  Field(std::string_view name, std::string_view value) : name_(name), kind_(Kind::text), text_(value) {}
  Field(std::string_view name, const char* value) : Field(name, std::string_view(value)) {}
  Field(std::string_view name, const std::string& value) : Field(name, std::string_view(value)) {}
  Field(std::string_view name, std::same_as<bool> auto value) : name_(name), kind_(Kind::boolean), unsigned_(value) {}
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  Field(std::string_view name, T value) : name_(name), kind_(Kind::unsigned_number), unsigned_(value) {}
  template <std::signed_integral T>
  Field(std::string_view name, T value) : name_(name), kind_(Kind::signed_number), signed_(value) {}
  Field(std::string_view name, std::floating_point auto value)
      : name_(name), kind_(Kind::real_number), real_(static_cast<double>(value)) {}
  // Written in milliseconds: the name ends in "_ms".
  Field(std::string_view name, base::Duration value) : name_(name), kind_(Kind::duration), signed_(value.count()) {}
  Field(std::string_view name, base::ErrorCode code) : Field(name, base::to_string(code)) {}
  // Three values: the code, "context" and, where there is one, "errno".
  Field(std::string_view name, const base::Error& error)
      : name_(name), kind_(Kind::error), text_(error.context), signed_(error.os_error), code_(error.code) {}
  Field(std::string_view name, const base::Secret& secret) = delete;

  void write(JsonLine& line) const;

 private:
  enum class Kind : uint8_t { text, boolean, unsigned_number, signed_number, real_number, duration, error };
  std::string_view name_;
  Kind kind_;
  std::string_view text_;
  union {
    uint64_t unsigned_ = 0;
    int64_t signed_;
    double real_;
  };
  base::ErrorCode code_ = base::ErrorCode::internal;
};

// What the access log says of one request. Empty text, 0 where noted and negative numbers are unknown, and left out.
struct AccessRecord {
  std::string_view request_id;
  std::string_view method;
  std::string_view target;  // as received; its query is made safe here
  std::string_view endpoint;
  std::string_view key;  // the key's name
  std::string_view model;
  std::string_view connection;
  std::string_view client;      // address
  std::string_view error_type;  // empty: no error
  uint16_t status = 0;          // 0: none was sent
  uint16_t upstream_status = 0;
  uint32_t retries = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  std::array<int64_t, kTokenTypeCount> tokens{-1, -1, -1, -1, -1};  // by TokenType
  bool estimated = false;                                           // the tokens: the provider did not say
  base::Duration duration{0};
  base::Duration added{-1};
  base::Duration upstream{-1};
  base::Duration first_token{-1};
};

// What all Logs share. Changed by control, read by workers.
class LogControl {
 public:
  std::atomic<Level> level{Level::info};
  std::atomic<bool> access_log{true};
  std::atomic<int64_t> slow_request_ns{0};  // 0: no slow-request log
  std::atomic<bool> asleep{false};          // the writer waits for a wake-up, not for its next round

  LogControl() = default;
  LogControl(const LogControl&) = delete;
  LogControl& operator=(const LogControl&) = delete;
  ~LogControl();

  // The descriptor the writer waits on. Made before any Log is used.
  base::Result<void> open();
  int event_descriptor() const { return event_descriptor_; }
  // Any thread. A system call only if no wake-up is on its way.
  void wake();
  // The writer, before it looks at the rings.
  void acknowledge_wake();

 private:
  int event_descriptor_ = -1;
  std::atomic<bool> wake_pending_{false};
};

// One thread's way to the logs. Made and owned by LogWriter (or a test).
class Log {
 public:
  Log(LogControl& control, ByteRing& operational, ByteRing& access)
      : control_(&control), operational_(&operational), access_(&access) {}
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Where lines have their time from: by default the real clock; a worker's is its loop's. `source` must outlive the
  // lines.
  using Clock = base::WallTime (*)(const void* source);
  void use_clock(Clock clock, const void* source) {
    clock_ = clock;
    source_ = source;
  }
  void use_real_clock() { use_clock(&real_time, nullptr); }

  bool enabled(Level level) const { return level >= control_->level.load(std::memory_order_relaxed); }
  // A line of level `level`: ts, level, msg, then the fields. Lines about a request carry the field "request_id".
  void write(Level level, std::string_view message, std::initializer_list<Field> fields = {}) {
    if (enabled(level)) write_enabled(level, message, fields);
  }
  void debug(std::string_view message, std::initializer_list<Field> fields = {}) {
    write(Level::debug, message, fields);
  }
  void info(std::string_view message, std::initializer_list<Field> fields = {}) { write(Level::info, message, fields); }
  void warn(std::string_view message, std::initializer_list<Field> fields = {}) { write(Level::warn, message, fields); }
  void error(std::string_view message, std::initializer_list<Field> fields = {}) {
    write(Level::error, message, fields);
  }

  // A request's line in the access log, and in the operational log if it was slow.
  void access(const AccessRecord& record);

 private:
  static base::WallTime real_time(const void*) { return base::real_wall_now(); }
  void write_enabled(Level level, std::string_view message, std::initializer_list<Field> fields);
  void begin(Level level, std::string_view message);
  void format(const AccessRecord& record);
  void push(ByteRing& ring);

  LogControl* control_;
  ByteRing* operational_;
  ByteRing* access_;
  Clock clock_ = &real_time;
  const void* source_ = nullptr;
  Timestamp timestamp_;
  JsonLine line_;
};

}  // namespace llmgw::telemetry
