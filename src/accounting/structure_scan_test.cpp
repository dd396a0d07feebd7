#include "accounting/structure_scan.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
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

}  // namespace
}  // namespace llmgw::accounting
