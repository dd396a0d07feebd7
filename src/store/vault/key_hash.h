// Virtual keys at rest: HMAC-SHA256 (RFC 2104, February 1997) under a secret of the store, so that a copy of the
// database tells nobody a key, and nobody without that secret can try keys out. Keys are long and random: nothing
// slower is needed. Immutable; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace llmgw::store {

using KeyHash = std::array<uint8_t, 32>;

class KeyHasher {
 public:
  KeyHasher() : KeyHasher(base::Secret()) {}
  explicit KeyHasher(const base::Secret& secret);
  // About 150 ns with the processor's SHA instructions, for keys of up to 55 bytes.
  KeyHash hash(std::string_view key) const;

 private:
  // The states after the first block, inner and outer: SHA256_CTX, whose header stays in the .cpp.
  struct alignas(8) State {
    std::array<uint8_t, 112> bytes;
  };
  State inner_;
  State outer_;
};

std::string to_hex(const KeyHash& hash);
std::optional<KeyHash> key_hash_from_hex(std::string_view text);

// "lgw_sk_" (or another prefix), 32 random letters and digits (190 bits), and 6 that are their CRC-32: scanners for
// leaked secrets find it, and a mistyped one can be told without looking it up.
base::Secret make_key(std::string_view prefix);
// Whether it has the form of make_key() and its checksum is right.
bool is_made_key(std::string_view key, std::string_view prefix);

inline constexpr std::string_view kVirtualKeyPrefix = "lgw_sk_";
inline constexpr std::string_view kAdminKeyPrefix = "lgw_ak_";

// What lists show of a key: its first and last characters, or nothing of one that is too short for that.
std::string key_hint(std::string_view key);

}  // namespace llmgw::store
