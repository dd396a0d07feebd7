#include "accounting/structure_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <string_view>

namespace llmgw::accounting {
namespace {

// Bytes that matter to the scan, in whatever order, in blocks of any size: both ways to scan see the same.
TEST(StructureScan, IsTheSameOnEveryProcessor) {
  constexpr std::string_view kAlphabet = R"("\"\"{}[]u: ,x)";
  std::mt19937_64 random(20261121);
  StructureCarry carry;
  StructureCarry narrow_carry;
  for (int round = 0; round < 20'000; ++round) {
    std::array<char, kScanBlock> block{};
    const size_t size = round % 5 == 0 ? 1 + random() % kScanBlock : kScanBlock;
    for (size_t i = 0; i < size; ++i) block[i] = kAlphabet[random() % kAlphabet.size()];
    const StructureMasks masks = scan_structure(block.data(), size, 'u', carry);
    const StructureMasks narrow = scan_structure_narrow(block.data(), size, 'u', narrow_carry);
    ASSERT_EQ(masks.opens, narrow.opens);
    ASSERT_EQ(masks.closes, narrow.closes);
    ASSERT_EQ(masks.letters, narrow.letters);
    ASSERT_EQ(carry.in_string, narrow_carry.in_string);
    ASSERT_EQ(carry.escaped, narrow_carry.escaped);
    ASSERT_EQ(carry.opened, narrow_carry.opened);
  }
}

// What may be left out of the scan inside a string has nothing the scan would see, and little that has nothing stays.
TEST(StructureScan, PlainBytesHaveNoQuoteAndNoBackslash) {
  constexpr size_t kStep = 32;
  std::mt19937_64 random(20261122);
  for (int round = 0; round < 2'000; ++round) {
    std::string text(random() % 300, 'x');
    for (size_t marks = random() % 3; marks > 0 && !text.empty(); --marks) {
      text[random() % text.size()] = random() % 2 == 0 ? '"' : '\\';
    }
    const size_t first = std::min(text.find_first_of("\"\\"), text.size());
    const size_t plain = plain_bytes(text.data(), text.size());
    ASSERT_LE(plain, first) << text;
    ASSERT_GT(plain + kStep, first) << text;
  }
}

}  // namespace
}  // namespace llmgw::accounting
