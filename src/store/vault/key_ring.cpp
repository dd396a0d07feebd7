#include "store/vault/key_ring.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "store/vault/vault.h"

namespace llmgw::store {
namespace {

constexpr size_t kFileBytesMax = 4096;  // eight keys, and room for blanks
constexpr mode_t kMode = 0600;

int digit_of(char c) {
  return base::is_digit(c) ? c - '0' : base::to_lower(c) - 'a' + 10;
}

base::Result<base::Secret> parse_key(std::string_view word) {
  std::string raw(std::max(word.size(), Vault::kKeyBytes), '\0');
  size_t size = 0;
  if (word.size() == 2 * Vault::kKeyBytes && std::ranges::all_of(word, base::is_hex_digit)) {
    for (; size < Vault::kKeyBytes; ++size) {
      raw[size] = static_cast<char>(digit_of(word[2 * size]) * 16 + digit_of(word[2 * size + 1]));
    }
  } else {
    size = base::base64_decode(word, raw.data()).value_or(0);
  }
  base::Secret key(std::string_view(raw).substr(0, size));
  OPENSSL_cleanse(raw.data(), raw.size());
  if (size == Vault::kKeyBytes) return key;
  return base::fail(base::ErrorCode::invalid_argument, "a master key has 32 bytes, written in base64 or hexadecimal");
}

base::Result<std::string> read_text(int fd) {
  std::string text(kFileBytesMax, '\0');
  const ssize_t count = ::read(fd, text.data(), text.size());
  if (count < 0) return base::fail(base::os_error(errno, "reading the master key"));
  text.resize(static_cast<size_t>(count));
  return text;
}

base::Result<void> write_text(int fd, std::string_view text) {
  const bool whole = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!whole || ::fsync(fd) != 0) return base::fail(base::os_error(errno, "writing the master key"));
  return {};
}

// What another process makes at the same time stays: whoever comes second reads it.
base::Result<void> create_file(const std::string& path) {
  const std::string own = path + "." + std::to_string(::getpid());
  const int fd = ::open(own.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode);
  if (fd < 0) return base::fail(base::os_error(errno, "writing the master key"));
  std::string text = write_keys({random_secret(Vault::kKeyBytes)});
  auto written = write_text(fd, text);
  OPENSSL_cleanse(text.data(), text.size());
  ::close(fd);
  if (written && ::link(own.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    written = base::fail(base::os_error(errno, "writing the master key"));
  }
  ::unlink(own.c_str());
  return written;
}

}  // namespace

base::Result<std::vector<base::Secret>> parse_keys(std::string_view text) {
  constexpr std::string_view kSeparators = ", \t\r\n";
  std::vector<base::Secret> keys;
  while (true) {
    const size_t begin = text.find_first_not_of(kSeparators);
    if (begin == std::string_view::npos) break;
    text.remove_prefix(begin);
    const std::string_view word = text.substr(0, text.find_first_of(kSeparators));
    TRY(key, parse_key(word));
    keys.push_back(std::move(key));
    text.remove_prefix(word.size());
  }
  if (keys.empty() || keys.size() > Vault::kKeysMax) {
    return base::fail(base::ErrorCode::invalid_argument, "there must be one to eight master keys");
  }
  return keys;
}

std::string write_keys(const std::vector<base::Secret>& keys) {
  std::string text;
  for (const base::Secret& key : keys) {
    std::string encoded(base::base64_size(key.size()), '\0');
    base::base64_encode(key.reveal(), encoded.data());
    text.append(encoded).append("\n");
    OPENSSL_cleanse(encoded.data(), encoded.size());
  }
  return text;
}

base::Result<std::vector<base::Secret>> read_key_file(const std::string& path, bool create) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT && create) {
    TRY_VOID(create_file(path));
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  }
  if (fd < 0) return base::fail(base::os_error(errno, "reading the master key"));
  struct stat status{};
  const bool is_private = ::fstat(fd, &status) == 0 && (status.st_mode & 077) == 0;
  auto text = read_text(fd);
  ::close(fd);
  if (!is_private)
    return base::fail(base::ErrorCode::permission, "the master key's file can be read by others; chmod 600");
  if (!text) return base::fail(text.error());
  auto keys = parse_keys(*text);
  OPENSSL_cleanse(text->data(), text->size());
  return keys;
}

base::Result<void> write_key_file(const std::string& path, const std::vector<base::Secret>& keys) {
  const std::string next = path + ".new";
  const int fd = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode);
  if (fd < 0) return base::fail(base::os_error(errno, "writing the master key"));
  std::string text = write_keys(keys);
  auto written = write_text(fd, text);
  OPENSSL_cleanse(text.data(), text.size());
  ::close(fd);
  if (!written) return written;
  if (::rename(next.c_str(), path.c_str()) != 0) return base::fail(base::os_error(errno, "writing the master key"));
  return {};
}

}  // namespace llmgw::store
