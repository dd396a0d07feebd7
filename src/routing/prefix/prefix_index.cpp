#include "routing/prefix/prefix_index.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace llmgw::routing {
namespace {

using base::Instant;

// Places an entry may be at: long enough that displacing the oldest of them is nearly least recently used.
constexpr size_t kWindow = 8;
// Before anything is known: more than an engine keeps, since to expect too much costs less than to expect too little.
constexpr uint32_t kCacheBlocksGuess = 4096;
constexpr uint32_t kCacheBlocksMin = 16;
// Share of the way towards each proof: fast down, since a proof that a block is lost is rare.
constexpr double kLearnRate = 0.3;

// tag (39) | shared (1) | seconds (24): half a year
constexpr uint64_t kSecondsMask = (1U << 24) - 1;
constexpr uint64_t kSharedBit = uint64_t{1} << 24;
constexpr unsigned kTagShift = 25;

uint64_t tag_of(uint64_t hash) {
  return (hash >> kTagShift) | 1;  // never 0: an empty entry's
}

uint32_t seconds_of(Instant now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  return static_cast<uint32_t>(static_cast<uint64_t>(seconds) & kSecondsMask);
}

// Holder: promised (1) | slot + 1 (31) | stamp (32)
constexpr uint64_t kPromisedBit = uint64_t{1} << 63;

uint64_t holder(Slot slot, uint32_t stamp, bool promised) {
  return (promised ? kPromisedBit : 0) | (uint64_t{slot} + 1) << 32 | stamp;
}
Slot slot_of(uint64_t held) {
  return static_cast<Slot>(((held & ~kPromisedBit) >> 32) - 1);
}
uint32_t stamp_of(uint64_t held) {
  return static_cast<uint32_t>(held);
}

// How many blocks came after one of that stamp; what is promised has not come yet: 0.
uint32_t age_of(uint64_t held, uint32_t clock) {
  return static_cast<uint32_t>(std::max(static_cast<int32_t>(clock - stamp_of(held)), 0));
}
// It is so until it is sent: others that go first must not make it look cached.
bool is_promised(uint64_t held) {
  return (held & kPromisedBit) != 0;
}

uint32_t cache_blocks(const InstanceState& state) {
  const uint32_t known = state.cache_blocks.load(std::memory_order_relaxed);
  return known == 0 ? kCacheBlocksGuess : known;
}

}  // namespace

struct PrefixIndex::Entry {
  std::atomic<uint64_t> word = 0;
  std::atomic<uint64_t> holders[kHoldersMax] = {};
};

void PrefixHits::reset() {
  for (const Slot slot : touched_) hits_[slot] = 0;
  touched_.clear();
  shared_ = 0;
}

PrefixIndex::PrefixIndex(const InstanceTable& instances, size_t blocks_max)
    : instances_(instances),
      slots_(std::max<size_t>(blocks_max + blocks_max / 2, kWindow)),
      entries_(static_cast<Entry*>(std::calloc(slots_ + kWindow, sizeof(Entry)))) {
  static_assert(sizeof(Entry) == 32);
  if (entries_ == nullptr) throw std::bad_alloc();
}

void PrefixIndex::Free::operator()(Entry* entries) const {
  std::free(entries);
}

PrefixIndex::~PrefixIndex() = default;

size_t PrefixIndex::bytes() const {
  return (slots_ + kWindow) * sizeof(Entry);
}

PrefixIndex::Entry* PrefixIndex::find(uint64_t hash) const {
  const auto first = static_cast<size_t>((static_cast<unsigned __int128>(hash) * slots_) >> 64);
  const uint64_t tag = tag_of(hash);
  for (size_t i = first; i < first + kWindow; ++i) {
    const uint64_t word = entries_[i].word.load(std::memory_order_relaxed);
    if (word >> kTagShift == tag) return &entries_[i];
    if (word == 0) return nullptr;
  }
  return nullptr;
}

PrefixIndex::Entry& PrefixIndex::find_or_displace(uint64_t hash, uint32_t now_s) {
  const auto first = static_cast<size_t>((static_cast<unsigned __int128>(hash) * slots_) >> 64);
  const uint64_t tag = tag_of(hash);
  Entry* oldest = nullptr;
  uint32_t oldest_age = 0;
  for (size_t i = first; i < first + kWindow; ++i) {
    Entry& entry = entries_[i];
    const uint64_t word = entry.word.load(std::memory_order_relaxed);
    if (word >> kTagShift == tag) return entry;
    const uint32_t age = word == 0 ? UINT32_MAX : (now_s - static_cast<uint32_t>(word & kSecondsMask)) & kSecondsMask;
    if (oldest == nullptr || age > oldest_age) {
      oldest = &entry;
      oldest_age = age;
    }
    if (word == 0) break;
  }
  for (auto& held : oldest->holders) held.store(0, std::memory_order_relaxed);
  oldest->word.store(tag << kTagShift | now_s, std::memory_order_relaxed);
  return *oldest;
}

void PrefixIndex::look_up(std::span<const uint64_t> chain, Instant now, base::Duration lifetime,
                          PrefixHits& hits) const {
  hits.reset();
  const uint32_t now_s = seconds_of(now);
  const auto lifetime_s = static_cast<uint32_t>(
      std::clamp<int64_t>(std::chrono::duration_cast<std::chrono::seconds>(lifetime).count(), 0, kSecondsMask / 2));
  for (uint32_t i = 0; i < chain.size(); ++i) {
    const Entry* const entry = find(chain[i]);
    if (entry == nullptr) return;
    const uint64_t word = entry->word.load(std::memory_order_relaxed);
    const uint32_t age_s = (now_s - static_cast<uint32_t>(word & kSecondsMask)) & kSecondsMask;
    if (age_s > lifetime_s && age_s <= kSecondsMask / 2) return;
    bool any = false;
    if ((word & kSharedBit) != 0) {
      if (hits.shared_ == i) hits.shared_ = i + 1;
      for (const Slot slot : hits.touched_) {
        if (hits.hits_[slot] == i) hits.hits_[slot] = i + 1;
      }
      any = true;
    }
    for (const auto& place : entry->holders) {
      const uint64_t held = place.load(std::memory_order_relaxed);
      if (held == 0) continue;
      const Slot slot = slot_of(held);
      const InstanceState& state = instances_.state(slot);
      if (age_of(held, state.block_clock.load(std::memory_order_relaxed)) >= cache_blocks(state)) continue;
      if (hits.of(slot) != i) continue;  // a block of before is gone: what follows is of no use
      if (hits.hits_[slot] == 0) hits.touched_.push_back(slot);
      hits.hits_[slot] = i + 1;
      any = true;
    }
    if (!any) return;
  }
}

void PrefixIndex::insert(std::span<const uint64_t> chain, Slot slot, Instant now) {
  const uint32_t entered = enter(chain, slot, std::nullopt, now);
  if (entered != 0) instances_.state(slot).block_clock.fetch_add(entered, std::memory_order_relaxed);
}

void PrefixIndex::promise(std::span<const uint64_t> chain, Slot slot, uint32_t blocks_before, Instant now) {
  const uint32_t there = held(chain, slot);
  enter(chain.subspan(there), slot, blocks_before + 1, now);
}

uint32_t PrefixIndex::held(std::span<const uint64_t> chain, Slot slot) const {
  const InstanceState& state = instances_.state(slot);
  const uint32_t clock = state.block_clock.load(std::memory_order_relaxed);
  const uint32_t size = cache_blocks(state);
  uint32_t count = 0;
  for (const uint64_t hash : chain) {
    const Entry* const entry = find(hash);
    if (entry == nullptr) return count;
    const bool own = std::ranges::any_of(entry->holders, [&](const auto& place) {
      const uint64_t held = place.load(std::memory_order_relaxed);
      return held != 0 && slot_of(held) == slot && !is_promised(held) && age_of(held, clock) < size;
    });
    if (!own && (entry->word.load(std::memory_order_relaxed) & kSharedBit) == 0) return count;
    ++count;
  }
  return count;
}

// Promised: with stamps so far ahead of the clock. Returns how many blocks were not there.
uint32_t PrefixIndex::enter(std::span<const uint64_t> chain, Slot slot, std::optional<uint32_t> ahead, Instant now) {
  const InstanceState& state = instances_.state(slot);
  const uint32_t now_s = seconds_of(now);
  const uint32_t size = cache_blocks(state);
  const uint32_t clock = state.block_clock.load(std::memory_order_relaxed) + ahead.value_or(0);
  uint32_t entered = 0;
  // The tail first: engines drop the end of a prefix before its beginning.
  for (size_t i = chain.size(); i-- > 0;) {
    Entry& entry = find_or_displace(chain[i], now_s);
    std::atomic<uint64_t>* place = nullptr;
    std::atomic<uint64_t>* stalest = nullptr;
    bool stalest_fresh = false;
    uint32_t stalest_share = 0;  // of its cache's size, in 1/1024
    for (auto& candidate : entry.holders) {
      const uint64_t held = candidate.load(std::memory_order_relaxed);
      if (held != 0 && slot_of(held) == slot) {
        place = &candidate;
        break;
      }
      uint32_t share = UINT32_MAX;
      bool fresh = false;
      if (held != 0) {
        const InstanceState& other = instances_.state(slot_of(held));
        const uint32_t age = age_of(held, other.block_clock.load(std::memory_order_relaxed));
        const uint32_t other_size = cache_blocks(other);
        fresh = age < other_size;
        share = fresh ? static_cast<uint32_t>(uint64_t{age} * 1024 / other_size) : UINT32_MAX - 1;
      }
      if (stalest == nullptr || share > stalest_share) {
        stalest = &candidate;
        stalest_share = share;
        stalest_fresh = fresh;
      }
    }
    bool shared = false;
    if (place == nullptr) {
      place = stalest;
      shared = stalest_fresh;
      ++entered;
    } else if (const uint64_t held = place->load(std::memory_order_relaxed);
               is_promised(held) || age_of(held, clock + entered) >= size) {
      ++entered;
    }
    place->store(holder(slot, clock + entered, ahead.has_value()), std::memory_order_relaxed);
    const uint64_t word = entry.word.load(std::memory_order_relaxed);
    const uint64_t stays_shared = stalest == nullptr || stalest_fresh ? word & kSharedBit : 0;
    entry.word.store((word & ~(kSecondsMask | kSharedBit)) | stays_shared | (shared ? kSharedBit : 0) | now_s,
                     std::memory_order_relaxed);
  }
  return entered;
}

size_t PrefixIndex::ages(std::span<const uint64_t> chain, Slot slot, std::span<uint32_t> out) const {
  const uint32_t clock = instances_.state(slot).block_clock.load(std::memory_order_relaxed);
  size_t count = 0;
  for (; count < std::min(chain.size(), out.size()); ++count) {
    const Entry* const entry = find(chain[count]);
    if (entry == nullptr) break;
    const auto own = std::ranges::find_if(entry->holders, [slot](const auto& place) {
      const uint64_t held = place.load(std::memory_order_relaxed);
      return held != 0 && slot_of(held) == slot;
    });
    if (own == std::end(entry->holders)) break;
    const uint64_t held = own->load(std::memory_order_relaxed);
    if (is_promised(held)) break;
    out[count] = age_of(held, clock);
  }
  return count;
}

void PrefixIndex::learn(InstanceState& state, std::span<const uint32_t> ages, size_t cached_blocks) {
  const double size = cache_blocks(state);
  double next = size;
  const auto kept = ages.first(std::min(cached_blocks, ages.size()));
  if (!kept.empty()) next += kLearnRate * std::max(0.0, *std::ranges::max_element(kept) - size);
  if (cached_blocks < ages.size()) next += kLearnRate * std::min(0.0, ages[cached_blocks] - size);
  if (next != size) {
    state.cache_blocks.store(static_cast<uint32_t>(std::max(next, double{kCacheBlocksMin})), std::memory_order_relaxed);
  }
}

}  // namespace llmgw::routing
