// Where master keys come from: text (of an environment variable, a mounted file), or a file of the data directory that
// is made with a random key when it is not there. The first key seals, the others only open. Blocking; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace llmgw::store {

inline constexpr const char* kKeyRingFile = "master.key";

// Keys of 32 bytes in base64 or 64 hexadecimal digits, separated by commas, blanks or line ends.
base::Result<std::vector<base::Secret>> parse_keys(std::string_view text);
std::string write_keys(const std::vector<base::Secret>& keys);

// permission: others than its owner can read it. Makes it (0600) where it is not there and `create` says so.
base::Result<std::vector<base::Secret>> read_key_file(const std::string& path, bool create);
// Replaces it whole or not at all.
base::Result<void> write_key_file(const std::string& path, const std::vector<base::Secret>& keys);

}  // namespace llmgw::store
