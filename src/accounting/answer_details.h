// What an answer says, beside its counts of tokens, that changes its price: at which of its provider's tiers it was
// made, and how often tools were used that the provider runs and charges for. Looked for only where the request names a
// tier or such a tool. Bytes in, in whatever cuts; 100 bytes of state, no allocation. One answer, one thread.
//
//   service_tier     OpenAI's and compatible ones' Response, completion and chunks; Anthropic's usage
//   serviceTier      Gemini's usageMetadata; Bedrock's {"type": "priority"}
//   trafficType      Vertex's usageMetadata
//   server_tool_use  Anthropic's usage: web_search_requests
//   web_search_call, file_search_call    items of a Response; what only opens or looks through a page is no search
//   webSearchQueries                     Gemini's groundingMetadata
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

class AnswerDetails {
 public:
  explicit AnswerDetails(chat::Framing framing) : lines_(framing == chat::Framing::sse) {}
  void feed(std::string_view bytes);

  // As price_tier(); meaningless unless told.
  std::string_view tier() const { return price_tier({tier_.data(), tier_size_}); }
  bool tier_told() const { return tier_told_; }
  uint32_t web_searches() const { return most(&Uses::web_searches); }
  uint32_t file_searches() const { return most(&Uses::file_searches); }
  uint32_t google_queries() const { return most(&Uses::google_queries); }

 private:
  static constexpr size_t kTokenBytesMax = 32;  // longer than any word that means something
  enum class Key : uint8_t { other, tier, tier_object, traffic, type, searches, queries };
  // In one document. A stream repeats at its end what its events said, so the most of one counts.
  struct Uses {
    uint32_t web_searches = 0;
    uint32_t file_searches = 0;
    uint32_t google_queries = 0;
    uint32_t only_looked = 0;
  };

  void structure(char c);
  void text();
  void note_tier(std::string_view word);
  void end_document();
  static Key key_of(std::string_view text);
  uint32_t most(uint32_t Uses::* count) const;
  std::string_view token() const { return {token_.data(), token_size_}; }

  bool lines_;
  bool in_string_ = false;
  bool escaped_ = false;
  bool unusable_ = false;  // the text at hand: too long, or with an escape
  bool in_tier_object_ = false;
  bool in_queries_ = false;
  bool tier_told_ = false;
  Key key_ = Key::other;
  uint8_t token_size_ = 0;
  uint8_t tier_size_ = 0;
  std::array<char, kTokenBytesMax> token_{};
  std::array<char, kTokenBytesMax> tier_{};
  uint32_t number_ = 0;
  Uses now_;
  Uses before_;
};

}  // namespace llmgw::accounting
