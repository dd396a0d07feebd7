#include "gateway/conversion/media_memory.h"

#include <gtest/gtest.h>

#include <optional>

namespace llmgw::gateway {
namespace {

TEST(MediaMemory, IsOfAllCallsTogether) {
  MediaMemory memory;
  std::optional<HeldMedia> first(memory);
  HeldMedia second(memory);
  EXPECT_TRUE(first->take(60, 100));
  EXPECT_TRUE(second.take(30, 100));
  EXPECT_FALSE(second.take(11, 100));
  EXPECT_EQ(memory.held(), 90U) << "nothing of what was refused";
  EXPECT_TRUE(second.take(10, 100));
  first.reset();
  EXPECT_EQ(memory.held(), 40U);
  EXPECT_TRUE(second.take(60, 100));
  EXPECT_EQ(memory.refused(), 1U);
}

}  // namespace
}  // namespace llmgw::gateway
