// How the table of families (families.cpp and its parts) is written: rows of changes to a chat::Target. Static data.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "chat/target.h"

namespace llmgw::providers::families {

// A set of vendors, as bits.
using Vendors = uint32_t;
enum VendorBit : Vendors {
  kGeneric = 1U << 0,  // a server of which only the API is known
  kOpenAi = 1U << 1,
  kAzure = 1U << 2,
  kMantle = 1U << 3,
  kVllm = 1U << 4,
  kSglang = 1U << 5,
  kLlamaCpp = 1U << 6,
  kOllama = 1U << 7,
  kDeepSeek = 1U << 8,
  kGroq = 1U << 9,
  kXai = 1U << 10,
  kMistral = 1U << 11,
  kTogether = 1U << 12,
  kOpenRouter = 1U << 13,
  kFireworks = 1U << 14,
  kCerebras = 1U << 15,
  kMoonshot = 1U << 16,
  kNvidia = 1U << 17,
  kGoogleOpenAi = 1U << 18,  // AI Studio's copy of OpenAI's API
  kAnthropicApi = 1U << 19,
  kVertexClaude = 1U << 20,
  kGoogleAi = 1U << 21,
  kVertexGemini = 1U << 22,
  kBedrockRuntime = 1U << 23,
  kCohereApi = 1U << 24,
  kBedrockInvoke = 1U << 25,  // Claude by InvokeModel: Anthropic's messages
};

// Whose API is not OpenAI's.
inline constexpr Vendors kOthers =
    kAnthropicApi | kVertexClaude | kGoogleAi | kVertexGemini | kBedrockRuntime | kBedrockInvoke | kCohereApi;

struct Change {
  void (*apply)(chat::Target& target, double number, std::string_view text) = nullptr;
  double number = 0;
  std::string_view text = {};
};

// set<&chat::Target::sampling>(false)
template <auto Member, class T>
consteval Change set(T value) {
  using Type = std::remove_reference_t<decltype(std::declval<chat::Target&>().*Member)>;
  if constexpr (std::is_same_v<Type, std::string_view>) {
    return {[](chat::Target& target, double, std::string_view text) { target.*Member = text; }, 0, value};
  } else {
    // Every number here is exact in a double.
    return {[](chat::Target& target, double number, std::string_view) {
              if constexpr (std::is_enum_v<Type>) {
                target.*Member = static_cast<Type>(static_cast<int>(number));
              } else {
                target.*Member = static_cast<Type>(number);
              }
            },
            static_cast<double>(value)};
  }
}

inline constexpr size_t kChangesMax = 24;

struct Row {
  Vendors vendors;
  // Patterns parted by spaces, matched against the lower-case name behind its last slash: "gpt-5*", "*claude*".
  std::string_view models;
  std::array<Change, kChangesMax> changes;
};

// In the order in which they apply; later rows win.
std::span<const Row> vendor_rows();
std::span<const Row> openai_rows();
std::span<const Row> bedrock_rows();
std::span<const Row> claude_rows();
std::span<const Row> gemini_rows();

}  // namespace llmgw::providers::families
