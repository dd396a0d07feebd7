// Answers of which a filter has left nothing, in every API's words.
#include <gtest/gtest.h>

#include <string>

#include "gateway/conversion/transcoder.h"
#include "gateway/failover/first_error.h"

namespace llmgw::gateway {
namespace {

using chat::Dialect;
using chat::Framing;

struct Case {
  std::string_view name;
  Dialect dialect;
  Framing framing;
  std::string_view body;
  bool withheld;
};

const Case kCases[] = {
    {"a document of OpenAI's", Dialect::openai_chat, Framing::json,
     R"({"id":"1","choices":[{"index":0,"finish_reason":"content_filter","message":{"role":"assistant","content":""}}]})",
     true},
    {"one of Azure's, without a message", Dialect::azure, Framing::json,
     R"({"id":"1","choices":[{"index":0,"finish_reason":"content_filter","content_filter_results":{}}]})", true},
    {"one with a beginning", Dialect::openai_chat, Framing::json,
     R"({"id":"1","choices":[{"index":0,"finish_reason":"content_filter","message":{"role":"assistant","content":"I"}}]})",
     false},
    {"an empty one", Dialect::openai_chat, Framing::json,
     R"({"id":"1","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":""}}]})", false},
    {"a stream of Azure's", Dialect::azure, Framing::sse,
     "data: {\"id\":\"\",\"choices\":[],\"prompt_filter_results\":[]}\n\n"
     "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
     "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\n"
     "data: [DONE]\n\n",
     true},
    {"one that had begun", Dialect::openai_chat, Framing::sse,
     "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"I\"}}]}\n\n"
     "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\n"
     "data: [DONE]\n\n",
     false},
    {"a call that had begun", Dialect::openai_chat, Framing::sse,
     "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"type\":"
     "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n"
     "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\n"
     "data: [DONE]\n\n",
     false},
    {"a document of the Responses API", Dialect::openai_responses, Framing::json,
     R"({"id":"resp_1","object":"response","status":"incomplete","incomplete_details":{"reason":"content_filter"},)"
     R"("output":[]})",
     true},
    {"a prompt that Gemini blocks", Dialect::gemini, Framing::json,
     R"({"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":9}})", true},
    {"an answer that Gemini blocks", Dialect::vertex, Framing::json,
     R"({"candidates":[{"finishReason":"SAFETY","index":0}],"usageMetadata":{"promptTokenCount":9}})", true},
    {"a stream that Gemini blocks", Dialect::gemini, Framing::sse,
     "data: {\"candidates\":[{\"finishReason\":\"SAFETY\",\"index\":0}]}\n\n", true},
    {"an array that Gemini blocks", Dialect::gemini, Framing::json_array,
     R"([{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":9}}])", true},
    {"a document that Claude declines", Dialect::anthropic, Framing::json,
     R"({"id":"m","type":"message","role":"assistant","model":"c","content":[],"stop_reason":"refusal",)"
     R"("usage":{"input_tokens":9,"output_tokens":0}})",
     true},
    {"a stream that Claude declines", Dialect::anthropic, Framing::sse,
     "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":"
     "\"assistant\",\"model\":\"c\",\"content\":[],\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n"
     "event: ping\ndata: {\"type\":\"ping\"}\n\n"
     "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\"},\"usage\":"
     "{\"output_tokens\":1}}\n\n"
     "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
     true},
    {"Bedrock's guardrail", Dialect::bedrock, Framing::json,
     R"({"output":{"message":{"role":"assistant","content":[]}},"stopReason":"guardrail_intervened",)"
     R"("usage":{"inputTokens":9,"outputTokens":0,"totalTokens":9},"metrics":{"latencyMs":1}})",
     true},
    {"Bedrock's filter", Dialect::bedrock, Framing::json,
     R"({"output":{"message":{"role":"assistant","content":[]}},"stopReason":"content_filtered",)"
     R"("usage":{"inputTokens":9,"outputTokens":0,"totalTokens":9},"metrics":{"latencyMs":1}})",
     true},
};

class Withheld : public testing::Test {
 protected:
  Transcoder::Sides reading(Dialect dialect, Framing framing) {
    const dialects::Codec& codec = *dialects::find_codec(dialect);
    return {.provider = codec,
            .client = codec,
            .read = context(),
            .write = {.parser = writer_parser_, .arena = arena_, .request_id = {}, .model = {}},
            .upstream_framing = framing,
            .only_read = true};
  }
  dialects::ReadContext context() { return {.parser = parser_, .arena = arena_, .id_seed = "seed"}; }

 private:
  json::Parser parser_;
  json::Parser writer_parser_;
  base::Arena arena_;
};

TEST_F(Withheld, IsKnownInEveryApi) {
  for (const Case& c : kCases) {
    for (const size_t step : {c.body.size(), size_t{7}}) {
      Transcoder transcoder(reading(c.dialect, c.framing));
      for (size_t at = 0; at < c.body.size(); at += step) transcoder.feed(c.body.substr(at, step));
      transcoder.finish();
      EXPECT_EQ(transcoder.withheld(), c.withheld) << c.name;
      EXPECT_TRUE(transcoder.output().empty()) << c.name << ": nobody is to get it";
    }
  }
}

TEST_F(Withheld, WhatAStreamBeginsWithAsAnErrorIsRead) {
  struct Error {
    Dialect dialect;
    Framing framing;
    std::string_view beginning;
  };
  const Error errors[] = {
      {Dialect::openai_chat, Framing::sse,
       "data: {\"error\": {\"object\": \"error\", \"message\": \"The input (9000 tokens) is longer than the model's "
       "context length (8192 tokens).\", \"type\": \"BadRequestError\", \"param\": null, \"code\": 400}}\n\n"},
      {Dialect::anthropic, Framing::sse,
       "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is "
       "too long: 9 tokens > 8 maximum\"}}\n\n"},
      {Dialect::anthropic, Framing::sse,
       "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"BadRequestError\",\"code\":400,\"message\":"
       "\"Input length (9) exceeds model's maximum context length (8).\"}}\n\n"},
      {Dialect::gemini, Framing::json_array,
       R"([{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"The input token count (9) exceeds the maximum )"
       R"(number of tokens allowed (8)."}}])"},
      {Dialect::openai_chat, Framing::json,
       R"({"error":{"code":400,"message":"no","type":"exceed_context_size_error"}})"},
  };
  for (const Error& c : errors) {
    const auto error = first_error(*dialects::find_codec(c.dialect), c.framing, c.beginning, context());
    ASSERT_TRUE(error) << c.beginning;
    EXPECT_EQ(error->code, "context_length_exceeded") << c.beginning;
  }
}

}  // namespace
}  // namespace llmgw::gateway
