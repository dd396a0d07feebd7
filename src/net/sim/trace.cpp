#include "net/sim/trace.h"

#include <algorithm>

namespace llmgw::net::sim {

std::string_view to_string(TraceKind kind) {
  switch (kind) {
    case TraceKind::connect: return "connect";
    case TraceKind::refuse: return "refuse";
    case TraceKind::hang: return "hang";
    case TraceKind::accept: return "accept";
    case TraceKind::write: return "write";
    case TraceKind::deliver: return "deliver";
    case TraceKind::read: return "read";
    case TraceKind::writable: return "writable";
    case TraceKind::finish: return "finish";
    case TraceKind::finished: return "finished";
    case TraceKind::reset: return "reset";
    case TraceKind::cut: return "cut";
    case TraceKind::stall: return "stall";
    case TraceKind::close: return "close";
    case TraceKind::resolve: return "resolve";
    case TraceKind::note: return "note";
  }
  return "?";
}

// The finalizer of splitmix64 over the running hash.
void Trace::mix(uint64_t value) {
  uint64_t z = hash_ ^ (value + 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  hash_ = z ^ (z >> 31);
}

void Trace::add(base::Instant time, TraceKind kind, uint64_t subject, uint64_t value, std::string_view text) {
  mix(static_cast<uint64_t>(time.time_since_epoch().count()));
  mix(static_cast<uint64_t>(kind));
  mix(subject);
  mix(value);
  for (char c : text) mix(static_cast<uint8_t>(c));
  Entry& entry = entries_[count_ % kEntriesMax];
  ++count_;
  entry = {time, kind, subject, value, {}, std::min(text.size(), kNoteBytesMax)};
  std::copy_n(text.begin(), entry.note_bytes, entry.note.begin());
}

std::string Trace::text() const {
  std::string out;
  const uint64_t first = count_ > kEntriesMax ? count_ - kEntriesMax : 0;
  if (first > 0) out += "(" + std::to_string(first) + " earlier entries dropped)\n";
  for (uint64_t i = first; i < count_; ++i) {
    const Entry& entry = entries_[i % kEntriesMax];
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(entry.time.time_since_epoch());
    out += std::to_string(time.count()) + "us " + std::string(to_string(entry.kind));
    if (entry.subject != 0) {
      out += " #" + std::to_string(entry.subject / 2) + (entry.subject % 2 == 0 ? " client" : " server");
    }
    if (entry.value != 0) out += " " + std::to_string(entry.value);
    if (entry.note_bytes > 0) out += " " + std::string(entry.note.data(), entry.note_bytes);
    out += "\n";
  }
  return out;
}

}  // namespace llmgw::net::sim
