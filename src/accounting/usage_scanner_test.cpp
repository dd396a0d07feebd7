#include "accounting/usage_scanner.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "base/rng.h"

namespace llmgw::chat {

void PrintTo(const Usage& usage, std::ostream* out) {
  const auto print = [out](const char* name, const std::optional<uint64_t>& value) {
    if (value) *out << name << "=" << *value << " ";
  };
  print("input", usage.input);
  print("cache_read", usage.cache_read);
  print("cache_write", usage.cache_write);
  print("cache_write_1h", usage.cache_write_1h);
  print("output", usage.output);
  print("reasoning", usage.reasoning);
}

}  // namespace llmgw::chat

namespace llmgw::accounting {
namespace {

using chat::Dialect;
using chat::Framing;
using chat::Usage;

struct Case {
  const char* name;
  Dialect dialect;
  Framing framing;
  std::string text;
  Usage usage;
};

Usage make(std::optional<uint64_t> input, std::optional<uint64_t> output, std::optional<uint64_t> cache_read = {},
           std::optional<uint64_t> cache_write = {}, std::optional<uint64_t> reasoning = {},
           std::optional<uint64_t> cache_write_1h = {}) {
  return {.input = input,
          .cache_read = cache_read,
          .cache_write = cache_write,
          .cache_write_1h = cache_write_1h,
          .output = output,
          .reasoning = reasoning};
}

const Case kCases[] = {
    {"chat", Dialect::openai_chat, Framing::json,
     R"({"id":"chatcmpl-1","choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":20,"completion_tokens":7,"total_tokens":27,"prompt_tokens_details":{"cached_tokens":12,"audio_tokens":1},"completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":0}}})",
     make(8, 7, 12, {}, 5)},
    {"xAI's reasoning stands beside the completion", Dialect::openai_chat, Framing::json,
     R"({"usage":{"prompt_tokens":12,"completion_tokens":2,"total_tokens":334,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":320}}})",
     make(10, 322, 2, {}, 320)},
    {"chat, spaced and indented", Dialect::openai_chat, Framing::json,
     "{\n  \"usage\" :\n {\n \"prompt_tokens\" : 20 ,\n \"completion_tokens\":\t7\n }\n}", make(20, 7)},
    {"chat stream", Dialect::openai_chat, Framing::sse,
     "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":null}\n\ndata: "
     "{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n",
     make(3, 4)},
    {"usage on every chunk, the last wins", Dialect::openai_chat, Framing::sse,
     "data: {\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\ndata: "
     "{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n",
     make(3, 2)},
    {"a text that speaks of usage", Dialect::openai_chat, Framing::json,
     R"({"choices":[{"message":{"content":"{\"usage\":{\"prompt_tokens\":999}}\\"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}})",
     make(1, 2)},
    {"nothing but a text that speaks of usage",
     Dialect::openai_chat,
     Framing::json,
     R"({"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":999}"}}]})",
     {}},
    {"a string whose value is usage", Dialect::openai_chat, Framing::json,
     R"({"a":"usage","b":["usage"],"usage":{"prompt_tokens":1}})", make(1, {})},
    {"deeper members called usage",
     Dialect::openai_chat,
     Framing::json,
     R"({"a":{"usage":{"prompt_tokens":9}},"b":[{"usage":{"prompt_tokens":9}}]})",
     {}},
    {"braces and quotes in strings", Dialect::openai_chat, Framing::json,
     R"({"a":"}}]\"}{","b\\":"\\","c":["]"],"usage":{"prompt_tokens":1}})", make(1, {})},
    {"similar names",
     Dialect::openai_chat,
     Framing::json,
     R"({"usage_":{"prompt_tokens":9},"usag":{"prompt_tokens":9},"usages":{"prompt_tokens":9},"Usage":{"prompt_tokens":9},"u":1,"user":"usage"})",
     {}},
    {"not an object", Dialect::openai_chat, Framing::json, R"({"usage":[{"prompt_tokens":9}]})", {}},
    {"not a count",
     Dialect::openai_chat,
     Framing::json,
     R"({"usage":{"prompt_tokens":"9","completion_tokens":-3,"total_tokens":1e3,"prompt_tokens_details":null,"x":[1,{"prompt_tokens":9}],"completion_tokens_details":[9]}})",
     {}},
    {"deeper counts do not count", Dialect::openai_chat, Framing::json,
     R"({"usage":{"prompt_tokens":1,"cost_details":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":9}}}})",
     make(1, {})},
    {"too large a number", Dialect::openai_chat, Framing::json,
     R"({"usage":{"prompt_tokens":99999999999999999999,"completion_tokens":18446744073709551615}})",
     make(UINT64_MAX, UINT64_MAX)},
    {"too large a number, and thoughts beside it", Dialect::openai_chat, Framing::json,
     R"({"usage":{"prompt_tokens":100,"completion_tokens":18446744073709551621,"total_tokens":110,"completion_tokens_details":{"reasoning_tokens":5}}})",
     make(100, UINT64_MAX, {}, {}, 5)},
    {"the largest, and a total that would be right if numbers began anew behind it", Dialect::openai_chat,
     Framing::json,
     R"({"usage":{"prompt_tokens":100,"completion_tokens":18446744073709551615,"total_tokens":104,"completion_tokens_details":{"reasoning_tokens":5}}})",
     make(100, UINT64_MAX, {}, {}, 5)},
    {"more cached than the prompt", Dialect::openai_chat, Framing::json,
     R"({"usage":{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":9}}})", make(5, {}, 9)},
    {"embeddings", Dialect::openai_embeddings, Framing::json,
     R"({"data":[{"embedding":[0.1,-2]}],"usage":{"prompt_tokens":8,"total_tokens":8}})", make(8, {})},
    {"rerank", Dialect::openai_rest, Framing::json, R"({"results":[],"usage":{"total_tokens":15}})", make(15, {})},
    {"DeepSeek's cache", Dialect::openai_chat, Framing::json,
     R"({"usage":{"prompt_tokens":10,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":6,"completion_tokens":1}})",
     make(6, 1, 4)},
    {"a usage cut off does not count",
     Dialect::openai_chat,
     Framing::json,
     R"({"usage":{"prompt_tokens":10,"completion_tokens":1)",
     {}},
    {"responses", Dialect::openai_responses, Framing::json,
     R"({"id":"resp_1","metadata":{"usage":"x"},"output":[],"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"output_tokens":6,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":16}})",
     make(4, 6, 4, 2, 5)},
    {"responses stream", Dialect::openai_responses, Framing::sse,
     "event: response.created\ndata: "
     "{\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"usage\":null}}\n\nevent: response.completed\ndata: "
     "{\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"metadata\":{\"usage\":{\"input_tokens\":9}},"
     "\"usage\":{\"input_tokens\":5,\"output_tokens\":6}}}\n\n",
     make(5, 6)},
    {"messages", Dialect::anthropic, Framing::json,
     R"({"content":[{"type":"tool_use","input":{"usage":{"input_tokens":9}}}],"usage":{"input_tokens":3,"cache_creation_input_tokens":30,"cache_read_input_tokens":20,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":5,"service_tier":"standard"}})",
     make(3, 5, 20, 30, {}, 20)},
    {"messages stream, merged", Dialect::anthropic, Framing::sse,
     "event: message_start\ndata: "
     "{\"type\":\"message_start\",\"message\":{\"content\":[],\"usage\":{\"input_tokens\":3,\"cache_read_input_"
     "tokens\":20,\"output_tokens\":1}}}\n\n"
     "event: ping\ndata: {\"type\": \"ping\"}\n\n: a comment with \" and {\nevent: message_delta\ndata: "
     "{\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":15}}\n\n",
     make(3, 15, 20)},
    {"messages stream, a tool's input", Dialect::anthropic, Framing::sse,
     "data: {\"content_block\":{\"input\":{\"usage\":{\"output_tokens\":99}}}}\n\ndata: "
     "{\"usage\":{\"output_tokens\":2}}\n\n",
     make({}, 2)},
    {"gemini", Dialect::gemini, Framing::json,
     R"({"candidates":[{"content":{"parts":[{"functionCall":{"args":{"usageMetadata":{"promptTokenCount":99}}}}]}}],"usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":3,"thoughtsTokenCount":2,"toolUsePromptTokenCount":1,"totalTokenCount":16,"promptTokensDetails":[{"modality":"TEXT","tokenCount":10}]}})",
     make(7, 5, 4, {}, 2)},
    {"gemini, absurd", Dialect::gemini, Framing::json,
     R"({"usageMetadata":{"promptTokenCount":18446744073709551615,"toolUsePromptTokenCount":9,"candidatesTokenCount":9223372036854775808,"thoughtsTokenCount":9223372036854775809}})",
     make(UINT64_MAX, UINT64_MAX, {}, {}, 9223372036854775809U)},
    {"gemini without candidates", Dialect::gemini, Framing::json,
     R"({"usageMetadata":{"promptTokenCount":10,"totalTokenCount":10}})", make(10, 0)},
    {"gemini stream with CRLF", Dialect::gemini, Framing::sse,
     "data: {\"candidates\":[],\"usageMetadata\":{\"promptTokenCount\":10}}\r\n\r\ndata: "
     "{\"candidates\":[],\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount\":8}}\r\n\r\n",
     make(10, 8)},
    {"gemini array", Dialect::vertex, Framing::json_array,
     "[{\"usageMetadata\":{\"promptTokenCount\":10}}\r\n,\r\n{\"x\":{\"usageMetadata\":{\"promptTokenCount\":99}},"
     "\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount\":8}}]",
     make(10, 8)},
    {"bedrock", Dialect::bedrock, Framing::json,
     R"({"output":{},"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":27,"cacheReadInputTokens":15,"cacheWriteInputTokens":5}})",
     make(3, 4, 15, 5)},
    {"bedrock, what it wrote for an hour", Dialect::bedrock, Framing::json,
     R"({"output":{},"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":1007,"cacheWriteInputTokens":1000,"cacheDetails":[{"ttl":"1h","inputTokens":700},{"ttl":"5m","inputTokens":300}]}})",
     make(3, 4, {}, 1000, {}, 700)},
    {"bedrock, members in another order", Dialect::bedrock, Framing::json,
     R"({"usage":{"cacheDetails" : [ {"inputTokens":300,"x":{"ttl":"1h","inputTokens":9},"ttl":"5m"}, {"x":[{"inputTokens":9}], "inputTokens" : 700 , "ttl": "1h" } ],"cacheWriteInputTokens":1000,"outputTokens":4,"inputTokens":3}})",
     make(3, 4, {}, 1000, {}, 700)},
    {"bedrock, all of it for five minutes", Dialect::bedrock, Framing::json,
     R"({"usage":{"inputTokens":3,"outputTokens":4,"cacheWriteInputTokens":300,"cacheDetails":[{"ttl":"5m","inputTokens":300}]}})",
     make(3, 4, {}, 300)},
    {"bedrock's older names", Dialect::bedrock, Framing::json,
     R"({"usage":{"inputTokens":3,"outputTokens":4,"cacheReadInputTokenCount":15,"cacheWriteInputTokenCount":5}})",
     make(3, 4, 15, 5)},
    {"cohere", Dialect::cohere, Framing::json,
     R"({"usage":{"billed_units":{"input_tokens":3.0,"output_tokens":4},"tokens":{"input_tokens":70,"output_tokens":5}}})",
     make(3, 4)},
    {"cohere stream", Dialect::cohere, Framing::sse,
     "event: message-end\ndata: "
     "{\"type\":\"message-end\",\"delta\":{\"usage\":{\"tokens\":{\"input_tokens\":70,\"output_tokens\":5}}}}\n\n",
     make(70, 5)},
    {"an event broken off does not spoil the next", Dialect::openai_chat, Framing::sse,
     "data: {\"a\":[{\"b\":\"c\n\ndata: {\"usage\":{\"prompt_tokens\":1}}\n\n", make(1, {})},
    {"an event over several lines", Dialect::openai_chat, Framing::sse,
     "data: {\ndata: \"usage\":\ndata: {\"prompt_tokens\":\ndata: 1}}\n\n", make(1, {})},
    {"no space behind the field's colon", Dialect::openai_chat, Framing::sse,
     "data:{\"usage\":{\"prompt_tokens\":1}}\n\n", make(1, {})},
    {"other fields are no JSON", Dialect::openai_chat, Framing::sse,
     "dat: {\"usage\":{\"prompt_tokens\":9}}\ndatax\n\nid: \"{\n\ndata: {\"usage\":{\"prompt_tokens\":1}}\n\n",
     make(1, {})},
    {"no event at all", Dialect::openai_chat, Framing::sse, ": OPENROUTER PROCESSING\n\n", {}},
    {"empty", Dialect::openai_chat, Framing::json, "", {}},
};

TEST(UsageScanner, EveryDialectWhole) {
  for (const auto& c : kCases) {
    UsageScanner scanner(c.dialect, c.framing);
    scanner.feed(c.text);
    EXPECT_EQ(scanner.usage(), c.usage) << c.name;
  }
}

TEST(UsageScanner, EveryDialectCutAnywhere) {
  for (const auto& c : kCases) {
    for (size_t cut = 0; cut <= c.text.size(); ++cut) {
      UsageScanner scanner(c.dialect, c.framing);
      scanner.feed(std::string_view(c.text).substr(0, cut));
      scanner.feed(std::string_view(c.text).substr(cut));
      ASSERT_EQ(scanner.usage(), c.usage) << c.name << " cut at " << cut;
    }
    UsageScanner scanner(c.dialect, c.framing);
    for (const char& byte : c.text) scanner.feed({&byte, 1});
    ASSERT_EQ(scanner.usage(), c.usage) << c.name << " byte by byte";
  }
}

TEST(UsageScanner, RandomCutsAndPositions) {
  base::Rng rng(5);
  for (int round = 0; round < 3000; ++round) {
    std::string text = "{\"a\":\"";
    for (uint64_t n = rng.below(200); n > 0; --n) {
      constexpr std::string_view kPieces[] = {"x", "\\\"", "\\\\", "{", "]", "\\\"usage\\\":{", "\\u0022"};
      text += kPieces[rng.below(std::size(kPieces))];
    }
    text += R"(","usage":{"prompt_tokens":11,"completion_tokens":22}})";
    UsageScanner scanner(Dialect::openai_chat, Framing::json);
    for (std::string_view rest = text; !rest.empty();) {
      const size_t size = 1 + rng.below(std::min<size_t>(rest.size(), 90));
      scanner.feed(rest.substr(0, size));
      rest.remove_prefix(std::min(size, rest.size()));
    }
    ASSERT_EQ(scanner.usage(), make(11, 22)) << text;
  }
}

TEST(UsageScanner, OverlongUsageIsLeftOut) {
  const std::string filler(UsageScanner::kUsageBytesMax, 'x');
  UsageScanner scanner(Dialect::openai_chat, Framing::json);
  scanner.feed(R"({"usage":{"prompt_tokens":9,"x":{"y":[")" + filler +
               R"("]}},"b":{"usage":{"prompt_tokens":8}},"usage":{"prompt_tokens":1}})");
  EXPECT_EQ(scanner.usage(), make(1, {}));
}

TEST(UsageScanner, HostileDepth) {
  UsageScanner scanner(Dialect::openai_chat, Framing::json);
  scanner.feed(std::string(1'000'000, '}'));
  scanner.feed(std::string(2'000'000, '['));
  scanner.feed(R"("usage":{"prompt_tokens":1})");
  EXPECT_FALSE(scanner.seen());
  UsageScanner nested(Dialect::openai_chat, Framing::json);
  nested.feed("{\"usage\":" + std::string(100'000, '{'));
  EXPECT_FALSE(nested.seen());
}

TEST(UsageScanner, PayloadsOfAnEventStream) {
  UsageScanner scanner(Dialect::bedrock, Framing::event_stream);
  scanner.feed(R"({"contentBlockIndex":0,"delta":{"text":"{\"usage\""}, "p":"ab)");
  scanner.next_document();
  scanner.feed(R"({"metrics":{"latencyMs":9},"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7}})");
  EXPECT_TRUE(scanner.seen());
  EXPECT_EQ(scanner.usage(), make(3, 4));
}

TEST(UsageScanner, ADocumentIsWholeWithItsLastByteAndNotBefore) {
  for (const auto& c : kCases) {
    if (c.framing != Framing::json && c.framing != Framing::json_array) continue;
    UsageScanner scanner(c.dialect, c.framing);
    const std::string_view text = std::string_view(c.text).substr(0, std::string_view(c.text).find_last_of("}]") + 1);
    for (size_t at = 0; at < text.size(); ++at) {
      ASSERT_FALSE(scanner.whole()) << c.name << " before byte " << at;
      scanner.feed(text.substr(at, 1));
    }
    EXPECT_EQ(scanner.whole(), !text.empty()) << c.name;
    scanner.feed("\r\n ");
    EXPECT_EQ(scanner.whole(), !text.empty()) << c.name;
  }
}

TEST(UsageScanner, WhiteSpaceAloneIsNoDocument) {
  UsageScanner scanner(Dialect::openai_chat, Framing::json);
  scanner.feed(" \n\n");
  EXPECT_FALSE(scanner.whole());
  scanner.feed("\"a");
  EXPECT_FALSE(scanner.whole());
  scanner.feed("]\"");
  EXPECT_TRUE(scanner.whole());
}

TEST(UsageScanner, StateStaysSmall) {
  EXPECT_LE(sizeof(UsageScanner), 432U);
}

MediaTokens media_of(Dialect dialect, std::string_view body) {
  // At every cut of the bytes, byte by byte, the same.
  UsageScanner whole(dialect, Framing::json);
  whole.feed(body);
  UsageScanner cut(dialect, Framing::json);
  for (size_t i = 0; i < body.size(); ++i) cut.feed(body.substr(i, 1));
  EXPECT_EQ(whole.media(), cut.media());
  EXPECT_EQ(whole.usage(), cut.usage());
  return whole.media();
}

TEST(UsageScanner, SoundAndPictures) {
  const auto chat =
      media_of(Dialect::openai_chat,
               R"({"usage":{"prompt_tokens":120,"completion_tokens":80,"total_tokens":200,)"
               R"("prompt_tokens_details":{"cached_tokens":0,"text_tokens":20,"audio_tokens":100},)"
               R"("completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":60,"text_tokens":20}}})");
  EXPECT_EQ(chat, (MediaTokens{.audio_input = 100, .audio_output = 60}));
  const auto image = media_of(Dialect::openai_chat,
                              R"({"data":[],"usage":{"input_tokens":50,"output_tokens":4160,"total_tokens":4210,)"
                              R"("input_tokens_details":{"text_tokens":10,"image_tokens":40},)"
                              R"("output_tokens_details":{"image_tokens":4160,"text_tokens":0}}})");
  EXPECT_EQ(image, (MediaTokens{.image_input = 40, .image_output = 4160}));
  const auto transcription =
      media_of(Dialect::openai_chat, R"({"text":"hi","usage":{"type":"tokens","input_tokens":14,)"
                                     R"("input_token_details":{"text_tokens":0,"audio_tokens":14},)"
                                     R"("output_tokens":101,"total_tokens":115}})");
  EXPECT_EQ(transcription, (MediaTokens{.audio_input = 14}));
  constexpr std::string_view kBeside = R"({"usage":{"prompt_tokens":9,"total_tokens":585,"completion_tokens":201,)"
                                       R"("prompt_tokens_details":{"cached_tokens":0,"audio_tokens":375}}})";
  EXPECT_EQ(media_of(Dialect::openai_chat, kBeside).audio_input, 375u);
  UsageScanner beside(Dialect::openai_chat, Framing::json);
  beside.feed(kBeside);
  EXPECT_EQ(beside.usage().input, 384u);
  const auto gemini = media_of(
      Dialect::gemini,
      R"({"usageMetadata":{"promptTokenCount":300,"promptTokensDetails":[{"modality":"TEXT","tokenCount":5},)"
      R"({"tokenCount":237,"modality":"AUDIO"},{"modality": "IMAGE" , "tokenCount": 58}],"candidatesTokenCount":9,)"
      R"("candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":9}],)"
      R"("cacheTokensDetails":[{"modality":"AUDIO","tokenCount":77}],"totalTokenCount":309}})");
  EXPECT_EQ(gemini, (MediaTokens{.audio_input = 160, .image_input = 58, .audio_output = 9}));
}

// The input has no part of what came from the cache.
TEST(UsageScanner, SoundAndPicturesFromTheCache) {
  constexpr std::string_view kGemini =
      R"({"usageMetadata":{"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":400},)"
      R"({"tokenCount":9,"modality":"IMAGE"}],"promptTokenCount":1009,"cachedContentTokenCount":409,)"
      R"("promptTokensDetails":[{"modality":"AUDIO","tokenCount":500},{"modality":"IMAGE","tokenCount":9}],)"
      R"("candidatesTokenCount":7}})";
  EXPECT_EQ(media_of(Dialect::gemini, kGemini), (MediaTokens{.audio_input = 100}));
  UsageScanner gemini(Dialect::gemini, Framing::json);
  gemini.feed(kGemini);
  EXPECT_EQ(gemini.usage(), make(600, 7, 409));
  EXPECT_EQ(media_of(Dialect::openai_chat,
                     R"({"usage":{"input_tokens":90,"output_tokens":5,"input_token_details":{"cached_tokens":40,)"
                     R"("cached_tokens_details":{"text_tokens":8,"audio_tokens":30,"image_tokens":2},)"
                     R"("text_tokens":20,"audio_tokens":50,"image_tokens":20}}})"),
            (MediaTokens{.audio_input = 20, .image_input = 18}));
}

// Google's chat models take for video what they take for text: it stays in the input, also what came from the cache.
TEST(UsageScanner, VideoIsInputOnce) {
  constexpr std::string_view kGemini =
      R"({"usageMetadata":{"cacheTokensDetails":[{"modality":"VIDEO","tokenCount":300},)"
      R"({"modality":"AUDIO","tokenCount":20}],"promptTokenCount":1009,"cachedContentTokenCount":320,)"
      R"("promptTokensDetails":[{"modality":"VIDEO","tokenCount":900},{"modality":"AUDIO","tokenCount":100},)"
      R"({"modality":"TEXT","tokenCount":9}],"candidatesTokenCount":7,)"
      R"("candidatesTokensDetails":[{"modality":"TEXT","tokenCount":7}]}})";
  UsageScanner gemini(Dialect::gemini, Framing::json);
  gemini.feed(kGemini);
  EXPECT_EQ(gemini.usage(), make(689, 7, 320));
  EXPECT_EQ(media_of(Dialect::gemini, kGemini), (MediaTokens{.audio_input = 80}));
}

}  // namespace
}  // namespace llmgw::accounting
