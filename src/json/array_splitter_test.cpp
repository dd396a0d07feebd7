#include "json/array_splitter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "json/reader.h"

namespace llmgw::json {
namespace {

class Log final : public ElementSink {
 public:
  void element(std::string_view json) override { elements.emplace_back(json); }
  std::vector<std::string> elements;
};

struct Case {
  const char* name;
  std::string text;
  std::vector<std::string> elements;
  const char* error = "";  // of feed or finish
};

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases{
      {"gemini", "[{\"a\": \"x\"}\r\n,\r\n{\"b\": [1, {}]}]\r\n", {"{\"a\": \"x\"}", "{\"b\": [1, {}]}"}},
      {"empty", " [ ] ", {}},
      {"brackets_in_strings", R"([{"a":"]}\"[{,\\"},"x]"])", {R"({"a":"]}\"[{,\\"})", R"("x]")"}},
      {"scalars", "[1, true ,null,\"s\",[2]]", {"1", "true", "null", "\"s\"", "[2]"}},
      {"utf8", "[\"\xF0\x9F\x98\x80\"]", {"\"\xF0\x9F\x98\x80\""}},
      {"one_object", "{\"error\":{\"code\":500}}\n", {"{\"error\":{\"code\":500}}"}},
      {"cut_in_element", "[{\"a\":1},{\"b\"", {"{\"a\":1}"}, "json array: cut before its end"},
      {"cut_behind_element", "[{\"a\":1}", {"{\"a\":1}"}, "json array: cut before its end"},
      {"cut_in_string", "[\"a", {}, "json array: cut before its end"},
      {"nothing", "", {}, "json array: cut before its end"},
      {"html", "<html>", {}, "json array: the document is no array"},
      {"no_comma", "[{} {}]", {"{}"}, "json array: a comma was expected"},
      {"two_commas", "[{},,{}]", {"{}"}, "json array: an element was expected"},
      {"trailing_comma", "[{},]", {"{}"}, "json array: an element was expected"},
      {"garbage_behind", "[{}]x", {"{}"}, "json array: more behind its end"},
      {"second_object", "{}{}", {"{}"}, "json array: more behind its end"},
  };
  return kCases;
}

// As many bytes at once as `step`.
std::string split(const std::string& text, size_t step, Log& log) {
  ArraySplitter splitter;
  for (size_t i = 0; i < text.size(); i += step) {
    const auto fed = splitter.feed(std::string_view(text).substr(i, step), log);
    if (!fed) {
      EXPECT_FALSE(splitter.feed("[", log)) << "errors stick";
      return fed.error().context;
    }
  }
  const auto end = splitter.finish();
  EXPECT_EQ(end.has_value(), splitter.complete());
  return end ? "" : end.error().context;
}

TEST(ArraySplitter, AnySplitGivesTheSame) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    for (size_t step = 1; step <= c.text.size() + 1; ++step) {
      Log log;
      EXPECT_EQ(split(c.text, step, log), c.error) << step;
      EXPECT_EQ(log.elements, c.elements) << step;
    }
  }
}

TEST(ArraySplitter, DepthIsBounded) {
  Log log;
  EXPECT_EQ(split("[" + std::string(kDepthMax, '[') + std::string(kDepthMax, ']') + "]", 7, log), "");
  EXPECT_EQ(split("[" + std::string(kDepthMax + 1, '['), 7, log), "json array: an element is nested too deep");
}

TEST(ArraySplitter, SizeIsBounded) {
  ArraySplitter splitter;
  Log log;
  const std::string block(size_t{1} << 20, 'x');
  ASSERT_TRUE(splitter.feed("[\"", log));
  base::Result<void> fed;
  size_t blocks = 0;
  while ((fed = splitter.feed(block, log)) && blocks < 100) ++blocks;
  EXPECT_EQ(fed.error().code, base::ErrorCode::too_large);
  EXPECT_EQ(blocks, (ArraySplitter::kElementBytesMax >> 20) - 1);
}

}  // namespace
}  // namespace llmgw::json
