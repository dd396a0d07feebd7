// The one-block functions of OpenSSL 3 are deprecated in favour of contexts on the heap, which take five times as long.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "store/vault/key_hash.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/text.h"
#include "store/vault/vault.h"

namespace llmgw::store {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr size_t kRandomLetters = 32;
constexpr size_t kChecksumLetters = 6;  // 62^6 > 2^32
constexpr size_t kBlockBytes = SHA256_CBLOCK;

std::string checksum_of(std::string_view text) {
  uint64_t sum = crc32(0, reinterpret_cast<const unsigned char*>(text.data()), static_cast<unsigned>(text.size()));
  std::string letters(kChecksumLetters, '0');
  for (size_t i = kChecksumLetters; i-- > 0; sum /= kAlphabet.size()) letters[i] = kAlphabet[sum % kAlphabet.size()];
  return letters;
}

}  // namespace

KeyHasher::KeyHasher(const base::Secret& secret) {
  static_assert(sizeof(SHA256_CTX) == sizeof(State));
  std::array<uint8_t, kBlockBytes> block{};
  std::memcpy(block.data(), secret.reveal().data(), std::min(secret.size(), kBlockBytes));
  const auto start = [&](uint8_t pad) {
    std::array<uint8_t, kBlockBytes> padded;
    std::ranges::transform(block, padded.begin(), [pad](uint8_t byte) { return static_cast<uint8_t>(byte ^ pad); });
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, padded.data(), padded.size());
    OPENSSL_cleanse(padded.data(), padded.size());
    return std::bit_cast<State>(context);
  };
  inner_ = start(0x36);
  outer_ = start(0x5c);
  OPENSSL_cleanse(block.data(), block.size());
}

KeyHash KeyHasher::hash(std::string_view key) const {
  KeyHash digest;
  auto context = std::bit_cast<SHA256_CTX>(inner_);
  SHA256_Update(&context, key.data(), key.size());
  SHA256_Final(digest.data(), &context);
  context = std::bit_cast<SHA256_CTX>(outer_);
  SHA256_Update(&context, digest.data(), digest.size());
  SHA256_Final(digest.data(), &context);
  return digest;
}

std::string to_hex(const KeyHash& hash) {
  return base::hex(hash);
}

std::optional<KeyHash> key_hash_from_hex(std::string_view text) {
  KeyHash hash;
  if (text.size() != 2 * hash.size() || !std::ranges::all_of(text, base::is_hex_digit)) return std::nullopt;
  const auto digit = [&](size_t at) {
    return base::is_digit(text[at]) ? text[at] - '0' : base::to_lower(text[at]) - 'a' + 10;
  };
  for (size_t i = 0; i < hash.size(); ++i) hash[i] = static_cast<uint8_t>(digit(2 * i) * 16 + digit(2 * i + 1));
  return hash;
}

base::Secret make_key(std::string_view prefix) {
  std::string key(prefix);
  while (key.size() < prefix.size() + kRandomLetters) {
    const base::Secret random = random_secret(kRandomLetters);
    for (const char c : random.reveal()) {
      // Beyond the largest multiple of 62 below 256 the first letters would be likelier.
      const auto byte = static_cast<uint8_t>(c);
      if (byte >= 248 || key.size() == prefix.size() + kRandomLetters) continue;
      key += kAlphabet[byte % kAlphabet.size()];
    }
  }
  key += checksum_of(key);
  base::Secret made(key);
  OPENSSL_cleanse(key.data(), key.size());
  return made;
}

bool is_made_key(std::string_view key, std::string_view prefix) {
  return key.size() == prefix.size() + kRandomLetters + kChecksumLetters && key.starts_with(prefix) &&
         checksum_of(key.substr(0, key.size() - kChecksumLetters)) == key.substr(key.size() - kChecksumLetters);
}

std::string key_hint(std::string_view key) {
  constexpr size_t kShown = 4;
  constexpr size_t kHiddenMin = 12;  // what is not shown must not be guessable
  if (key.size() < 2 * kShown + kHiddenMin) return {};
  const size_t prefix = key.starts_with("lgw_") ? kVirtualKeyPrefix.size() : 0;
  return std::string(key.substr(0, prefix + kShown)) + "..." + std::string(key.substr(key.size() - kShown));
}

}  // namespace llmgw::store
