#include "simulator/tokenize.h"

#include <algorithm>
#include <array>

#include "base/rng.h"

namespace llmgw::simulator {

namespace {

constexpr size_t kWordsALine = 12;

constexpr std::array<std::string_view, 48> kWords{
    "sol ", "nox ", "lux ", "pax ", "vox ", "rex ", "lex ", "dux ", "mel ", "sal ", "ver ", "vir ",
    "vis ", "via ", "ars ", "mos ", "fas ", "res ", "spe ", "ros ", "rus ", "nix ", "nux ", "mus ",
    "lac ", "ira ", "ora ", "ops ", "est ", "sed ", "non ", "vel ", "sit ", "nam ", "qui ", "per ",
    "sub ", "pro ", "nec ", "hic ", "ego ", "tum ", "cum ", "dum ", "iam ", "ubi ", "sic ", "aut "};
constexpr std::array<std::string_view, 12> kUnicode{"né ", "là ", "où ", "日 ", "本 ", "語 ",
                                                    "한 ", "글 ", "€ ",  "🌍",  "🚀",  "🧪"};

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80;
}

// The finaliser of splitmix64: every bit of the input reaches every bit of the result.
constexpr uint64_t mix(uint64_t value) {
  value += 0x9E3779B97F4A7C15ULL;
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31U);
}

}  // namespace

size_t token_end(std::string_view text, size_t begin) {
  size_t end = std::min(begin + kTokenBytes, text.size());
  if (end == text.size()) return end;
  while (end > begin && continues_character(text[end])) --end;
  return end == begin ? std::min(begin + kTokenBytes, text.size()) : end;
}

size_t count_tokens(std::string_view text) {
  size_t tokens = 0;
  for (size_t at = 0; at < text.size(); at = token_end(text, at)) ++tokens;
  return tokens;
}

std::string_view first_tokens(std::string_view text, size_t tokens) {
  size_t at = 0;
  while (at < text.size() && tokens-- > 0) at = token_end(text, at);
  return text.substr(0, at);
}

uint64_t hash_text(std::string_view text, uint64_t seed) {
  uint64_t hash = mix(seed ^ text.size());
  for (size_t at = 0; at < text.size(); at += 8) {
    uint64_t chunk = 0;
    for (size_t i = at; i < std::min(at + 8, text.size()); ++i) {
      chunk = (chunk << 8U) | static_cast<unsigned char>(text[i]);
    }
    hash = mix(hash ^ chunk);
  }
  return hash;
}

void PromptTokens::token(uint64_t value) {
  chain_ = mix(chain_ ^ value);
  if (++count_ % block_tokens_ == 0) blocks_.push_back(chain_);
}

void PromptTokens::text(std::string_view segment) {
  for (size_t at = 0; at < segment.size();) {
    const size_t end = token_end(segment, at);
    uint64_t value = end - at;
    for (; at < end; ++at) value = (value << 8U) | static_cast<unsigned char>(segment[at]);
    token(value);
  }
}

void PromptTokens::mark(uint64_t identity, size_t count) {
  // The top bit tells marks from text, whose values fit 40 bits.
  for (size_t i = 0; i < count; ++i) token(mix(identity + i) | (uint64_t{1} << 63U));
}

std::string make_text(size_t tokens, uint64_t seed, Vocabulary vocabulary, bool complete) {
  base::Rng rng(seed);
  std::string text;
  text.reserve(tokens * kTokenBytes);
  for (size_t i = 0; i < tokens; ++i) {
    if (vocabulary == Vocabulary::unicode) {
      text += kUnicode[rng.below(kUnicode.size())];
      continue;
    }
    text += kWords[rng.below(kWords.size())];
    if ((i + 1) % kWordsALine == 0) text.back() = '\n';
  }
  if (complete && vocabulary == Vocabulary::words && !text.empty()) text.back() = '.';
  return text;
}

}  // namespace llmgw::simulator
