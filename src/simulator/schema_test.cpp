#include "simulator/schema.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace llmgw::simulator {
namespace {

boost::json::value example(std::string_view schema, uint64_t seed = 1) {
  return boost::json::parse(example_for_schema(schema, seed));
}

TEST(Schema, FillsEveryProperty) {
  const auto made = example(R"({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer",
      "minimum":30,"maximum":40},"unit":{"enum":["C","F"]},"near":{"type":"array","items":{"type":"number"}},
      "exact":{"type":"boolean"},"nothing":{"type":"null"}},"required":["city"]})");
  EXPECT_TRUE(made.at("city").is_string());
  EXPECT_GE(made.at("days").as_int64(), 30);
  EXPECT_LE(made.at("days").as_int64(), 40);
  EXPECT_TRUE(made.at("unit").as_string() == "C" || made.at("unit").as_string() == "F");
  EXPECT_EQ(made.at("near").as_array().size(), 1u);
  EXPECT_TRUE(made.at("exact").is_bool());
  EXPECT_TRUE(made.at("nothing").is_null());
}

TEST(Schema, KeepsRangesForManySeeds) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    EXPECT_EQ(example(R"({"type":"integer","minimum":7,"maximum":12,"multipleOf":5})", seed).as_int64(), 10);
    const double number = example(R"({"type":"number","minimum":0.1,"maximum":0.2})", seed).to_number<double>();
    EXPECT_TRUE(number >= 0.1 && number <= 0.2) << number;
    EXPECT_EQ(example(R"({"type":"integer","maximum":-3})", seed).as_int64(), -3);
    EXPECT_GT(example(R"({"type":"integer","exclusiveMinimum":100})", seed).as_int64(), 100);
    const size_t length = example(R"({"type":"string","minLength":20,"maxLength":22})", seed).as_string().size();
    EXPECT_TRUE(length >= 20 && length <= 22);
    EXPECT_LE(example(R"({"type":"string","maxLength":3})", seed).as_string().size(), 3u);
  }
}

TEST(Schema, FollowsReferencesAndEndsRecursion) {
  const auto made = example(R"({"$defs":{"node":{"type":"object","properties":{"name":{"type":"string"},
      "next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["name","next"]}},
      "$ref":"#/$defs/node"})");
  EXPECT_TRUE(made.at("next").is_object());
  const auto endless = example(R"({"type":"object","properties":{"self":{"$ref":"#"}},"required":["self"]})");
  EXPECT_TRUE(endless.is_object());
  const auto doubling = example_for_schema(R"({"type":"object","properties":{"a":{"$ref":"#"},"b":{"$ref":"#"}},
      "required":["a","b"]})",
                                           1);
  EXPECT_TRUE(boost::json::parse(doubling).is_object());
  EXPECT_LT(doubling.size(), 100'000u);
}

TEST(Schema, KnowsCombinationsAndForeignSpellings) {
  EXPECT_TRUE(example(R"({"anyOf":[{"type":"null"},{"type":"integer"}]})").is_int64());
  EXPECT_TRUE(example(R"({"type":["null","string"]})").is_string());
  EXPECT_TRUE(example(R"({"type":"OBJECT","properties":{"a":{"type":"STRING"}}})").at("a").is_string());
  EXPECT_EQ(example(R"({"type":"ARRAY","items":{"type":"INTEGER"},"minItems":"3"})").as_array().size(), 3u);
  EXPECT_EQ(example(R"({"const":{"a":[1,2]}})").at("a").as_array().size(), 2u);
  const auto all = example(R"({"allOf":[{"properties":{"a":{"type":"integer"}}},{"properties":{"b":{"const":2}}}]})");
  EXPECT_TRUE(all.at("a").is_int64());
  EXPECT_EQ(all.at("b").as_int64(), 2);
  EXPECT_EQ(example(R"({"type":"string","format":"date"})").as_string(), "2026-01-02");
  EXPECT_EQ(example(R"({"type":"object","required":["unseen"]})").as_object().size(), 1u);
}

TEST(Schema, AnythingElseIsAnEmptyObject) {
  EXPECT_EQ(example_for_schema("", 1), "{}");
  EXPECT_EQ(example_for_schema("{}", 1), "{}");
  EXPECT_EQ(example_for_schema("not json", 1), "{}");
  EXPECT_EQ(example_for_schema("[1]", 1), "{}");
}

}  // namespace
}  // namespace llmgw::simulator
