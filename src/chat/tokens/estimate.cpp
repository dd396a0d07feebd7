// The sum of it all, and whose sum it is.
#include <cmath>

#include "base/text.h"
#include "chat/tokens/token_weights.h"

namespace llmgw::chat {
namespace {

double number(uint64_t count) {
  return static_cast<double>(count);
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

double multiply(const StructureWeights& n, const StructureWeights& w) {
  return n.base * w.base + n.message * w.message + n.system * w.system + n.tools * w.tools + n.tool * w.tool +
         n.described_tool * w.described_tool + n.required * w.required + n.named * w.named +
         n.sequential * w.sequential + n.call * w.call + n.joined_call * w.joined_call + n.member * w.member +
         n.optional * w.optional + n.described * w.described + n.enum_item * w.enum_item + n.object * w.object +
         n.format * w.format + n.format_member * w.format_member + n.format_described * w.format_described +
         n.format_title * w.format_title + n.format_object * w.format_object + n.json_object * w.json_object +
         n.seal * w.seal + n.sealed_byte * w.sealed_byte + n.sealed_byte_above * w.sealed_byte_above +
         n.streamed_seal * w.streamed_seal + n.thinks * w.thinks + n.adapts * w.adapts + n.thoughtless * w.thoughtless +
         n.prefill * w.prefill;
}

TokenFamily claude_family(std::string_view model) {
  for (const std::string_view name : {"-4-7", "-4-8", "-4.7", "-4.8", "opus-5", "sonnet-5", "haiku-5", "fable-5"})
    if (contains(model, name)) return TokenFamily::claude_5;
  for (const std::string_view name : {"opus-4-6", "opus-4.6"})
    if (contains(model, name)) return TokenFamily::claude_opus_46;
  for (const std::string_view name : {"-4-6", "-4.6", "opus-4-5", "opus-4.5"})
    if (contains(model, name)) return TokenFamily::claude_46;
  for (const std::string_view name : {"4-5", "4.5"})
    if (contains(model, name)) return TokenFamily::claude_45;
  for (const std::string_view name : {"3-5-haiku", "3.5-haiku"})
    if (contains(model, name)) return TokenFamily::claude_35_haiku;
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

struct Name {
  std::string_view part;
  TokenFamily family;
};
// The first that fits.
constexpr Name kNames[] = {
    {"gpt-oss", TokenFamily::gpt_oss},   {"grok-4.3", TokenFamily::grok_4_3}, {"grok", TokenFamily::grok},
    {"nova-2", TokenFamily::nova_2},     {"nova", TokenFamily::nova},         {"qwen", TokenFamily::qwen},
    {"kimi", TokenFamily::kimi},         {"deepseek", TokenFamily::deepseek}, {"mistral", TokenFamily::mistral},
    {"ministral", TokenFamily::mistral}, {"pixtral", TokenFamily::mistral},   {"voxtral", TokenFamily::mistral},
    {"codestral", TokenFamily::mistral}, {"devstral", TokenFamily::mistral},  {"magistral", TokenFamily::mistral},
    {"llama", TokenFamily::llama},       {"command", TokenFamily::command},   {"gpt-5", TokenFamily::openai_reasoning},
    {"gpt-", TokenFamily::openai},
};

TokenFamily family_of(std::string_view model) {
  if (contains(model, "claude") || contains(model, "anthropic/")) return claude_family(model);
  if (contains(model, "gemini") || contains(model, "gemma")) return gemini_family(model);
  const std::string_view name = model.substr(model.rfind('/') + 1);
  if (name.size() >= 2 && name[0] == 'o' && base::is_digit(name[1])) return TokenFamily::openai_reasoning;
  for (const Name& known : kNames) {
    if (contains(name, known.part)) return known.family;
  }
  return TokenFamily::other;
}

}  // namespace

TokenModel token_model(std::string_view name, Dialect dialect) {
  return {.family = family_of(name), .dialect = dialect, .name = name};
}

TokenVendor vendor_of(TokenFamily family) {
  if (family <= TokenFamily::openai_reasoning) return TokenVendor::openai;
  if (family <= TokenFamily::claude_5) return TokenVendor::claude;
  return family <= TokenFamily::gemini_3 ? TokenVendor::gemini : TokenVendor::other;
}

StructureWeights structure_of(const PromptCounts& counts) {
  return {
      .base = number(1),
      .message = number(counts.messages),
      .system = number(counts.systems),
      .tools = number(counts.tools > 0 ? 1 : 0),
      .tool = number(counts.tools),
      .described_tool = number(counts.described_tools),
      .required = number(counts.required),
      .named = number(counts.named),
      .sequential = number(counts.sequential),
      .call = number(counts.calls),
      .joined_call = number(counts.joined_calls),
      .member = number(counts.tools_schema.members),
      .optional = number(counts.tools_schema.optional),
      .described = number(counts.tools_schema.described),
      .enum_item = number(counts.tools_schema.enum_items),
      .object = number(counts.tools_schema.objects),
      .format = number(counts.has_format),
      .format_member = number(counts.format_schema.members),
      .format_described = number(counts.format_schema.described),
      .format_title = number(counts.format_schema.titles),
      .format_object = number(counts.format_schema.objects),
      .json_object = number(counts.json_object),
      .seal = number(counts.seals),
      .sealed_byte = number(counts.sealed_bytes),
      .sealed_byte_above = number(counts.sealed_bytes_above),
      .streamed_seal = number(counts.streams * counts.sealed_bytes),
      .thinks = number(counts.thinks),
      .adapts = number(counts.adapts),
      .thoughtless = number(counts.thoughtless),
      .prefill = number(counts.prefill),
  };
}

uint64_t estimate_tokens(const PromptCounts& counts, const TokenModel& model) {
  const StructureWeights& structure = structure_weights(model);
  const TextWeights& text = text_weights(vendor_of(model.family));
  double tokens = multiply(structure_of(counts), structure) + number(counts.media_tokens) +
                  structure.text * weigh(counts.prose, text);
  const auto add = [&](double factor, const TextCounts& counted) { tokens += factor * weigh(counted, text); };
  add(structure.code, counts.code);
  add(structure.thoughts, counts.thoughts);
  add(structure.old_thoughts, counts.old_thoughts);
  add(structure.tools_raw, counts.tools_schema.raw);
  add(structure.tools_words, counts.tools_schema.words);
  add(structure.tools_script, counts.tools_script);
  add(structure.format_raw, counts.format_schema.raw);
  add(structure.format_words, counts.format_schema.words);
  add(structure.format_words, counts.format_name);
  add(structure.format_script, counts.format_script);
  return static_cast<uint64_t>(std::llround(tokens));
}

uint64_t estimate_tokens(std::string_view text, TokenVendor vendor) {
  TextCounts counts;
  counts.add(text);
  return static_cast<uint64_t>(std::llround(weigh(counts, text_weights(vendor))));
}

}  // namespace llmgw::chat
