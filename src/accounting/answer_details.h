// What an answer says, beside its counts of tokens, that changes its price: at which of its provider's tiers it was
// made, and how often tools were used that the provider runs and charges for. Looked for only where the request names a
// tier or such a tool. Bytes in, in whatever cuts; 100 bytes of state, no allocation. One answer, one thread.
//
//   service_tier     OpenAI's and compatible ones' Response, completion and chunks; Anthropic's usage
//   serviceTier      Gemini's usageMetadata; Bedrock's {"type": "priority"}
//   trafficType      Vertex's usageMetadata
//   speed, inference_geo  Anthropic's usage: fast answers, and answers made in one part of the world
//   latency          Bedrock's performanceConfig
//   server_tool_use  Anthropic's usage: web_search_requests
//   web_search_call, file_search_call, code_interpreter_call, image_generation_call, container_reference
//                    items of a Response; what only opens or looks through a page is no search
//   ..._code_execution_tool_result, advisor_tool_result    Anthropic's blocks
//   webSearchQueries, maps                                 Gemini's groundingMetadata
// as recorded from the providers in 2026.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "chat/dialect.h"

namespace llmgw::accounting {

// The word that price rows have for a tier ("flex", "priority", "batch", ...), of whatever word a provider has; empty
// for the standard one.
std::string_view price_tier(std::string_view word);

// What a provider runs itself and charges for beside the tokens.
enum class ProviderTool : uint8_t {
  web_search,
  file_search,
  google_query,
  google_maps,       // 1: the answer stands on places
  container,         // 1: code ran at the provider, which charges for the time
  image_generation,  // by another model, whose tokens no usage has
  advisor,           // 1: another model was asked, whose tokens the usage does not have
};
inline constexpr size_t kProviderTools = 7;

class AnswerDetails {
 public:
  explicit AnswerDetails(chat::Framing framing) : lines_(framing == chat::Framing::sse) {}
  void feed(std::string_view bytes);
  // What the answer's head says is what counts.
  void tier_in_head(std::string_view word);

  // As price_tier(), or "fast", "regional", "optimized"; meaningless unless told.
  std::string_view tier() const { return special_.empty() ? price_tier({tier_.data(), tier_size_}) : special_; }
  bool tier_told() const { return tier_told_ || !special_.empty(); }
  uint32_t uses(ProviderTool tool) const;

 private:
  static constexpr size_t kTokenBytesMax = 40;  // longer than any word that means something
  enum class Key : uint8_t { other, tier, tier_object, traffic, type, searches, queries, speed, geo, latency, maps };
  // In one document. A stream repeats at its end what its events said, so the most of one counts.
  struct Uses {
    std::array<uint32_t, kProviderTools> counts{};
    uint32_t only_looked = 0;

    uint32_t& operator[](ProviderTool tool) { return counts[static_cast<size_t>(tool)]; }
  };

  void structure(char c);
  void text();
  void note_tier(std::string_view word);
  void note_type(std::string_view word);
  void end_document();
  static Key key_of(std::string_view text);
  std::string_view token() const { return {token_.data(), token_size_}; }

  bool lines_;
  bool in_string_ = false;
  bool escaped_ = false;
  bool unusable_ = false;  // the text at hand: too long, or with an escape
  bool in_tier_object_ = false;
  bool in_queries_ = false;
  bool tier_told_ = false;
  bool tier_fixed_ = false;
  Key key_ = Key::other;
  uint8_t token_size_ = 0;
  uint8_t tier_size_ = 0;
  std::array<char, kTokenBytesMax> token_{};
  std::array<char, kTokenBytesMax> tier_{};
  std::string_view special_;  // one of a few constants
  uint32_t number_ = 0;
  Uses now_;
  Uses before_;
};

}  // namespace llmgw::accounting
