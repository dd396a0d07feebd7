// How many tokens a prompt will be, for providers that do not count and for limits that are checked before a call. No
// tokenizer: words, digits, marks and scripts are counted in one pass and weighted (tokens/text_counts.h), media by
// each vendor's own arithmetic (tokens/media_tokens.h), and every message, tool, call and replayed thought has its
// overhead. The weights are tables by family of models, fitted to what providers reported by tools/fit_token_weights;
// docs/surfaces.md has the errors that remain. Pure; any thread; one pass over the text.
#pragma once

#include <cstdint>
#include <string_view>

#include "chat/request.h"
#include "chat/tokens/text_counts.h"

namespace llmgw::chat {

// Of English prose: for what only needs a size and must cost next to nothing.
inline constexpr uint64_t kBytesPerToken = 4;

// Models whose tokenizer and hidden prompts are the same.
enum class TokenFamily : uint8_t {
  openai,
  openai_reasoning,  // gpt-5, o-series
  claude_3,
  claude_35,  // and 3.7
  claude_35_haiku,
  claude_4,  // and 4.1
  claude_45,
  claude_46,  // and Opus 4.5: old thoughts stay
  claude_opus_46,
  claude_5,  // and Opus 4.7, 4.8
  gemini_2,  // 2.0 and before
  gemini,    // 2.5
  gemini_3,
  grok,
  grok_4_3,
  nova,
  nova_2,
  gpt_oss,
  qwen,
  kimi,
  deepseek,
  mistral,
  llama,
  command,
  other,
};
enum class TokenVendor : uint8_t { openai, claude, gemini, other };
TokenVendor vendor_of(TokenFamily family);

struct TokenModel {
  TokenFamily family = TokenFamily::other;
  Dialect dialect = Dialect::openai_chat;  // the one it is called in; vertex: Gemini on Vertex AI
  std::string_view name;                   // of the provider, also "us.anthropic.claude-..."
};
TokenModel token_model(std::string_view name, Dialect dialect);

// A JSON schema.
struct SchemaCounts {
  TextCounts raw;    // as it is
  TextCounts words;  // names, descriptions and values
  uint64_t members = 0;
  uint64_t optional = 0;
  uint64_t described = 0;
  uint64_t enum_items = 0;
  uint64_t titles = 0;
  uint64_t objects = 0;

  void add(std::string_view schema);
};

// Everything the estimate is made of.
struct PromptCounts {
  TextCounts prose;  // messages, system, names and descriptions of tools
  TextCounts code;   // arguments of calls, results in JSON
  SchemaCounts tools_schema;
  TextCounts tools_script;  // tools as TypeScript, for models that see them so; their names are not in `prose` then
  SchemaCounts format_schema;
  TextCounts format_name;
  TextCounts format_script;  // the schema as those models see it
  uint64_t messages = 0;
  uint64_t systems = 0;
  uint64_t tools = 0;
  uint64_t described_tools = 0;
  uint64_t required = 0;      // 1: some tool must be called
  uint64_t named = 0;         // 1: this tool must be called
  uint64_t sequential = 0;    // 1: one tool at a time
  uint64_t calls = 0;         // in the history
  uint64_t joined_calls = 0;  // of them, those that were made together
  uint64_t results = 0;
  uint64_t media_tokens = 0;
  // Thoughts that are sent back: those since the user spoke last, those before, and of what is encrypted since then how
  // many, their bytes, all of them and those above what an empty one has.
  TextCounts thoughts;
  TextCounts old_thoughts;
  uint64_t seals = 0;
  uint64_t sealed_bytes = 0;
  uint64_t sealed_bytes_above = 0;
  uint64_t has_format = 0;   // 1: a schema for the answer
  uint64_t json_object = 0;  // 1: any JSON
  uint64_t thinks = 0;       // 1: thinking within a budget was asked for
  uint64_t thoughtless = 0;  // 1: no thinking was asked for
  uint64_t adapts = 0;       // 1: thinking as the model likes
  uint64_t streams = 0;      // 1: the answer is a stream
  uint64_t prefill = 0;      // 1: the answer has been begun
};
PromptCounts count_prompt(const Request& request, const TokenModel& model);

uint64_t estimate_tokens(const PromptCounts& counts, const TokenModel& model);
inline uint64_t estimate_tokens(const Request& request, const TokenModel& model) {
  return estimate_tokens(count_prompt(request, model), model);
}
// One text by itself.
uint64_t estimate_tokens(std::string_view text, TokenVendor vendor);

}  // namespace llmgw::chat
