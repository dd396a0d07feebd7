// Where the good events of a stream end before one that cannot be JSON.
#include <gtest/gtest.h>

#include "gateway/call/stream_ending.h"

namespace llmgw::gateway {
namespace {

constexpr std::string_view kGood = "data: {\"a\":1}\n\n";
constexpr std::string_view kBad = "data: {\"broken\": \n\n";
constexpr auto kDialect = chat::Dialect::openai_chat;

TEST(BytesBeforeMalformed, WhatIsGoodGoesOut) {
  const std::string events = std::string(kGood) + std::string(kGood) + std::string(kBad) + std::string(kGood);
  EXPECT_EQ(bytes_before_malformed(events, true, kDialect), 2 * kGood.size());
  EXPECT_EQ(bytes_before_malformed(kBad, true, kDialect), 0U);
}

TEST(BytesBeforeMalformed, TheRestOfAnEventThatHasBegunGoesOutIfItIsGood) {
  const std::string_view rest = "1}\n\n";
  EXPECT_EQ(bytes_before_malformed(std::string(rest) + std::string(kBad), false, kDialect), rest.size());
}

// Nothing can be put into the middle of an event: the connection has to break.
TEST(BytesBeforeMalformed, OneWhoseBeginningHasGoneOutIsNotToBeMended) {
  EXPECT_EQ(bytes_before_malformed("\"broken\": \n\n", false, kDialect), std::nullopt);
  EXPECT_EQ(bytes_before_malformed("\"broken\": \n\n" + std::string(kGood), false, kDialect), std::nullopt);
}

TEST(BytesBeforeMalformed, AnEventThatIsOpenIsBadFromItsFirstByte) {
  EXPECT_EQ(bytes_before_malformed(std::string(kGood) + "data: <ht", true, kDialect), kGood.size());
}

}  // namespace
}  // namespace llmgw::gateway
