#include "control/price_table.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "control/config_loader.h"
#include "control/shipped_prices.h"

namespace llmgw::control {
namespace {

std::vector<PriceConfig> prices(std::string_view text) {
  auto loaded = load_prices(text);
  EXPECT_TRUE(loaded) << (loaded ? "" : format_errors(loaded.error(), "prices"));
  return loaded ? std::move(*loaded) : std::vector<PriceConfig>();
}

int64_t input_price(const PriceTable& table, std::string_view provider, std::string_view model, uint64_t tokens = 0) {
  const auto prices = table.find("some-connection", provider, model);
  const auto* const price = prices.at(tokens);
  return price == nullptr ? -1 : price->input;
}

TEST(Prices, TheShippedListIsValidAndNothingIsThereTwice) {
  const auto shipped = prices(kShippedPrices);
  ASSERT_GT(shipped.size(), 100u);
  std::vector<std::string> names;
  for (const auto& price : shipped) {
    EXPECT_LE(price.cache_read.value_or(price.input), price.input) << price.model;
    EXPECT_GE(price.cache_write.value_or(price.input), price.input) << price.model;
    // What is kept for an hour costs as what is kept for minutes, unless it has a price.
    const auto minutes = price.cache_write.value_or(price.input);
    EXPECT_GE(price.cache_write_1h.value_or(minutes), minutes) << price.model;
    names.push_back(price.provider + " " + price.model + " " + std::to_string(price.above_tokens));
  }
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end()) << *std::ranges::adjacent_find(names);
}

TEST(Prices, AModelIsFoundByTheNamesItHas) {
  const auto table = PriceTable::build({}, shipped_prices());
  EXPECT_EQ(input_price(table, "openai", "gpt-4o"), 2'500'000'000);
  EXPECT_EQ(input_price(table, "openai", "gpt-4o-2024-05-13"), 5'000'000'000);
  EXPECT_EQ(input_price(table, "openai", "gpt-4o-mini-2024-07-18"), 150'000'000);
  const auto sound = table.find("c", "openai", "gpt-4o-audio-preview");
  ASSERT_TRUE(sound.all());
  EXPECT_TRUE(sound.any_of_media());
  EXPECT_EQ(sound.at(0)->audio_input, 40'000'000'000);
  EXPECT_EQ(sound.at(0)->audio_output, 80'000'000'000);
  EXPECT_EQ(input_price(table, "openai", "gpt-4o-search-preview"), -1) << "searches are priced apart, so not known";
  EXPECT_EQ(input_price(table, "bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"), 3'000'000'000);
  EXPECT_EQ(input_price(table, "vertex", "claude-opus-4-1@20250805"), 15'000'000'000);
  EXPECT_EQ(input_price(table, "anthropic", "claude-opus-4-5"), 5'000'000'000);
  EXPECT_EQ(input_price(table, "anthropic", "claude-opus-5-5"), 4'000'000'000);
  EXPECT_EQ(input_price(table, "openai", "gpt-5.1"), 1'250'000'000);
  EXPECT_EQ(input_price(table, "openai", "gpt-5.1-2025-11-13"), 1'250'000'000);
  EXPECT_EQ(input_price(table, "openai", "gpt-5.4-mini"), 750'000'000);
  EXPECT_EQ(input_price(table, "openai", "gpt-5.6-sol"), -1) << "its price was promised for a time that is over";
  EXPECT_EQ(input_price(table, "openai", "gpt-5.4-pro"), -1) << "not the price of another model";
  EXPECT_EQ(input_price(table, "vllm", "gpt-4o"), -1) << "an engine that calls its model so is not OpenAI";
}

// Half of the standard price, whatever a list says that is kept by hand.
TEST(Prices, BatchesCostHalf) {
  const auto all = prices(kShippedPrices);
  const auto standard = PriceTable::build({}, all);
  size_t batches = 0;
  for (const auto& price : all) {
    if (!price.provider.ends_with(":batch")) continue;
    ++batches;
    const auto same = std::ranges::find_if(all, [&](const PriceConfig& each) {
      return each.provider + ":batch" == price.provider && each.model == price.model &&
             each.above_tokens == price.above_tokens;
    });
    ASSERT_NE(same, all.end()) << price.model;
    EXPECT_EQ(2 * price.input.nano, same->input.nano) << price.model;
    EXPECT_EQ(2 * price.output.nano, same->output.nano) << price.model;
    if (price.cache_read) EXPECT_EQ(2 * price.cache_read->nano, same->cache_read->nano) << price.model;
    EXPECT_EQ(price.cache_write.has_value(), same->cache_write.has_value()) << price.model;
    if (price.cache_write) EXPECT_EQ(2 * price.cache_write->nano, same->cache_write->nano) << price.model;
    if (price.cache_write_1h) EXPECT_EQ(2 * price.cache_write_1h->nano, same->cache_write_1h->nano) << price.model;
  }
  EXPECT_GT(batches, 80u);
  EXPECT_EQ(input_price(standard, "openai:batch", "gpt-4o-mini-2024-07-18"), 75'000'000);
  EXPECT_EQ(input_price(standard, "anthropic:batch", "claude-opus-4-5-20251101"), 2'500'000'000);
  EXPECT_EQ(input_price(standard, "azure:batch", "gpt-4o"), -1);
}

TEST(Prices, ByTheLengthOfThePrompt) {
  const auto table = PriceTable::build({}, shipped_prices());
  EXPECT_EQ(input_price(table, "google", "gemini-2.5-pro", 200'000), 1'250'000'000);
  EXPECT_EQ(input_price(table, "google", "gemini-2.5-pro", 200'001), 2'500'000'000);
  EXPECT_EQ(input_price(table, "openai", "gpt-6-sol", 272'000), 2'000'000'000);
  EXPECT_EQ(input_price(table, "openai", "gpt-6-sol", 272'001), 4'000'000'000);
}

TEST(Prices, TheOperatorsComeFirst) {
  const auto own = prices(R"(
[[prices]]
provider = "*"
model = "*"
input = "1"
output = "1"
[[prices]]
provider = "openai"
model = "gpt-*"
input = "2"
output = "2"
[[prices]]
provider = "some-connection"
model = "gpt-4o*"
input = "3"
output = "3"
)");
  const auto table = PriceTable::build(own, shipped_prices());
  EXPECT_EQ(input_price(table, "openai", "gpt-4o"), 3'000'000'000);
  EXPECT_EQ(table.find("other", "openai", "gpt-4o").at(0)->input, 2'000'000'000);
  EXPECT_EQ(table.find("other", "anthropic", "claude-opus-4-5").at(0)->input, 1'000'000'000);
}

TEST(Prices, ATierIsForLongPromptsOnly) {
  const auto table = PriceTable::build(prices("[[prices]]\nprovider = \"p\"\nmodel = \"m\"\nabove_tokens = 100\n"
                                              "input = \"2\"\noutput = \"2\"\n[[prices]]\nprovider = \"p\"\n"
                                              "model = \"m\"\ninput = \"1\"\noutput = \"1\"\n"),
                                       {});
  EXPECT_EQ(input_price(table, "p", "m", 100), 1'000'000'000);
  EXPECT_EQ(input_price(table, "p", "m", 101), 2'000'000'000);
}

// Shorter prompts cost what the next entry that fits says, or nobody knows.
TEST(Prices, AnEntryOfLongPromptsAloneSaysNothingOfShortOnes) {
  const auto entry = [](std::string_view provider, std::string_view model, int above, int input) {
    return "[[prices]]\nprovider = \"" + std::string(provider) + "\"\nmodel = \"" + std::string(model) +
           "\"\nabove_tokens = " + std::to_string(above) + "\ninput = \"" + std::to_string(input) +
           "\"\noutput = \"1\"\n";
  };
  const auto table =
      PriceTable::build(prices(entry("some-connection", "m-1", 100, 5) + entry("p", "m-*", 50, 4) +
                               entry("p", "m*", 0, 3) + entry("p", "m*", 200, 9) + entry("p", "lone", 100, 7)),
                        prices(entry("p", "shipped", 0, 1)));
  EXPECT_EQ(input_price(table, "p", "m-1", 50), 3'000'000'000);
  EXPECT_EQ(input_price(table, "p", "m-1", 51), 4'000'000'000);
  EXPECT_EQ(input_price(table, "p", "m-1", 101), 5'000'000'000);
  EXPECT_EQ(input_price(table, "p", "m-1", 201), 5'000'000'000) << "the closest that has one";
  EXPECT_TRUE(table.find("some-connection", "p", "m-1").all());
  EXPECT_EQ(input_price(table, "p", "lone", 100), -1);
  EXPECT_EQ(input_price(table, "p", "lone", 101), 7'000'000'000);
  EXPECT_TRUE(table.find("some-connection", "p", "lone").any());
  EXPECT_FALSE(table.find("some-connection", "p", "lone").all());
  const auto over_shipped =
      PriceTable::build(prices(entry("p", "shipped", 100, 2)), prices(entry("p", "shipped", 0, 1)));
  EXPECT_EQ(input_price(over_shipped, "p", "shipped", 100), 1'000'000'000);
  EXPECT_EQ(input_price(over_shipped, "p", "shipped", 101), 2'000'000'000);
}

}  // namespace
}  // namespace llmgw::control
