#include "control/key_table.h"

#include <bit>
#include <cassert>

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

}  // namespace llmgw::control
