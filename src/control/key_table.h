// Client key -> principal. Holds no key: only a 128-bit keyed hash of each, under a random key of this table's own, so
// neither a memory dump nor timing tells anything of a key. Immutable once built; any thread, no lock, no allocation.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "control/siphash.h"
#include "store/vault/key_hash.h"

namespace llmgw::control {

class KeyTable {
 public:
  KeyTable() = default;
  // `capacity`: how many keys will be added.
  KeyTable(const SipKey& hash_key, size_t capacity);

  // Before the table is shared. False when the key is there already.
  bool add(std::string_view key, uint32_t principal);
  // Under 200 ns. Compares all 128 bits in constant time.
  std::optional<uint32_t> find(std::string_view key) const;
  size_t size() const { return size_; }

 private:
  static constexpr uint32_t kEmpty = UINT32_MAX;
  struct Slot {
    Hash128 hash;
    uint32_t principal = kEmpty;
  };
  SipKey hash_key_;
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
  size_t size_ = 0;
};

// The same for keys that only an HMAC is known of (store/vault/key_hash.h). A key may have been replaced and be good
// for a while yet.
class HashedKeyTable {
 public:
  HashedKeyTable() = default;
  HashedKeyTable(const store::KeyHasher& hasher, size_t capacity);

  // False when the hash is there already.
  bool add(const store::KeyHash& hash, uint32_t principal, int64_t until);
  // Under 200 ns for keys of up to 55 bytes. `now`: seconds since 1970.
  std::optional<uint32_t> find(std::string_view key, int64_t now) const;
  size_t size() const { return size_; }

 private:
  static constexpr uint32_t kEmpty = UINT32_MAX;
  struct Slot {
    store::KeyHash hash;
    int64_t until = 0;
    uint32_t principal = kEmpty;
  };
  size_t place_of(const store::KeyHash& hash) const;
  store::KeyHasher hasher_;
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
  size_t size_ = 0;
};

}  // namespace llmgw::control
