#include "json/tree.h"

#include <gtest/gtest.h>

#include <string>

#include "json/reader.h"

namespace llmgw::json {
namespace {

class Tree : public testing::Test {
 protected:
  Value parse(std::string_view text) {
    auto root = parse_tree(parser_, text, arena_);
    EXPECT_TRUE(root) << text;
    return root ? *root : Value();
  }
  std::string_view problem(std::string_view text) {
    auto root = parse_tree(parser_, text, arena_);
    return root ? std::string_view("none") : root.error().context;
  }

  Parser parser_;
  base::Arena arena_;
};

TEST_F(Tree, AnswersInAnyOrder) {
  const Value root = parse(R"( {"b":[1,{"x":null},"s"],"a":{"k":"v\n","e":{}}, "n":-3.50, "t":true} )");
  EXPECT_EQ(root["n"].number(), "-3.50");
  EXPECT_EQ(root["a"]["k"].string(arena_), "v\n");
  EXPECT_EQ(root["a"]["k"].escaped(), "v\\n");
  EXPECT_EQ(root["a"]["e"].raw(), "{}");
  EXPECT_TRUE(root["a"]["e"].empty());
  EXPECT_EQ(root["b"].raw(), R"([1,{"x":null},"s"])");
  EXPECT_EQ(root["b"].size(), 3U);
  EXPECT_TRUE(root["t"].is_true());
  EXPECT_TRUE(root["b"].first_element().is_number());
  EXPECT_FALSE(root["c"].present());
  EXPECT_TRUE(root["c"].is_unset());
  EXPECT_FALSE(root["c"]["deeper"].present());
  EXPECT_EQ(root["c"].raw(), "");
  std::string kinds;
  for (const Value element : root["b"].elements()) kinds += std::to_string(static_cast<int>(element.kind()));
  EXPECT_EQ(kinds, "302");
  std::string keys;
  for (const Member member : root.members()) keys += member.key(arena_);
  EXPECT_EQ(keys, "bant");
}

TEST_F(Tree, TheLastOfTwoMembersCountsAndKeysAreUnescaped) {
  const Value root = parse(R"({"a":1,"\u0061":2,"b":null,"c":"text"})");
  EXPECT_EQ(root["a"].unsigned_integer(), 2U);
  EXPECT_TRUE(root.any_of("b", "c").equals("text"));
  EXPECT_FALSE(root.any_of("b", "d").present());
}

TEST_F(Tree, Numbers) {
  const Value root = parse("[18446744073709551615, -9223372036854775808, 3.0, 2.5, 1e3, -1, 1e999]");
  std::string seen;
  for (const Value number : root.elements()) {
    const auto whole = number.unsigned_integer();
    const auto with_sign = number.integer();
    seen += (whole ? std::to_string(*whole) : "-") + "/" + (with_sign ? std::to_string(*with_sign) : "-") + " ";
  }
  EXPECT_EQ(seen, "18446744073709551615/- -/-9223372036854775808 3/3 -/- 1000/1000 -/-1 -/- ");
}

TEST_F(Tree, SaysWhatIsNotJson) {
  EXPECT_EQ(problem(R"({"a":)"), "the JSON document ends where a value is expected");
  EXPECT_EQ(problem(R"({"a")"), "expected ':' after a member's name");
  EXPECT_EQ(problem("["), "the JSON document ends where a value is expected");
  EXPECT_EQ(problem("[1"), "the JSON document ends inside a container");
  EXPECT_EQ(problem("{"), "the JSON document ends inside an object");
  EXPECT_EQ(problem("[1]]"), "unexpected text behind the JSON document");
  EXPECT_EQ(problem("[1}"), "expected ',' or the end of a container");
  EXPECT_EQ(problem("[01]"), "expected a value");
  EXPECT_EQ(problem(R"(["\x"])"), "a string of the JSON document has an invalid escape");
  EXPECT_EQ(problem(R"(["\u12g4"])"), "a string of the JSON document has an invalid escape");
  EXPECT_EQ(problem("nul"), "expected a value");
  const std::string deep(kDepthMax + 1, '[');
  EXPECT_EQ(problem(deep), "the JSON document is nested deeper than 256 levels");
}

TEST_F(Tree, ScalarsAtTheRoot) {
  EXPECT_EQ(parse(" \"x\" ").string(arena_), "x");
  EXPECT_EQ(parse("12").unsigned_integer(), 12U);
  EXPECT_TRUE(parse("null").is_unset());
}

}  // namespace
}  // namespace llmgw::json
