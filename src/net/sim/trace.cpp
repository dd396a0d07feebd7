#include "net/sim/trace.h"

#include <algorithm>
#include <cstdio>

namespace llmgw::net::sim {
namespace {

constexpr uint64_t kFnvPrime = 0x100000001b3;

const char* name_of(TraceKind kind) {
  switch (kind) {
    case TraceKind::connect: return "connect";
    case TraceKind::refuse: return "refuse";
    case TraceKind::accept: return "accept";
    case TraceKind::write: return "write";
    case TraceKind::read: return "read";
    case TraceKind::deliver: return "deliver";
    case TraceKind::end: return "end";
    case TraceKind::reset: return "reset";
    case TraceKind::close: return "close";
    case TraceKind::fault: return "fault";
  }
  return "?";
}

}  // namespace

void Trace::add(base::Duration at, uint64_t connection, int direction, TraceKind kind, uint64_t value) {
  kept_[events_++ % kKept] = {at, connection, value, direction, kind};
  const uint64_t words[] = {static_cast<uint64_t>(at.count()), connection, value,
                            static_cast<uint64_t>(direction) << 8 | static_cast<uint64_t>(kind)};
  for (const uint64_t word : words) hash_ = (hash_ ^ word ^ (word >> 29)) * kFnvPrime;
}

std::string Trace::text() const {
  std::string out;
  for (uint64_t i = events_ - std::min<uint64_t>(events_, kKept); i < events_; ++i) {
    const Entry& entry = kept_[i % kKept];
    char line[128];
    std::snprintf(line, sizeof line, "%12.6f s  #%llu %s %-7s %llu\n", static_cast<double>(entry.at.count()) / 1e9,
                  static_cast<unsigned long long>(entry.connection), entry.direction == 0 ? "->" : "<-",
                  name_of(entry.kind), static_cast<unsigned long long>(entry.value));
    out += line;
  }
  return out;
}

}  // namespace llmgw::net::sim
