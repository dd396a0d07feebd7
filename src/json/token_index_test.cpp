#include "json/token_index.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace llmgw::json {
namespace {

// The positions, or what is wrong.
struct Indexed {
  std::vector<uint32_t> tokens;
  std::string problem;
  bool operator==(const Indexed&) const = default;
};

using Index = base::Result<uint32_t> (*)(std::string_view, uint32_t*);

Indexed index_with(Index index, std::string_view text) {
  // Exactly as long as the text, so that sanitizers see a read beyond it.
  const auto copy = std::make_unique<char[]>(text.size());
  std::copy(text.begin(), text.end(), copy.get());
  std::vector<uint32_t> tokens(text.size() + kIndexSlack);
  const auto count = index({copy.get(), text.size()}, tokens.data());
  if (!count) return {.tokens = {}, .problem = count.error().context};
  tokens.resize(*count);
  return {.tokens = tokens, .problem = {}};
}

Indexed index_with_simdjson(std::string_view text) {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
  const size_t capacity = std::max<size_t>(text.size(), 64);
  if (simdjson::get_active_implementation()->create_dom_parser_implementation(capacity, 1, stage) !=
      simdjson::SUCCESS) {
    std::abort();
  }
  const std::string padded = std::string(text) + std::string(simdjson::SIMDJSON_PADDING, ' ');
  const auto* bytes = reinterpret_cast<const uint8_t*>(padded.data());
  switch (stage->stage1(bytes, text.size(), simdjson::stage1_mode::regular)) {
    case simdjson::SUCCESS: break;
    case simdjson::EMPTY: return {.tokens = {}, .problem = "the JSON document is empty"};
    case simdjson::UTF8_ERROR: return {.tokens = {}, .problem = "the JSON document is not valid UTF-8"};
    case simdjson::UNCLOSED_STRING: return {.tokens = {}, .problem = "the JSON document ends inside a string"};
    case simdjson::UNESCAPED_CHARS:
      return {.tokens = {}, .problem = "a string of the JSON document contains a control character"};
    default: return {.tokens = {}, .problem = "unknown"};
  }
  const uint32_t* tokens = stage->structural_indexes.get();
  return {.tokens = {tokens, tokens + stage->n_structural_indexes}, .problem = {}};
}

// Pieces that matter, in any order and at any place of a block. simdjson takes the control bytes 0x0C and 0x1A outside
// strings for a comma and a colon, for which a walk then finds other bytes: they are left out.
TEST(TokenIndex, IsSimdjsonsOnEveryProcessor) {
  constexpr std::string_view kPieces[] = {
      "{",
      "}",
      "[",
      "]",
      ":",
      ",",
      "\"",
      "\"",
      "\\",
      "\\\\",
      " ",
      "\n",
      "\t",
      "\r",
      "1",
      "-0.5e3",
      "true",
      "null",
      "\"key\":",
      "\"a \\\"b\\\" c\",",
      "\x01",
      "x",
      "'",
      "/",
      "\v",
      "\xC3\xA9",
      "\xE4\xBD\xA0",
      "\xF0\x9F\x98\x80",
      "                     ",
      "a long text of more than sixty-four bytes that crosses the border of a block somewhere in its middle"};
  constexpr std::string_view kBroken[] = {"\xC3", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\x80", "\xC0\xAF"};
  std::mt19937_64 random(20261122);
  for (int round = 0; round < 40'000; ++round) {
    std::string text;
    for (size_t pieces = random() % 60; pieces > 0; --pieces) text += kPieces[random() % std::size(kPieces)];
    if (round % 8 == 0) text += kBroken[random() % std::size(kBroken)];
    if (round % 3 != 0) {  // an even number of quotes more often than by chance
      const auto quotes = std::count(text.begin(), text.end(), '"');
      if (quotes % 2 != 0) text += '"';
    }
    const Indexed expected = index_with_simdjson(text);
    ASSERT_EQ(index_with(index_tokens, text), expected) << testing::PrintToString(text);
    ASSERT_EQ(index_with(index_tokens_narrow, text), expected) << testing::PrintToString(text);
  }
}

TEST(TokenIndex, OnlyPunctuationIsPunctuation) {
  for (int c = 0; c < 128; ++c) {
    const std::string text = std::string("1") + static_cast<char>(c) + "1";
    const bool separates = std::string_view("{}[]:,").contains(static_cast<char>(c));
    const bool space = std::string_view(" \n\r\t").contains(static_cast<char>(c));
    if (c == '"') continue;
    for (const Index index : {index_tokens, index_tokens_narrow}) {
      EXPECT_EQ(index_with(index, text).tokens.size(), separates ? 3U : space ? 2U : 1U) << c;
    }
  }
}

TEST(TokenIndex, EveryBytePatternOfEscapesAcrossBlocks) {
  for (size_t before = 40; before < 140; ++before) {
    for (size_t backslashes = 0; backslashes < 70; ++backslashes) {
      const std::string text = "\"" + std::string(before, 'x') + std::string(backslashes, '\\') + "\",1";
      const Indexed expected = index_with_simdjson(text);
      ASSERT_EQ(index_with(index_tokens, text), expected) << before << " " << backslashes;
      ASSERT_EQ(index_with(index_tokens_narrow, text), expected) << before << " " << backslashes;
    }
  }
}

}  // namespace
}  // namespace llmgw::json
