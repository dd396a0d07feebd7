#include "accounting/text_scanner.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::accounting {
namespace {

using chat::Dialect;

uint64_t count(Dialect dialect, std::string_view stream, size_t step) {
  TextScanner scanner(dialect);
  for (size_t at = 0; at < stream.size(); at += step) scanner.feed(stream.substr(at, step));
  return scanner.bytes();
}

struct Case {
  const char* name;
  Dialect dialect;
  uint64_t bytes;
  std::string_view stream;
};

class TextScannerTest : public testing::TestWithParam<Case> {};

TEST_P(TextScannerTest, CountsWhateverTheCuts) {
  const Case& each = GetParam();
  for (const size_t step : {size_t{1}, size_t{2}, size_t{7}, size_t{16}, size_t{17}, size_t{100}, each.stream.size()}) {
    EXPECT_EQ(count(each.dialect, each.stream, step), each.bytes) << step;
  }
}

// In every protocol: a thought of 5 bytes, a text of 17 and arguments of 7.
constexpr Case kSame[] = {
    {"chat", Dialect::openai_chat, 29,
     R"(data: {"id":"text","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":{"content":[]}}]}

data: {"choices":[{"delta":{"reasoning_content":"Hm, a","reasoning":"Hm, a"}}]}

data: {"choices":[{"delta":{"content": "say \"content\":\"x\""}}]}

data: {"choices":[{"delta":{"content":null,"tool_calls":[{"function":{"name":"content","arguments":"{\"a\":1}"}}]}}]}

data: [DONE]

)"},
    {"responses", Dialect::openai_responses, 29,
     R"(event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","delta":"Hm, a","obfuscation":"a8sd7"}

data: {"type":"response.output_text.delta","delta":"say \"content\":\"x\""}

data: {"type":"response.output_text.done","text":"say \"content\":\"x\""}

data: {"type":"response.function_call_arguments.delta","delta":"{\"a\":1}"}

data: {"type":"response.function_call_arguments.done","arguments":"{\"a\":1}"}

)"},
    {"messages", Dialect::anthropic, 29,
     R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm, a"}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCgIYAhIM"}}

data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"say \"content\":\"x\""}}

data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}

)"},
    {"gemini", Dialect::gemini, 29,
     R"([{
  "candidates": [{"content": {"parts": [{"text": "Hm, a", "thought": true}, {"text" : "say \"content\":\"x\""}]}}]
},
{"candidates": [{"content": {"parts": [{"functionCall": {"name": "text", "args": {
  "a": 1
}}}, {"inlineData": {"data": "AAAA"}}]}}]}])"},
    {"converse", Dialect::bedrock, 29,
     R"({"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Hm, a"}}}{"delta":{"text":"say \"content\":\"x\""}})"
     R"({"delta":{"toolUse":{"input":"{\"a\":1}"}},"p":"abcdef"})"},
    {"cohere", Dialect::cohere, 29,
     R"(data: {"type":"content-delta","delta":{"message":{"content":{"thinking":"Hm, a"}}}}

data: {"type":"content-delta","delta":{"message":{"content":{"text":"say \"content\":\"x\""}}}}

data: {"type":"tool-call-delta","delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\":1}"}}}}}

)"},
};
INSTANTIATE_TEST_SUITE_P(SameText, TextScannerTest, testing::ValuesIn(kSame),
                         [](const auto& each) { return std::string(each.param.name); });

constexpr Case kOthers[] = {
    {"escapes", Dialect::openai_completions, 1 + 1 + 2 + 3 + 4,
     R"({"choices":[{"text":"\n\u0041\u00e9\u4E2D\ud83d\ude00"}]})"},
    {"utf8", Dialect::openai_completions, 9, R"({"choices":[{"text":"日本語"}]})"},
    {"object_with_brackets_in_texts", Dialect::gemini, 27, R"({"args": { "a": "} \"{ ", "b": {"c": []}}})"},
    {"text_that_names", Dialect::openai_chat, 9, R"({"delta":{"content":"\"content\""},"x":["content","content"]})"},
    {"mistrals_list", Dialect::openai_chat, 2 + 3,
     R"({"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]}]}{"content":"yes"})"},
};
INSTANTIATE_TEST_SUITE_P(Others, TextScannerTest, testing::ValuesIn(kOthers),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(TextScanner, SeesWhatMayBeAnError) {
  struct Sign {
    std::string_view stream;
    bool says;
  };
  const Sign signs[] = {
      {R"(data: {"error":{"message":"no"}})", true},
      {R"(data: {"error" : "no"})", true},
      {"event: error\ndata: {\"type\":\"error\",\"message\":\"no\"}\n\n", true},
      {R"({"object": "error"})", true},
      {R"({"response":{"error":null,"id":"x"}})", false},
      {R"({"response":{"error": null,"id":"x"}})", false},
      {R"({"choices":[{"delta":{"content":"{\"error\":1}"}}]})", false},
      {R"({"errors":[],"x":"an error"})", false},
  };
  for (const Sign& sign : signs) {
    for (const Dialect dialect :
         {Dialect::openai_chat, Dialect::openai_responses, Dialect::anthropic, Dialect::gemini}) {
      for (const size_t step : {size_t{1}, size_t{2}, size_t{7}, size_t{1000}}) {
        TextScanner scanner(dialect);
        for (size_t at = 0; at < sign.stream.size(); at += step) scanner.feed(sign.stream.substr(at, step));
        EXPECT_EQ(scanner.says_error(), sign.says) << sign.stream << " by " << step;
      }
    }
  }
}

TEST(TextScanner, SeesTheReasonForAnEnd) {
  struct Sign {
    Dialect dialect;
    std::string_view stream;
    bool finished;
  };
  const Sign signs[] = {
      {Dialect::openai_chat, R"({"choices":[{"delta":{},"finish_reason":"stop"}]})", true},
      {Dialect::azure, R"({"choices":[{"delta":{}, "finish_reason" : "length"}]})", true},
      {Dialect::openai_completions, R"({"choices":[{"text":"x","finish_reason":"stop"}]})", true},
      {Dialect::openai_chat, R"({"choices":[{"delta":{},"finish_reason":null}]})", false},
      {Dialect::openai_chat, R"({"choices":[{"delta":{},"finish_reason":""}]})", false},
      {Dialect::openai_chat, R"({"choices":[{"delta":{"content":"\"finish_reason\":\"stop\""}}]})", false},
      {Dialect::openai_chat, R"({"required":["finish_reason","stop"]})", false},
      {Dialect::gemini, R"({"candidates":[{"finishReason":"STOP"}]})", true},
      {Dialect::vertex, R"({"candidates":[{"finish_reason": 1}]})", true},
      {Dialect::gemini, R"({"candidates":[{"finishReason":0}]})", false},
      {Dialect::gemini, R"({"promptFeedback":{"blockReason":"SAFETY"}})", true},
      {Dialect::gemini, R"({"functionCall":{"args":{"finishReason":"STOP"}}})", false},
      {Dialect::anthropic, R"({"finish_reason":"stop"})", false},
  };
  for (const Sign& sign : signs) {
    for (const size_t step : {size_t{1}, size_t{2}, size_t{7}, size_t{1000}}) {
      TextScanner scanner(sign.dialect);
      for (size_t at = 0; at < sign.stream.size(); at += step) scanner.feed(sign.stream.substr(at, step));
      EXPECT_EQ(scanner.finished(), sign.finished) << sign.stream << " by " << step;
    }
  }
}

TEST(TextScanner, ADamagedPayloadDoesNotReachTheNext) {
  TextScanner scanner(Dialect::bedrock);
  scanner.feed(R"({"delta":{"text":"abc)");
  scanner.next_document();
  scanner.feed(R"({"p":"xyz","delta":{"text":"de"}})");
  EXPECT_EQ(scanner.bytes(), 5u);
}

}  // namespace
}  // namespace llmgw::accounting
