#include "gateway/call/kept_piece.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::gateway {
namespace {

TEST(KeptPiece, OutlivesWhatItCopied) {
  std::string memory = "data: {}\n\n";
  std::string_view data = memory;
  KeptPiece kept;
  ASSERT_TRUE(kept.keep(data));
  memory.assign(memory.size(), 'x');
  EXPECT_EQ(data, "data: {}\n\n");
}

TEST(KeptPiece, LeavesALargePieceWhereItIs) {
  for (const bool fits : {true, false}) {
    const std::string memory(KeptPiece::kBytesMax + (fits ? 0 : 1), 'x');
    std::string_view data = memory;
    KeptPiece kept;
    EXPECT_EQ(kept.keep(data), fits);
    EXPECT_EQ(data.data() == memory.data(), !fits);
    EXPECT_EQ(data, memory);
  }
}

}  // namespace
}  // namespace llmgw::gateway
