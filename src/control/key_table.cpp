#include "control/key_table.h"

#include <bit>
#include <cassert>
#include <cstring>

#include "base/secret.h"

namespace llmgw::control {
namespace {

std::string_view bytes_of(const Hash128& hash) {
  return {reinterpret_cast<const char*>(&hash), sizeof hash};
}

}  // namespace

KeyTable::KeyTable(const SipKey& hash_key, size_t capacity)
    : hash_key_(hash_key), slots_(std::bit_ceil(capacity * 2 + 1)) {}

bool KeyTable::add(std::string_view key, uint32_t principal) {
  assert((size_ + 1) * 2 <= slots_.size());
  const Hash128 hash = siphash128(hash_key_, key);
  const size_t mask = slots_.size() - 1;
  size_t at = hash.low & mask;
  for (; slots_[at].principal != kEmpty; at = (at + 1) & mask) {
    if (slots_[at].hash == hash) return false;
  }
  slots_[at] = {hash, principal};
  ++size_;
  return true;
}

std::optional<uint32_t> KeyTable::find(std::string_view key) const {
  if (size_ == 0) return std::nullopt;
  const Hash128 hash = siphash128(hash_key_, key);
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash.low & mask; slots_[at].principal != kEmpty; at = (at + 1) & mask) {
    if (base::constant_time_equal(bytes_of(slots_[at].hash), bytes_of(hash))) return slots_[at].principal;
  }
  return std::nullopt;
}

HashedKeyTable::HashedKeyTable(const store::KeyHasher& hasher, size_t capacity)
    : hasher_(hasher), slots_(std::bit_ceil(capacity * 2 + 1)) {}

// A keyed hash is as good as random: its first bytes say where it belongs.
size_t HashedKeyTable::place_of(const store::KeyHash& hash) const {
  uint64_t first;
  std::memcpy(&first, hash.data(), sizeof first);
  return first & (slots_.size() - 1);
}

bool HashedKeyTable::add(const store::KeyHash& hash, uint32_t principal, int64_t until) {
  assert((size_ + 1) * 2 <= slots_.size());
  const size_t mask = slots_.size() - 1;
  size_t at = place_of(hash);
  for (; slots_[at].principal != kEmpty; at = (at + 1) & mask) {
    if (slots_[at].hash == hash) return false;
  }
  slots_[at] = {hash, until, principal};
  ++size_;
  return true;
}

std::optional<uint32_t> HashedKeyTable::find(std::string_view key, int64_t now) const {
  if (size_ == 0) return std::nullopt;
  const store::KeyHash hash = hasher_.hash(key);
  const size_t mask = slots_.size() - 1;
  for (size_t at = place_of(hash); slots_[at].principal != kEmpty; at = (at + 1) & mask) {
    const auto bytes = [](const store::KeyHash& each) {
      return std::string_view(reinterpret_cast<const char*>(each.data()), each.size());
    };
    if (!base::constant_time_equal(bytes(slots_[at].hash), bytes(hash))) continue;
    return now < slots_[at].until ? std::optional(slots_[at].principal) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace llmgw::control
