// What happened in a simulated world: a hash of everything, and the last events as text. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/time.h"

namespace llmgw::net::sim {

enum class TraceKind : uint8_t { connect, refuse, accept, write, read, deliver, end, reset, close, fault };

class Trace {
 public:
  static constexpr size_t kKept = 256;  // enough to see what led to a failure, small enough to print

  // `direction`: 0 towards the server, 1 towards the client. `value` is a count of bytes, or 0.
  void add(base::Duration at, uint64_t connection, int direction, TraceKind kind, uint64_t value);
  uint64_t hash() const { return hash_; }
  uint64_t events() const { return events_; }
  std::string text() const;

 private:
  struct Entry {
    base::Duration at;
    uint64_t connection;
    uint64_t value;
    int direction;
    TraceKind kind;
  };
  std::array<Entry, kKept> kept_{};
  uint64_t events_ = 0;
  uint64_t hash_ = 0xcbf29ce484222325;  // FNV-1a's offset basis
};

}  // namespace llmgw::net::sim
