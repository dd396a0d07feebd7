#include "accounting/cost.h"

#include <gtest/gtest.h>

namespace llmgw::accounting {
namespace {

// Claude Sonnet's list of 2025: $3, $15, $0.30, $3.75, $6.
constexpr Price kSonnet = {.input = 3'000'000'000,
                           .output = 15'000'000'000,
                           .cache_read = 300'000'000,
                           .cache_write = 3'750'000'000,
                           .cache_write_1h = 6'000'000'000};

struct Counts {
  int64_t input = -1, cache_read = -1, cache_write = -1, cache_write_1h = -1, output = -1, reasoning = -1;
};

// -1: unknown.
chat::Usage usage_of(const Counts& counts) {
  const auto known = [](int64_t count) {
    return count < 0 ? std::nullopt : std::optional(static_cast<uint64_t>(count));
  };
  return {known(counts.input),          known(counts.cache_read), known(counts.cache_write),
          known(counts.cache_write_1h), known(counts.output),     known(counts.reasoning)};
}

int64_t cost(const Price& price, const Counts& counts) {
  return cost_of(price, usage_of(counts));
}

TEST(Cost, EveryKindOnce) {
  const Counts usage{
      .input = 100, .cache_read = 2000, .cache_write = 500, .cache_write_1h = 200, .output = 40, .reasoning = 10};
  EXPECT_EQ(cost(kSonnet, usage), 100 * 3000 + 2000 * 300 + 300 * 3750 + 200 * 6000 + 40 * 15000);
}

TEST(Cost, WhatHasNoPriceOfItsOwnCostsWhatItIsAKindOf) {
  const Price price{.input = 2'000'000, .output = 8'000'000};
  EXPECT_EQ(cost(price, {.cache_read = 10, .cache_write = 10, .cache_write_1h = 5}), 40);
  EXPECT_EQ(cost(price, {.output = 10, .reasoning = 4}), 80);
  EXPECT_EQ(cost({.output = 8'000'000, .reasoning = 1'000'000}, {.output = 10, .reasoning = 4}), 6 * 8 + 4);
}

TEST(Cost, IsRoundedOnceAndHalfUp) {
  // $0.02 a million: 20 nano-dollars a token, so nothing is lost...
  EXPECT_EQ(cost({.input = 20'000'000}, {.input = 1}), 20);
  // ... and where something is, then once for the whole call.
  EXPECT_EQ(cost({.input = 500'000, .output = 400'000}, {.input = 1, .output = 1}), 1);
  EXPECT_EQ(cost({.input = 500'000}, {.input = 1}), 1);
  EXPECT_EQ(cost({.input = 499'999}, {.input = 1}), 0);
}

TEST(Cost, NothingOverflowsOrGoesBelowZero) {
  EXPECT_EQ(cost({.input = INT64_MAX}, {.input = INT64_MAX}), INT64_MAX);
  EXPECT_EQ(cost({.input = -5}, {.input = 10}), 0);
  // A provider that says more reasoning than output, or more writes for an hour than writes.
  EXPECT_EQ(cost({.output = 1'000'000}, {.output = 3, .reasoning = 9}), 3);
  EXPECT_EQ(cost({.input = 1'000'000}, {.cache_write = 3, .cache_write_1h = 9}), 3);
  EXPECT_EQ(cost(kSonnet, {}), 0);
  EXPECT_EQ(cost({.request = 7}, {}), 7);
}

// By hand: 60 of the 100 tokens of input are text, 30 sound, 10 pictures; of the 50 of output 10 reason, 25 are sound.
TEST(Cost, SoundAndPicturesHaveTheirOwnPrices) {
  const Price price{.input = 2'000'000'000,
                    .output = 8'000'000'000,
                    .audio_input = 40'000'000'000,
                    .image_input = 10'000'000'000,
                    .audio_output = 80'000'000'000};
  chat::Usage usage;
  usage.input = 100;
  usage.cache_read = 7;
  usage.output = 50;
  usage.reasoning = 10;
  const MediaTokens media{.audio_input = 30, .image_input = 10, .audio_output = 25};
  EXPECT_EQ(cost_of(price, usage, media),
            60 * 2000 + 30 * 40'000 + 10 * 10'000 + 7 * 2000 + 10 * 8000 + 25 * 80'000 + 15 * 8000);
  const Price plain{.input = 2'000'000'000, .output = 8'000'000'000};
  EXPECT_EQ(cost_of(plain, usage, media), cost_of(plain, usage)) << "without a price of their own";
  EXPECT_EQ(cost_of(price, usage, {.audio_input = 500}), 100 * 40'000 + 7 * 2000 + 50 * 8000)
      << "no more than there is, and never twice";
}

}  // namespace
}  // namespace llmgw::accounting
