#include "routing/session/session_table.h"

#include <algorithm>
#include <bit>

namespace llmgw::routing {
namespace {

using base::Duration;
using base::Instant;

constexpr size_t kWindow = 8;
// tag (26) | slot (14) | seconds (24)
constexpr uint64_t kSecondsMask = (1U << 24) - 1;
constexpr unsigned kSlotShift = 24;
constexpr uint64_t kSlotMask = (1U << 14) - 1;
constexpr unsigned kTagShift = 38;
static_assert(InstanceTable::kInstancesMax <= kSlotMask + 1);

uint64_t tag_of(uint64_t session) {
  return (session >> kTagShift) | 1;  // never an empty entry's
}

uint64_t seconds_of(Instant now) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count()) &
         kSecondsMask;
}

uint64_t age(uint64_t entry, uint64_t now_s) {
  const uint64_t passed = (now_s - (entry & kSecondsMask)) & kSecondsMask;
  return passed > kSecondsMask / 2 ? 0 : passed;  // another worker's clock is a little ahead
}

Slot slot_of(uint64_t entry) {
  return static_cast<Slot>(entry >> kSlotShift & kSlotMask);
}

}  // namespace

SessionTable::SessionTable(size_t sessions_max)
    : mask_(std::bit_ceil(std::max<size_t>(sessions_max, kWindow)) - 1),
      entries_(std::make_unique<std::atomic<uint64_t>[]>(mask_ + 1)) {}

std::optional<Slot> SessionTable::find(uint64_t session, Instant now, Duration lifetime) const {
  const auto lifetime_s = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(lifetime).count());
  for (size_t i = 0; i < kWindow; ++i) {
    const uint64_t entry = entries_[(session + i) & mask_].load(std::memory_order_relaxed);
    if (entry >> kTagShift != tag_of(session)) continue;
    if (age(entry, seconds_of(now)) > lifetime_s) return std::nullopt;
    return slot_of(entry);
  }
  return std::nullopt;
}

void SessionTable::pin(uint64_t session, Slot slot, Instant now) {
  const uint64_t now_s = seconds_of(now);
  std::atomic<uint64_t>* place = nullptr;
  uint64_t oldest = 0;
  for (size_t i = 0; i < kWindow; ++i) {
    std::atomic<uint64_t>& candidate = entries_[(session + i) & mask_];
    const uint64_t entry = candidate.load(std::memory_order_relaxed);
    if (entry >> kTagShift == tag_of(session)) {
      place = &candidate;
      break;
    }
    const uint64_t rank = entry == 0 ? UINT64_MAX : age(entry, now_s);
    if (place == nullptr || rank > oldest) {
      place = &candidate;
      oldest = rank;
    }
  }
  const uint64_t wanted = tag_of(session) << kTagShift | uint64_t{slot} << kSlotShift | now_s;
  // A busy session is not written anew within one second: its line stays shared between processors.
  if (place->load(std::memory_order_relaxed) != wanted) place->store(wanted, std::memory_order_relaxed);
}

void SessionTable::count(Instant now, Duration lifetime, std::span<uint32_t> counts) const {
  const auto lifetime_s = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(lifetime).count());
  for (size_t i = 0; i <= mask_; ++i) {
    const uint64_t entry = entries_[i].load(std::memory_order_relaxed);
    if (entry == 0 || age(entry, seconds_of(now)) > lifetime_s || slot_of(entry) >= counts.size()) continue;
    ++counts[slot_of(entry)];
  }
}

}  // namespace llmgw::routing
