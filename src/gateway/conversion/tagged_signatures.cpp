#include "gateway/conversion/tagged_signatures.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "chat/signature.h"

namespace llmgw::gateway {
namespace {

// What the tag begins with in base64, whatever follows it.
constexpr std::string_view kTagInBase64 = "bGd3MT";
constexpr size_t kBlock = 64;
// Bytes compared in every place; the rest only where they stand. Three are rare enough in any text.
constexpr size_t kCompared = 3;

using Bytes = unsigned char __attribute__((vector_size(16)));

Bytes load(const char* from) {
  Bytes bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

// All places of a block at once: compilers do not make vectors of the plain loop that would be worth it.
bool begins_in(const char* block, std::string_view needle) {
  const auto byte = [needle](size_t i) { return static_cast<unsigned char>(needle[i]); };
  Bytes found{};
  for (size_t i = 0; i < kBlock; i += sizeof(Bytes)) {
    const char* const at = block + i;
    found |= Bytes(load(at) == byte(0)) & Bytes(load(at + 1) == byte(1)) & Bytes(load(at + 2) == byte(2));
  }
  const auto halves = std::bit_cast<std::array<uint64_t, 2>>(found);
  return (halves[0] | halves[1]) != 0;
}

bool contains(std::string_view text, std::string_view needle) {
  size_t at = 0;
  for (; at + kBlock + kCompared <= text.size(); at += kBlock) {
    if (!begins_in(text.data() + at, needle)) continue;
    if (text.substr(at, kBlock + needle.size()).find(needle) != std::string_view::npos) return true;
  }
  return text.substr(at).find(needle) != std::string_view::npos;
}

}  // namespace

bool may_hold_tagged_signature(std::string_view body, chat::Dialect dialect) {
  const bool bytes = dialect == chat::Dialect::gemini || dialect == chat::Dialect::vertex;
  // Bedrock has texts, and bytes where a thought is hidden.
  if ((bytes || dialect == chat::Dialect::bedrock) && contains(body, kTagInBase64)) return true;
  return !bytes && contains(body, chat::kSignatureTag);
}

}  // namespace llmgw::gateway
