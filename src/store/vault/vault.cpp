#include "store/vault/vault.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "base/base64.h"
#include "base/text.h"

namespace llmgw::store {
namespace {

constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;
constexpr size_t kKeyIdDigits = 8;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

// Memory is gone, or the library is broken: nothing that follows would be safe.
void require(bool ok) {
  if (!ok) std::abort();
}

// "v1.<id>.<data>"; empty where it is none.
struct Parts {
  std::string_view id;
  std::string_view data;
};
Parts parts_of(std::string_view sealed) {
  if (!sealed.starts_with(kSealedPrefix)) return {};
  sealed.remove_prefix(kSealedPrefix.size());
  const size_t dot = sealed.find('.');
  if (dot != kKeyIdDigits) return {};
  return {sealed.substr(0, dot), sealed.substr(dot + 1)};
}

}  // namespace

base::Secret random_secret(size_t count) {
  std::string raw(count, '\0');
  require(RAND_bytes(bytes(raw), static_cast<int>(count)) == 1);
  base::Secret secret(raw);
  OPENSSL_cleanse(raw.data(), raw.size());
  return secret;
}

std::vector<std::string> Vault::key_ids() const {
  std::vector<std::string> ids;
  for (const Key& key : keys_) ids.push_back(key.id);
  return ids;
}

std::string Vault::key_id(const base::Secret& key) {
  std::string text = "llm-gateway key id";
  text += key.reveal();
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(bytes(text), text.size(), digest.data());
  OPENSSL_cleanse(text.data(), text.size());
  return base::hex(digest).substr(0, kKeyIdDigits);
}

base::Result<Vault> Vault::create(std::span<const base::Secret> keys) {
  if (keys.empty() || keys.size() > kKeysMax) {
    return base::fail(base::ErrorCode::invalid_argument, "there must be one to eight master keys");
  }
  Vault vault;
  for (const base::Secret& key : keys) {
    if (key.size() != kKeyBytes) {
      return base::fail(base::ErrorCode::invalid_argument,
                        "a master key has 32 bytes, written in base64 or hexadecimal");
    }
    vault.keys_.push_back({key_id(key), key});
  }
  return vault;
}

std::string Vault::seal(std::string_view place, std::string_view plain) const {
  const Key& key = keys_.front();
  std::string out(kNonceBytes + plain.size() + kTagBytes, '\0');
  require(RAND_bytes(bytes(out), kNonceBytes) == 1);
  const Context context(EVP_CIPHER_CTX_new());
  int count = 0;
  require(context != nullptr);
  require(EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, bytes(key.bytes.reveal()), bytes(out)) == 1);
  require(EVP_EncryptUpdate(context.get(), nullptr, &count, bytes(place), static_cast<int>(place.size())) == 1);
  require(EVP_EncryptUpdate(context.get(), bytes(out) + kNonceBytes, &count, bytes(plain),
                            static_cast<int>(plain.size())) == 1);
  require(EVP_EncryptFinal_ex(context.get(), bytes(out) + kNonceBytes + count, &count) == 1);
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes,
                              bytes(out) + kNonceBytes + plain.size()) == 1);
  return std::string(kSealedPrefix) + key.id + "." + base::base64url_encode(out);
}

base::Result<base::Secret> Vault::open(std::string_view place, std::string_view sealed) const {
  const Parts parts = parts_of(sealed);
  if (parts.id.empty()) return base::fail(base::ErrorCode::protocol, "not a sealed secret");
  const auto key = std::ranges::find(keys_, parts.id, &Key::id);
  if (key == keys_.end()) return base::fail(base::ErrorCode::not_found, "sealed under a master key that is not here");
  std::string raw(parts.data.size(), '\0');
  const auto size = base::base64_decode(parts.data, raw.data());
  if (!size || *size < kNonceBytes + kTagBytes) return base::fail(base::ErrorCode::protocol, "a sealed secret is cut");
  const size_t length = *size - kNonceBytes - kTagBytes;
  std::string plain(length, '\0');
  const Context context(EVP_CIPHER_CTX_new());
  int count = 0;
  require(context != nullptr);
  require(EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, bytes(key->bytes.reveal()), bytes(raw)) == 1);
  require(EVP_DecryptUpdate(context.get(), nullptr, &count, bytes(place), static_cast<int>(place.size())) == 1);
  require(EVP_DecryptUpdate(context.get(), bytes(plain), &count, bytes(raw) + kNonceBytes, static_cast<int>(length)) ==
          1);
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, bytes(raw) + kNonceBytes + length) == 1);
  const bool genuine = EVP_DecryptFinal_ex(context.get(), bytes(plain) + count, &count) == 1;
  base::Secret secret(genuine ? std::string_view(plain) : std::string_view());
  OPENSSL_cleanse(plain.data(), plain.size());
  if (!genuine) return base::fail(base::ErrorCode::protocol, "a sealed secret was changed, or stood elsewhere");
  return secret;
}

bool Vault::outdated(std::string_view sealed) const {
  const Parts parts = parts_of(sealed);
  return !parts.id.empty() && parts.id != keys_.front().id;
}

}  // namespace llmgw::store
