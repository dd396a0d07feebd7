// How many tokens a prompt will be, for providers that do not count and for limits that are checked before a call. No
// tokenizer: words, digits, marks and scripts are counted in one pass and weighted, and every message, tool, image and
// replayed thought has its overhead. The weights are a table by family of models, fitted to what providers reported;
// see token_estimate_weights.cpp for the errors that remain. Pure; any thread; one pass over the text.
#pragma once

#include <cstdint>
#include <string_view>

#include "chat/request.h"

namespace llmgw::chat {

// Of English prose: for what only needs a size and must cost next to nothing.
inline constexpr uint64_t kBytesPerToken = 4;

// Vendors whose tokenizers and hidden prompts differ, and those of their models whose prompt for tools does.
enum class TokenFamily : uint8_t {
  openai,
  openai_reasoning,  // gpt-5, o-series
  claude_3,
  claude_35,  // and 3.7
  claude_4,   // and 4.1
  claude_45,  // and 4.6
  claude_5,   // and Opus 4.7, 4.8
  gemini_2,   // 2.0 and before; also every Gemini on Vertex AI
  gemini,     // 2.5
  gemini_3,
  grok,
  nova_2,
  gpt_oss,
  other,
};

// By the provider's name of the model, also "us.anthropic.claude-..." and "publishers/anthropic/...".
TokenFamily token_family(std::string_view model);

// What a text is made of.
struct TextCounts {
  uint64_t words = 0;         // runs of ASCII letters
  uint64_t long_letters = 0;  // their letters beyond the sixth
  uint64_t digits = 0;        // groups of up to three
  uint64_t digit_chars = 0;   // each by itself
  uint64_t marks = 0;         // runs of one punctuation character
  uint64_t mark_chars = 0;    // each by itself
  uint64_t lines = 0;         // runs of line ends
  uint64_t indents = 0;       // runs of several blanks
  uint64_t letters = 0;       // of other alphabets
  uint64_t ideographs = 0;    // Chinese, Japanese, Korean
  uint64_t symbols = 0;       // everything else: emoji, arrows, box drawing

  void add(std::string_view text);
};

// A JSON schema.
struct SchemaCounts {
  TextCounts text;
  uint64_t types = 0;            // occurrences of "type": about one for each member
  uint64_t described_words = 0;  // words of descriptions

  void add(std::string_view schema);
};

// Everything the estimate is made of.
struct PromptCounts {
  TextCounts prose;  // messages, system, names and descriptions of tools
  TextCounts code;   // arguments of calls, results in JSON
  SchemaCounts tools_schema;
  SchemaCounts format_schema;
  uint64_t messages = 0;
  uint64_t tools = 0;
  uint64_t calls = 0;  // in the history
  uint64_t media_tokens = 0;
  // Thoughts that are sent back: words of those since the user spoke last, of those before, and of what is encrypted
  // since then the bytes, all of them and those above what an empty one has.
  uint64_t thought_words = 0;
  uint64_t old_thought_words = 0;
  uint64_t sealed_bytes = 0;
  uint64_t sealed_bytes_above = 0;
  bool has_system = false;
  bool has_format = false;
  bool thinks = false;  // thinking within a budget was asked for
};
PromptCounts count_prompt(const Request& request, TokenFamily family);

// `dialect` is the one the provider is called in: OpenAI's two APIs present tools differently.
uint64_t estimate_tokens(const PromptCounts& counts, TokenFamily family, Dialect dialect);
inline uint64_t estimate_tokens(const Request& request, TokenFamily family, Dialect dialect) {
  return estimate_tokens(count_prompt(request, family), family, dialect);
}
// One text by itself.
uint64_t estimate_tokens(std::string_view text, TokenFamily family);

}  // namespace llmgw::chat
