#include "base/secret.h"

#include <openssl/crypto.h>

#include <utility>

namespace llmgw::base {

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) {
    wipe();
    value_ = other.value_;
  }
  return *this;
}

Secret::Secret(Secret&& other) noexcept {
  // Copied: a string that was moved from may keep a short text in itself, where wipe() does not find it.
  value_ = other.value_;
  other.wipe();
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    value_ = other.value_;
    other.wipe();
  }
  return *this;
}

void Secret::wipe() noexcept {
  OPENSSL_cleanse(value_.data(), value_.size());
  value_.clear();
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace llmgw::base
