#include "control/sharing/telling.h"

#include <openssl/sha.h>

#include <utility>
#include <vector>

#include "control/sharing/scripts.h"
#include "store/redis/resp.h"

namespace llmgw::control {
namespace {

// SHA-1 in hexadecimal, as EVALSHA wants it.
std::string digest_of(std::string_view script) {
  std::array<unsigned char, SHA_DIGEST_LENGTH> bytes;
  SHA1(reinterpret_cast<const unsigned char*>(script.data()), script.size(), bytes.data());
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace

void Telling::call(Script script, std::string_view key, std::span<const std::string> arguments) {
  static const std::array kTexts = {kWindowScript, kBudgetScript, kRunningScript};
  static const std::array kDigests = {digest_of(kTexts[0]), digest_of(kTexts[1]), digest_of(kTexts[2])};
  const auto index = static_cast<size_t>(script);
  const bool brought = std::exchange(brought_[index], true);
  std::vector<std::string_view> words = {brought ? "EVALSHA" : "EVAL", brought ? kDigests[index] : kTexts[index], "1",
                                         key};
  words.insert(words.end(), arguments.begin(), arguments.end());
  store::append_command(commands_, words);
  ++count_;
}

void Telling::count_fields(std::string_view key) {
  store::append_command(commands_, std::array<std::string_view, 2>{"HLEN", key});
  ++count_;
}

void Telling::ping() {
  store::append_command(commands_, std::array<std::string_view, 1>{"PING"});
  ++count_;
}

}  // namespace llmgw::control
