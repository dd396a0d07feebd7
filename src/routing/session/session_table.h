// Which instance a session is pinned to: a bounded table of atomics shared by all workers, without a lock. An entry
// lives for its time after its last use; when a window is full the one unused longest goes. A lost pin costs a cache
// miss. Keys are hashes of what binds calls together, with the group they are for. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/time.h"
#include "routing/load/instance_table.h"

namespace llmgw::routing {

class SessionTable {
 public:
  // 512 KB. Sessions beyond it push out old ones.
  static constexpr size_t kSessionsMax = 1 << 16;

  explicit SessionTable(size_t sessions_max = kSessionsMax);
  // The instance of the session, unless it has not been used for `lifetime`.
  std::optional<Slot> find(uint64_t session, base::Instant now, base::Duration lifetime) const;
  // Pins it, or says that it was used now.
  void pin(uint64_t session, Slot slot, base::Instant now);
  // Live pins to a slot below `count` are added to `counts[slot]`. For metrics; walks the table.
  void count(base::Instant now, base::Duration lifetime, std::span<uint32_t> counts) const;

 private:
  size_t mask_;
  std::unique_ptr<std::atomic<uint64_t>[]> entries_;
};

}  // namespace llmgw::routing
