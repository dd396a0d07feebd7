#include "json/utf8.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <cstdint>
#include <random>
#include <string>

namespace llmgw::json {
namespace {

void expect_same(const std::string& text) {
  const bool expected = simdjson::validate_utf8(text);
  ASSERT_EQ(is_utf8(text), expected) << testing::PrintToString(text);
  ASSERT_EQ(is_utf8_narrow(text), expected) << testing::PrintToString(text);
}

// Every pair of bytes with every kind of byte behind it.
TEST(Utf8, EveryPairOfBytes) {
  constexpr char kBehind[] = {'x', '\x80', '\x8F', '\x90', '\x9F', '\xA0', '\xBF', '\xC2', '\xE1', '\xF1'};
  for (int first = 0x7E; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      for (const char third : kBehind) {
        for (const char fourth : kBehind) {
          const char sequence[] = {static_cast<char>(first), static_cast<char>(second), third, fourth};
          expect_same(std::string(sequence, 4));
        }
      }
    }
  }
}

// Wherever it lies, up to the very end.
TEST(Utf8, EveryPlaceInAStep) {
  const std::string sequences[] = {"\xC3\xA9",
                                   "\xE4\xBD\xA0",
                                   "\xF0\x9F\x98\x80",
                                   "\xF0\x9F\x98",
                                   "\xE4\xBD",
                                   "\xC3",
                                   "\x80",
                                   "\xED\xA0\x80",
                                   "\xF4\x90\x80\x80",
                                   "\xE0\x9F\xBF",
                                   "\xF0\x8F\xBF\xBF",
                                   "\xC1\xBF",
                                   "\xF8\x88\x80\x80\x80"};
  for (const std::string& sequence : sequences) {
    for (size_t before = 0; before < 100; ++before) {
      for (const size_t behind : {0, 1, 2, 3, 31, 32, 33, 64}) {
        expect_same(std::string(before, 'x') + sequence + std::string(behind, 'y'));
      }
    }
  }
}

TEST(Utf8, RandomCharactersWithAFault) {
  std::mt19937_64 random(20261122);
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (size_t count = random() % 60; count > 0; --count) {
      constexpr const char* kCharacters[] = {"a", "\xC3\xA9", "\xE4\xBD\xA0", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"};
      text += kCharacters[random() % std::size(kCharacters)];
    }
    if (round % 2 == 0 && !text.empty()) text[random() % text.size()] = static_cast<char>(random());
    expect_same(text);
  }
}

TEST(Utf8, Empty) {
  EXPECT_TRUE(is_utf8({}));
}

}  // namespace
}  // namespace llmgw::json
