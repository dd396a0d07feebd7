#include <string_view>

#include "base/text.h"
#include "chat/token_estimate.h"

namespace llmgw::chat {
namespace {

struct TextWeights {
  double word, long_letter, digits, digit_char, mark, line, indent, letter, wide;
};
struct CodeWeights {
  double word, mark_char, digits, digit_char;
};
struct SchemaWeights {
  double word, mark_char, type, described_word;
};
struct PromptWeights {
  double base, message, system, tool_prompt, tool, call, format, thinking;
  double thought_word, old_thought_word, sealed_byte, sealed_byte_above;
  TextWeights text;
  CodeWeights code;
  SchemaWeights tools;
  SchemaWeights answer;
};

// Fitted in November 2026 to the input tokens that providers reported for recorded requests (least absolute relative
// error, weights of zero or more), some hundred of OpenAI, Claude and Gemini each, most of them short; a handful of the
// others. dialects/counting_recorded_test.cpp prints and bounds what remains.
constexpr PromptWeights kOpenai{.base = 2.86,
                                .message = 4.03,
                                .system = 3.59,
                                .tool_prompt = 15,
                                .tool = 0,
                                .call = 17,
                                .format = 24,
                                .thinking = 0,
                                .thought_word = 0,
                                .old_thought_word = 0,
                                .sealed_byte = 0,
                                .sealed_byte_above = 0.145,
                                .text = {1.01, 0.183, 1.96, 0, 0.684, 0.6, 0.3, 0.45, 0.9},
                                .code = {0.97, 0.1, 0.52, 0},
                                .tools = {0.5, 0, 2, 2.19},
                                .answer = {0.745, 0.114, 0, 0}};
// The tool prompt is by generation: see tool_prompt().
constexpr PromptWeights kClaude{.base = 4.57,
                                .message = 2.47,
                                .system = 0.4,
                                .tool_prompt = 0,
                                .tool = 14.2,
                                .call = 60,
                                .format = 136,
                                .thinking = 28.6,
                                .thought_word = 1.36,
                                .old_thought_word = 0,
                                .sealed_byte = 0,
                                .sealed_byte_above = 0,
                                .text = {0.968, 0.267, 1.3, 0, 1.05, 0.6, 0.3, 0.6, 1.3},
                                .code = {0.62, 1.09, 1, 0},
                                .tools = {0.62, 0.78, 4.5, 0.2},
                                .answer = {0.62, 0.44, 0, 0}};
// Gemini constrains its answer by the schema and does not read it.
constexpr PromptWeights kGemini2{.base = 0.82,
                                 .message = 0,
                                 .system = 0.7,
                                 .tool_prompt = 0,
                                 .tool = 0.1,
                                 .call = 0,
                                 .format = 0,
                                 .thinking = 0,
                                 .thought_word = 1.4,
                                 .old_thought_word = 1.4,
                                 .sealed_byte = 0,
                                 .sealed_byte_above = 0,
                                 .text = {0.914, 0.04, 0, 1.72, 0.66, 0.5, 0.1, 0.35, 0.7},
                                 .code = {1.43, 0.25, 0, 2.9},
                                 .tools = {0, 0, 1.77, 1.63},
                                 .answer = {}};
constexpr PromptWeights kGemini25{.base = 1,
                                  .message = 1.36,
                                  .system = 0.73,
                                  .tool_prompt = 0,
                                  .tool = 7,
                                  .call = 37.2,
                                  .format = 0,
                                  .thinking = 0,
                                  .thought_word = 1.4,
                                  .old_thought_word = 1.41,
                                  .sealed_byte = 0.042,
                                  .sealed_byte_above = 0,
                                  .text = {0.918, 0.2, 0, 1.24, 0.68, 1.95, 0.1, 0.35, 0.7},
                                  .code = {0, 0.135, 0, 0.26},
                                  .tools = {0.71, 0, 8.6, 3.5},
                                  .answer = {}};
constexpr PromptWeights kGemini3{.base = 1.18,
                                 .message = 0.2,
                                 .system = 1,
                                 .tool_prompt = 0,
                                 .tool = 0,
                                 .call = 10.9,
                                 .format = 0,
                                 .thinking = 0,
                                 .thought_word = 1.4,
                                 .old_thought_word = 1.75,
                                 .sealed_byte = 0.208,
                                 .sealed_byte_above = 0,
                                 .text = {0.853, 0.314, 0, 1.81, 1.15, 0.1, 0.1, 0.35, 0.7},
                                 .code = {0, 0, 0, 1.7},
                                 .tools = {0, 0.89, 0, 2.4},
                                 .answer = {}};
// Others: OpenAI's tokens, with templates that say more.
constexpr PromptWeights kOther{.base = 4,
                               .message = 4,
                               .system = 3,
                               .tool_prompt = 60,
                               .tool = 20,
                               .call = 20,
                               .format = 20,
                               .thinking = 0,
                               .thought_word = 0,
                               .old_thought_word = 0,
                               .sealed_byte = 0,
                               .sealed_byte_above = 0,
                               .text = {1.01, 0.2, 1.82, 0, 0.65, 0.6, 0.3, 0.45, 0.9},
                               .code = {0.9, 0.3, 1, 0},
                               .tools = {0.9, 0.3, 2, 0},
                               .answer = {0.9, 0.3, 0, 0}};
// Nova 2 has a prompt of its own, and a long one about tools.
constexpr PromptWeights kNova2 = [] {
  PromptWeights w = kOther;
  w.base = 41.7;
  w.tool_prompt = 822;
  return w;
}();
// The harmony format says who it is and what day it is.
constexpr PromptWeights kGptOss = [] {
  PromptWeights w = kOther;
  w.base = 67;
  w.tool_prompt = 20;
  return w;
}();
constexpr PromptWeights kGrok = [] {
  PromptWeights w = kOther;
  w.base = 0;
  w.message = 0.75;
  w.tool_prompt = 135;
  w.sealed_byte = 0.2;
  w.text = {0.9, 0, 1.82, 0, 1.13, 0.6, 0.3, 0.45, 0.9};
  w.tools = {0.9, 0.46, 2, 0};
  return w;
}();

bool is_claude(TokenFamily family) {
  return family >= TokenFamily::claude_3 && family <= TokenFamily::claude_5;
}

const PromptWeights& weights_of(TokenFamily family, Dialect dialect) {
  switch (family) {
    case TokenFamily::openai:
    case TokenFamily::openai_reasoning: return kOpenai;
    case TokenFamily::gemini_2: return kGemini2;
    case TokenFamily::gemini: return dialect == Dialect::vertex ? kGemini2 : kGemini25;
    case TokenFamily::gemini_3: return dialect == Dialect::vertex ? kGemini2 : kGemini3;
    case TokenFamily::grok: return kGrok;
    case TokenFamily::nova_2: return kNova2;
    case TokenFamily::gpt_oss: return kGptOss;
    case TokenFamily::other: return kOther;
    default: return kClaude;
  }
}

// What a provider says to the model about tools, before the first of them.
double tool_prompt(TokenFamily family, Dialect dialect) {
  switch (family) {
    // Chat Completions of gpt-5 has a longer one than the Responses API.
    case TokenFamily::openai_reasoning: return dialect == Dialect::openai_responses ? 15 : 96;
    case TokenFamily::claude_3: return 167;
    case TokenFamily::claude_35: return 285;
    case TokenFamily::claude_4: return 279;
    case TokenFamily::claude_45: return 493;
    case TokenFamily::claude_5: return 356;
    default: return weights_of(family, dialect).tool_prompt;
  }
}

double number(uint64_t count) {
  return static_cast<double>(count);
}

double weigh(const TextCounts& text, const TextWeights& w) {
  return number(text.words) * w.word + number(text.long_letters) * w.long_letter + number(text.digits) * w.digits +
         number(text.digit_chars) * w.digit_char + number(text.marks) * w.mark + number(text.lines) * w.line +
         number(text.indents) * w.indent + number(text.letters) * w.letter +
         number(text.ideographs + text.symbols) * w.wide;
}

// Scripts other than Latin cost the same in code as in prose.
double weigh(const TextCounts& text, const CodeWeights& w, const TextWeights& prose) {
  return number(text.words) * w.word + number(text.mark_chars) * w.mark_char + number(text.digits) * w.digits +
         number(text.digit_chars) * w.digit_char + number(text.letters) * prose.letter +
         number(text.ideographs + text.symbols) * prose.wide;
}

double weigh(const SchemaCounts& schema, const SchemaWeights& w) {
  return number(schema.text.words) * w.word + number(schema.text.mark_chars) * w.mark_char +
         number(schema.types) * w.type + number(schema.described_words) * w.described_word;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TokenFamily claude_family(std::string_view model) {
  for (const std::string_view name : {"-4-7", "-4-8", "-4.7", "-4.8", "opus-5", "sonnet-5", "haiku-5", "fable-5"})
    if (contains(model, name)) return TokenFamily::claude_5;
  for (const std::string_view name : {"4-5", "4-6", "4.5", "4.6"})
    if (contains(model, name)) return TokenFamily::claude_45;
  for (const std::string_view name : {"3-5", "3-7", "3.5", "3.7"})
    if (contains(model, name)) return TokenFamily::claude_35;
  for (const std::string_view name : {"claude-3-", "claude-v2", "claude-2", "claude-instant"})
    if (contains(model, name)) return TokenFamily::claude_3;
  return contains(model, "-4") ? TokenFamily::claude_4 : TokenFamily::claude_5;
}

TokenFamily gemini_family(std::string_view model) {
  for (const std::string_view name : {"gemini-1", "gemini-2.0", "gemini-pro", "gemma"})
    if (contains(model, name)) return TokenFamily::gemini_2;
  return contains(model, "gemini-2") ? TokenFamily::gemini : TokenFamily::gemini_3;
}

}  // namespace

TokenFamily token_family(std::string_view model) {
  if (contains(model, "claude") || contains(model, "anthropic/")) return claude_family(model);
  if (contains(model, "gemini") || contains(model, "gemma")) return gemini_family(model);
  const std::string_view name = model.substr(model.rfind('/') + 1);
  if (contains(name, "gpt-oss")) return TokenFamily::gpt_oss;
  if (contains(name, "grok")) return TokenFamily::grok;
  if (contains(name, "nova-2")) return TokenFamily::nova_2;
  const bool o_series = name.size() >= 2 && name[0] == 'o' && base::is_digit(name[1]);
  if (o_series || contains(name, "gpt-5")) return TokenFamily::openai_reasoning;
  return contains(name, "gpt-") ? TokenFamily::openai : TokenFamily::other;
}

uint64_t estimate_tokens(const PromptCounts& counts, TokenFamily family, Dialect dialect) {
  const PromptWeights& w = weights_of(family, dialect);
  double tokens =
      w.base + w.message * number(counts.messages) + w.tool * number(counts.tools) + w.call * number(counts.calls) +
      number(counts.media_tokens) + w.thought_word * number(counts.thought_words) +
      w.old_thought_word * number(counts.old_thought_words) + w.sealed_byte * number(counts.sealed_bytes) +
      w.sealed_byte_above * number(counts.sealed_bytes_above) + weigh(counts.prose, w.text) +
      weigh(counts.code, w.code, w.text) + weigh(counts.tools_schema, w.tools) + weigh(counts.format_schema, w.answer);
  if (counts.has_system) tokens += w.system;
  if (counts.has_format) tokens += w.format;
  if (counts.tools > 0) tokens += tool_prompt(family, dialect);
  // Budgeted thinking has a prompt of its own up to Claude 4.6.
  if (counts.thinks && family != TokenFamily::claude_5 && is_claude(family)) tokens += w.thinking;
  return static_cast<uint64_t>(tokens + 0.5);
}

uint64_t estimate_tokens(std::string_view text, TokenFamily family) {
  TextCounts counts;
  counts.add(text);
  return static_cast<uint64_t>(weigh(counts, weights_of(family, Dialect::openai_chat).text) + 0.5);
}

}  // namespace llmgw::chat
