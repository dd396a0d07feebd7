#include "dialects/counting.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "dialects/codec_test_support.h"

namespace llmgw::dialects {
namespace {

using chat::Dialect;

class CountingTest : public testing::Test {
 protected:
  ReadContext reading(Dialect dialect) {
    return {.parser = parser_, .arena = arena_, .minter = chat::native_minter(dialect)};
  }
  std::string write(Dialect dialect) {
    chat::Warnings warnings(arena_);
    WriteContext context{.parser = parser_, .arena = arena_, .warnings = warnings};
    chat::Target target{.dialect = dialect, .model = "m"};
    std::string out;
    const auto written = find_counting(dialect)->write_request(request_, target, context, out);
    return written ? out : "error: " + std::string(written.error().message);
  }

  json::Parser parser_;
  base::Arena arena_;
  chat::Request request_;
};

TEST_F(CountingTest, EveryDialectReadsWhatItWrites) {
  for (const Dialect dialect :
       {Dialect::anthropic, Dialect::gemini, Dialect::openai_responses, Dialect::bedrock, Dialect::vertex}) {
    const Counting* const counting = find_counting(dialect);
    ASSERT_NE(counting, nullptr);
    std::string answer;
    counting->write_count(42, answer);
    const auto count = counting->read_count(answer, reading(dialect));
    ASSERT_TRUE(count.has_value()) << count.error().message;
    EXPECT_EQ(*count, 42U);
    const auto nothing = counting->read_count("{}", reading(dialect));
    ASSERT_FALSE(nothing.has_value());
    EXPECT_FALSE(nothing.error().message.empty());
    EXPECT_FALSE(counting->read_count("<html>", reading(dialect)).has_value());
  }
  EXPECT_EQ(find_counting(Dialect::openai_chat), nullptr);
  EXPECT_EQ(find_counting(Dialect::cohere), nullptr);
}

// A prompt in each dialect comes out in each other one, without what only matters for the answer.
TEST_F(CountingTest, OnlyThePromptIsSent) {
  struct Row {
    Dialect dialect;
    const char* body;
    const char* written;
  };
  const Row rows[] = {
      {Dialect::anthropic, R"({"model":"m","system":"s","messages":[{"role":"user","content":"hi"}]})",
       R"("messages":[{"role":"user","content":)"},
      {Dialect::gemini, R"({"generateContentRequest":{"model":"models/m","contents":[{"parts":[{"text":"hi"}]}]}})",
       R"({"generateContentRequest":{"model":"models/m",)"},
      {Dialect::openai_responses, R"({"model":"m","instructions":"s","input":"hi"})", R"("input":[)"},
      {Dialect::bedrock, R"({"input":{"converse":{"messages":[{"role":"user","content":[{"text":"hi"}]}]}}})",
       R"({"input":{"converse":{)"},
  };
  for (const Row& from : rows) {
    request_ = {.from = from.dialect};
    const auto read = find_counting(from.dialect)->read_request(from.body, reading(from.dialect), request_);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    ASSERT_FALSE(request_.messages.size() == 0);
    request_.max_tokens = 9;
    request_.temperature = "0.5";
    request_.stop.push(arena_, "x");
    for (const Row& to : rows) {
      const std::string out = write(to.dialect);
      EXPECT_NE(out.find(to.written), std::string::npos) << out;
      EXPECT_NE(out.find("hi"), std::string::npos) << out;
      if (to.dialect == Dialect::gemini) continue;  // its generationConfig is part of the whole request
      for (const char* const left_out : {"max_tokens", "maxTokens", "max_output_tokens", "temperature", "stream"}) {
        EXPECT_EQ(out.find(left_out), std::string::npos) << out;
      }
    }
  }
}

TEST_F(CountingTest, ABlobOfInvokeModel) {
  const std::string inner = R"({"anthropic_version":"bedrock-2023-05-31","messages":[{"role":"user","content":"hi"}]})";
  const std::string body =
      R"({"input":{"invokeModel":{"body":")" + std::string(base::base64_encode(inner, arena_)) + R"("}}})";
  const Counting& bedrock = *find_counting(Dialect::bedrock);
  request_ = {.from = Dialect::bedrock, .model = "m"};
  const auto read = bedrock.read_request(body, reading(Dialect::bedrock), request_);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(request_.from, Dialect::anthropic);
  EXPECT_EQ(request_.messages[0].parts[0].text, "hi");
  for (const char* const broken : {R"({"input":{}})", R"({"input":{"invokeModel":{"body":"!!"}}})",
                                   R"({"input":{"invokeModel":{"body":""}}})", "x"}) {
    chat::Request request{.from = Dialect::bedrock};
    const auto refused = bedrock.read_request(broken, reading(Dialect::bedrock), request);
    ASSERT_FALSE(refused.has_value()) << broken;
    EXPECT_FALSE(refused.error().message.empty());
  }
}

TEST(RefusesToCount, ByStatusAndWords) {
  EXPECT_TRUE(refuses_to_count(404, ""));
  EXPECT_FALSE(
      refuses_to_count(404, "models/x is not found for API version v1beta, or is not supported for countTokens"));
  EXPECT_TRUE(refuses_to_count(501, ""));
  EXPECT_TRUE(refuses_to_count(400, "The provided model doesn't support counting tokens."));
  EXPECT_TRUE(refuses_to_count(400, "The provided model identifier is invalid."));
  EXPECT_FALSE(refuses_to_count(400, "messages: field required"));
  EXPECT_FALSE(refuses_to_count(429, "too many counting tokens"));
  EXPECT_FALSE(refuses_to_count(500, ""));
}

}  // namespace
}  // namespace llmgw::dialects
