// Secrets at rest: AES-256-GCM (NIST SP 800-38D, November 2007) under a master key. A sealed text is
//   v1.<key id>.<base64url of nonce (12 bytes), ciphertext, tag (16 bytes)>
// and bound to where it stands: what was sealed for one place (an object's id and field) opens nowhere else. Nonces are
// random; at 2^32 seals a key, far beyond any store, they would have to be counted. Immutable; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace llmgw::store {

class Vault {
 public:
  static constexpr size_t kKeyBytes = 32;
  static constexpr size_t kKeysMax = 8;  // the one that seals, and old ones while secrets are rotated

  // Of kKeyBytes each. The first seals; all open.
  static base::Result<Vault> create(std::span<const base::Secret> keys);

  std::string seal(std::string_view place, std::string_view plain) const;
  // not_found: sealed under a key that is not here. protocol: changed, cut, or sealed for another place.
  base::Result<base::Secret> open(std::string_view place, std::string_view sealed) const;
  // Whether it is a sealed text, and not under the key that seals now.
  bool outdated(std::string_view sealed) const;

  // Eight hexadecimal digits that tell keys apart and say nothing of them.
  static std::string key_id(const base::Secret& key);
  const std::string& sealing_key_id() const { return keys_.front().id; }
  // Of all that open.
  std::vector<std::string> key_ids() const;

 private:
  struct Key {
    std::string id;
    base::Secret bytes;
  };
  std::vector<Key> keys_;
};

inline constexpr std::string_view kSealedPrefix = "v1.";

// Random bytes for keys. The program ends if the operating system gives none.
base::Secret random_secret(size_t bytes);

}  // namespace llmgw::store
