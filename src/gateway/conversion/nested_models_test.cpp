#include "gateway/conversion/nested_models.h"

#include <gtest/gtest.h>

namespace llmgw::gateway {
namespace {

struct Case {
  std::string_view body;
  std::string_view expected;  // empty: refused
};

TEST(NestedModels, AreReplacedWhereGeminiReadsThem) {
  constexpr Case kCases[] = {
      {R"({"contents":[{"parts":[{"text":"a"}]}]})", R"({"contents":[{"parts":[{"text":"a"}]}]})"},
      {R"({"model":"models/alias","content":{}})", R"({"model":"models/real","content":{}})"},
      {R"({"requests":[{"model":"models/alias","content":{"model":"kept"}},{"model": "models/alias"}]})",
       R"({"requests":[{"model":"models/real","content":{"model":"kept"}},{"model": "models/real"}]})"},
      {R"({"generateContentRequest":{"model":"models/alias","contents":[{"parts":[{"text":"\"model\":\"x\""}]}]}})",
       R"({"generateContentRequest":{"model":"models/real","contents":[{"parts":[{"text":"\"model\":\"x\""}]}]}})"},
      {R"({"requests":[1,"model",{"requests":[{"model":"kept"}]}]})",
       R"({"requests":[1,"model",{"requests":[{"model":"kept"}]}]})"},
      {R"({"model":5})", R"({"model":5})"},
      {R"({"model":"models/alias")", ""},
      {R"([1])", ""},
  };
  for (const Case& c : kCases) {
    json::Parser parser;
    base::Arena arena;
    const auto result = replace_nested_models(parser, c.body, "real", arena);
    EXPECT_EQ(result.value_or(""), c.expected) << c.body;
  }
}

}  // namespace
}  // namespace llmgw::gateway
