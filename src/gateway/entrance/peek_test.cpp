#include "gateway/entrance/peek.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "json/splice.h"

namespace llmgw::gateway {
namespace {

// The parser reads nothing behind the text, so each case stands in a buffer of its exact size.
class PeekTest : public testing::Test {
 protected:
  std::expected<Peek, PeekRefusal> run(std::string_view text) {
    body_.assign(text.begin(), text.end());
    return peek(parser_, {body_.data(), body_.size()}, arena_);
  }
  std::string without_owner(const Peek& result) {
    const json::Edit edit{result.owned_by_span, ""};
    return std::string(json::splice({body_.data(), body_.size()}, {&edit, 1})->joined(arena_));
  }

  std::vector<char> body_;
  json::Parser parser_;
  base::Arena arena_;
};

TEST_F(PeekTest, ReadsWhatRoutingNeeds) {
  const auto result = run(R"({"messages":[{"role":"user","content":"model: \"x\""}], "model" : "gpt-4", "stream":true,
    "stream_options":{"include_obfuscation":false,"include_usage":true}, "user":"u1", "max_tokens": 17, "max_completion_tokens":12})");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->has_model);
  EXPECT_EQ(result->model, "gpt-4");
  EXPECT_EQ(result->model_span, "\"gpt-4\"");
  EXPECT_EQ(result->stream, true);
  EXPECT_EQ(result->include_usage, true);
  EXPECT_EQ(result->user, "u1");
  EXPECT_EQ(result->max_output_tokens, 17U);
  EXPECT_EQ(result->owned_by_span.data(), nullptr);
}

TEST_F(PeekTest, WhatAResponseBuildsOn) {
  const auto previous = run(R"({"model":"m","previous_response\u005fid":"resp\u005f1","store":false})");
  ASSERT_TRUE(previous) << previous.error().message;
  EXPECT_EQ(previous->previous_response_id, "resp_1");
  EXPECT_FALSE(previous->stored);
  EXPECT_EQ(run(R"({"model":"m","conversation":"conv_1"})")->conversation, "conv_1");
  EXPECT_EQ(run(R"({"model":"m","conversation":{"a":[],"i\u0064":"conv_1"}})")->conversation, "conv_1");
  const auto nothing = run(R"({"model":"m","previous_response_id":null,"conversation":null,"store":null})");
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->stored && nothing->previous_response_id.empty() && nothing->conversation.empty());
  // Of two a reader might take the other one.
  EXPECT_STREQ(run(R"({"previous_response_id":"a","previous_response_id":"b"})").error().param, "previous_response_id");
  EXPECT_STREQ(run(R"({"conversation":"a","conversation":{"id":"b"}})").error().param, "conversation");
  EXPECT_STREQ(run(R"({"conversation":{"id":"a","x":{},"id":"b"}})").error().param, "conversation");
}

TEST_F(PeekTest, AbsentIsAbsent) {
  const auto result = run("{}");
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->has_model);
  EXPECT_EQ(result->model_span.data(), nullptr);
  EXPECT_FALSE(result->stream || result->include_usage || result->max_output_tokens);
}

TEST_F(PeekTest, NullIsAbsentWhereTheApisAllowIt) {
  const auto result =
      run(R"({"model":"m","stream":null,"stream_options":null,"user":null,"max_tokens":null,"metadata":null})");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_FALSE(result->stream || result->include_usage || result->max_output_tokens);
  EXPECT_TRUE(result->user.empty());
}

TEST_F(PeekTest, KeysAreComparedUnescaped) {
  const auto result = run(R"({"mod\u0065l":"a\u002fb","\u0073tre\u0061m":true})");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->model, "a/b");
  EXPECT_EQ(result->model_span, R"("a\u002fb")");
  EXPECT_EQ(result->stream, true);
}

TEST_F(PeekTest, LimitsOfOtherDialects) {
  EXPECT_EQ(run(R"({"generationConfig":{"temperature":1,"maxOutputTokens":5}})")->max_output_tokens, 5U);
  EXPECT_EQ(run(R"({"generation_config":{"max_output_tokens":6}})")->max_output_tokens, 6U);
  EXPECT_EQ(run(R"({"inferenceConfig":{"maxTokens":7}})")->max_output_tokens, 7U);
  EXPECT_EQ(run(R"({"max_output_tokens":8})")->max_output_tokens, 8U);
  EXPECT_EQ(run(R"({"metadata":{"user_id":"claude"}})")->user, "claude");
  EXPECT_FALSE(run(R"({"max_tokens":1.5})")->max_output_tokens);
  EXPECT_FALSE(run(R"({"tools":[{"max_tokens":9,"model":"x","stream":1}]})")->max_output_tokens);
}

TEST_F(PeekTest, AnswersAreCountedHoweverTheyAreAskedFor) {
  EXPECT_EQ(run(R"({"model":"m"})")->answers, 1U);
  for (const char* body :
       {R"({"n":50})", R"({"\u006e":50})", R"({"n":1,"best_of":50})", R"({"best_of":50,"n":2})", R"({"n":50,"n":1})",
        R"({"n":5e1})", R"({"n":50.0})", R"({"n":"50"})", R"({"generationConfig":{"candidateCount":50}})",
        R"({"generation_config":{"max_output_tokens":6,"candidate_count":50}})"}) {
    EXPECT_EQ(run(body)->answers, 50U) << body;
  }
  for (const char* body : {R"({"n":null})", R"({"n":0})", R"({"n":-3})", R"({"n":"many"})", R"({"n":""})",
                           R"({"n":[50]})", R"({"n":1e-999})", R"({"tools":[{"n":50}]})"}) {
    EXPECT_EQ(run(body)->answers, 1U) << body;
  }
  for (const char* body : {R"({"n":18446744073709551616})", R"({"n":1e999})", R"({"n":1e300})"}) {
    EXPECT_EQ(run(body)->answers, UINT64_MAX) << body;
  }
  EXPECT_EQ(run(R"({"max_tokens":1e3})")->max_output_tokens, 1000U);
}

TEST_F(PeekTest, PromptsAndTokensAreCounted) {
  const auto prompts = [this](std::string_view prompt) {
    return run(R"({"prompt":)" + std::string(prompt) + R"(,"model":"m"})")->prompts;
  };
  for (const char* one : {R"("text")", "[]", R"(["text"])", "[1,2,3]", "[[1,2,3]]", "null", R"({"id":"p"})"}) {
    EXPECT_EQ(prompts(one), 1U) << one;
  }
  for (const char* three : {R"(["a","b",""])", "[[1],[2],[]]", R"([[1,[2]],"a",{"prompt_embeds":[1]}])"}) {
    EXPECT_EQ(prompts(three), 3U) << three;
  }
  for (const char* five :
       {R"({"prompt":[1,2,3,4,5]})", R"({"input":[1,2,3,4,5]})", R"({"input":[[1,2],[3,4,5],"a"]})"}) {
    EXPECT_EQ(run(five)->token_numbers, 5U) << five;
  }
  // A conversation is one prompt.
  EXPECT_EQ(run(R"({"input":[{"role":"user"},{"role":"user"}]})")->prompts, 1U);
  EXPECT_FALSE(run(R"({"prompt":[1,2})"));
  EXPECT_FALSE(run(R"({"prompt":[[1,2,"a"})"));
}

TEST_F(PeekTest, TiersAndToolsThatAreChargedFor) {
  const auto flex = run(R"({"model":"m","service_tier":"fl\u0065x"})");
  EXPECT_TRUE(flex->names_tier);
  EXPECT_EQ(flex->service_tier, "flex");
  EXPECT_TRUE(run(R"({"serviceTier":{"type":"priority"}})")->names_tier);
  EXPECT_EQ(run(R"({"service_tier":null})")->service_tier, "");
  EXPECT_FALSE(run(R"({"model":"m"})")->names_tier);
  for (const char* body : {R"({"speed":"fast"})", R"({"inference_geo":"us"})",
                           R"({"performanceConfig":{"latency":"optimized"},"model":"behind"})"}) {
    EXPECT_TRUE(run(body)->names_tier) << body;
  }
  for (const char* tools :
       {R"([{"type":"web_search"}])", R"([{"type":"function"},{"max_uses":3,"type":"web_search_20250305"}])",
        R"([{"type":"file_search","vector_store_ids":["v"]}])", R"([{"google_search":{}}])",
        R"([7,{"googleSearch":{}}])", R"([{"googleMaps":{}}])", R"([{"enterpriseWebSearch":{}}])",
        R"([{"type":"code_interpreter","container":{"type":"auto"}}])", R"([{"type":"code_execution_20250825"}])",
        R"([{"type":"image_generation"}])"}) {
    EXPECT_TRUE(run(R"({"tools":)" + std::string(tools) + "}")->provider_tools) << tools;
  }
  for (const char* body : {R"({"web_search_options":{}})", R"({"plugins":[{"id":"web"}],"model":"behind"})",
                           R"({"search_parameters":{"mode":"on"}})"}) {
    EXPECT_TRUE(run(body)->provider_tools) << body;
  }
  for (const char* tools :
       {R"([{"type":"function","function":{"name":"web_search","parameters":{"type":"web_search"}}}])", "[]", "null",
        R"("web_search")", R"([{"name":"google_search"}])", R"([["web_search"]])"}) {
    const auto result = run(R"({"tools":)" + std::string(tools) + R"(,"model":"behind"})");
    EXPECT_FALSE(result->provider_tools) << tools;
    EXPECT_EQ(result->model, "behind") << tools;
  }
}

TEST_F(PeekTest, OwnedByCanBeCutOut) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {R"({"owned_by":"vllm"})", "{}"},
      {R"({"owned_by":"vllm","model":"m"})", R"({"model":"m"})"},
      {R"({"model":"m","owned_by":"vllm"})", R"({"model":"m"})"},
      {R"({"model":"m" , "owned_by" : "vllm" , "x":1})", R"({"model":"m" ,  "x":1})"},
      {"{\"model\":\"m\"\n,\n\"owned_by\":\"vllm\"\n}", "{\"model\":\"m\"\n\n}"},
      {R"({"model":"m","own\u0065d_by":"vl\u006cm"})", R"({"model":"m"})"},
  };
  for (const auto& [body, rest] : cases) {
    const auto result = run(body);
    ASSERT_TRUE(result) << body;
    EXPECT_EQ(result->owned_by, "vllm") << body;
    EXPECT_EQ(without_owner(*result), rest) << body;
  }
  const auto null = run(R"({"owned_by":null,"model":"m"})");
  ASSERT_TRUE(null);
  EXPECT_EQ(null->owned_by, "");
  EXPECT_EQ(without_owner(*null), R"({"model":"m"})");
}

// Where the path names the model, the body need not.
TEST_F(PeekTest, AModelMayBeEmpty) {
  for (const char* value : {"null", R"("")"}) {
    const std::string body = std::string(R"({"a":1,"model": )") + value + R"( ,"b":2})";
    const auto result = run(body);
    ASSERT_TRUE(result) << value;
    EXPECT_TRUE(result->has_model);
    EXPECT_EQ(result->model, "");
    EXPECT_EQ(result->model_span, value);
  }
}

TEST_F(PeekTest, RefusesTricks) {
  struct Case {
    std::string_view body, message, param;
  };
  const Case cases[] = {
      {R"({"model":"a","model":"b"})", "twice", "model"},
      {R"({"model":"a","mod\u0065l":"b"})", "twice", "model"},
      {R"({"stream":true,"stream":true})", "twice", "stream"},
      {R"({"stream":null,"stream":true})", "twice", "stream"},
      {R"({"owned_by":"a","owned_by":"b"})", "twice", "owned_by"},
      {R"({"owned_by":null,"owned_by":"b"})", "twice", "owned_by"},
      {R"({"model":["a"]})", "must be a string", "model"},
      {R"({"model":7})", "must be a string", "model"},
      {R"({"model":null,"model":"a"})", "twice", "model"},
      {R"({"model":"a\u0000b"})", "character", "model"},
      {R"({"model":"a\nb"})", "character", "model"},
      {R"({"model":"\ud83d"})", "character", "model"},
      {R"({"model":"\x"})", "escape", "model"},
      {R"({"stream":"true"})", "true or false", "stream"},
      {R"({"stream":1})", "true or false", "stream"},
      {R"({"owned_by":{}})", "must be a string", "owned_by"},
      {R"({"a\u00zz":1})", "escape", ""},
      {"[]", "JSON object", ""},
      {"\"model\"", "JSON object", ""},
      {"null", "JSON object", ""},
      {"", "empty", ""},
      {R"({"model":"a")", "ends too early", ""},
      {R"({"model":"a",)", "ends too early", ""},
      {R"({"model")", "ends too early", ""},
      {R"({"model":)", "ends too early", ""},
      {R"({"stream": )", "ends too early", ""},
      {R"({"owned_by":)", "ends too early", ""},
      {R"({"model":"m","a":[{"b":)", "ends too early", ""},
      {R"({"model":})", "expected a value", ""},
      {R"({"stream":,"model":"a"})", "expected a value", ""},
      {R"({"model":"a)", "inside a string", ""},
      {R"({"model":"a"}{"model":"b"})", "behind", ""},
      {R"({"model":"a"} x)", "behind", ""},
      {R"({"x":[1,2}, "model":"a"})", "','", ""},
      {R"({"x":tru,"model":"a"})", "value", ""},
      {"{\"model\":\"a\x01\"}", "control", ""},
      {"{\"model\":\"\xFF\"}", "UTF-8", ""},
  };
  for (const auto& [body, message, param] : cases) {
    const auto result = run(body);
    ASSERT_FALSE(result) << body;
    EXPECT_NE(std::string_view(result.error().message).find(message), std::string_view::npos)
        << body << ": " << result.error().message;
    EXPECT_EQ(result.error().param, param) << body;
  }
}

TEST_F(PeekTest, LengthsAreLimited) {
  EXPECT_TRUE(run(R"({"model":")" + std::string(kModelNameBytesMax, 'm') + "\"}"));
  EXPECT_FALSE(run(R"({"model":")" + std::string(kModelNameBytesMax + 1, 'm') + "\"}"));
  EXPECT_FALSE(run(R"({"owned_by":")" + std::string(kOwnedByBytesMax + 1, 'm') + "\"}"));
  EXPECT_EQ(run(R"({"user":")" + std::string(4000, 'u') + "\"}")->user.size(), kUserBytesMax);
}

TEST_F(PeekTest, DepthBombsAndLargeBodies) {
  EXPECT_FALSE(run("{\"a\":" + std::string(10 << 20, '[')));
  EXPECT_FALSE(run(std::string(10 << 20, '{')));
  std::string bomb;
  for (int i = 0; i < 100'000; ++i) bomb += "{\"a\":";
  EXPECT_FALSE(run(bomb));
  const std::string large = R"({"messages":")" + std::string(10 << 20, 'x') + R"(","model":"m"})";
  const auto result = run(large);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->model, "m");
}

TEST_F(PeekTest, EveryTruncationIsRefused) {
  const std::string body =
      R"({"model":"gpt-4","stream":true,"stream_options":{"include_usage":true},"owned_by":"x","a":[1,{"b":null}]})";
  for (size_t size = 0; size < body.size(); ++size) EXPECT_FALSE(run(body.substr(0, size))) << size;
  EXPECT_TRUE(run(body));
}

// Whatever the way without an index takes, the other takes and reads alike; and what is refused is what was refused.
void expect_same_either_way(json::Parser& parser, const std::vector<char>& bytes) {
  const std::string_view body(bytes.data(), bytes.size());
  base::Arena arena;
  const auto indexed = peek_by_index(parser, body, arena);
  const auto direct = peek_directly(body, arena);
  ASSERT_EQ(direct.has_value(), indexed.has_value()) << body;
  if (!direct) return;
  EXPECT_EQ(*direct, *indexed) << body;
  EXPECT_EQ(direct->model_span.data(), indexed->model_span.data()) << body;
  EXPECT_EQ(direct->owned_by_span.data(), indexed->owned_by_span.data()) << body;
}

std::vector<std::string> bodies_to_break() {
  return {
      R"({"model":"gpt-4","messages":[{"role":"user","content":"a \"quoted\" \\ word"},{"role":"x","content":[]}]})",
      R"( { "owned_by" : "me" , "n" : -1.5e+3 , "t" : [true, false, null, {}, [[], {"a":{}}]], "model":"m" } )",
      R"({"stream":true,"stream_options":{"include_usage":false},"max_tokens":12,"metadata":{"tags":["a","b"],"k":"v"}})",
      "{\"model\":\"gr\u00fc\u00df\",\"content\":\"\u6d77\u306e\u6b74\u53f2 \U0001F600\",\"user\":\"\\u00e9\"}",
      R"({"model":"m","content":")" + std::string(200, 'x') + R"(\n)" + std::string(70, 'y') + R"(\\"})",
      R"({"generationConfig":{"maxOutputTokens":7},"inferenceConfig":{"maxTokens":9},"owned_by":null,"a":0,"b":10})",
  };
}

TEST_F(PeekTest, BothWaysTakeTheSameWhateverIsBroken) {
  constexpr std::string_view kBytes = "{}[]\",:\\ \n\t0123-+.eEtrufalsn\x01\x1f\x7f\x80\xc3\xe6\xff";
  std::minstd_rand random(1);
  const auto below = [&](size_t bound) { return static_cast<size_t>(random()) % bound; };
  for (const std::string& body : bodies_to_break()) {
    expect_same_either_way(parser_, {body.begin(), body.end()});
    for (size_t cut = 0; cut < body.size(); ++cut) {
      expect_same_either_way(parser_, {body.begin(), body.begin() + static_cast<ptrdiff_t>(cut)});
    }
    for (int round = 0; round < 4000; ++round) {
      std::vector<char> bytes(body.begin(), body.end());
      for (size_t edits = 1 + below(3); edits > 0; --edits) {
        const auto at = bytes.begin() + static_cast<ptrdiff_t>(below(bytes.size()));
        const char byte = kBytes[below(kBytes.size())];
        switch (below(3)) {
          case 0: *at = byte; break;
          case 1: bytes.insert(at, byte); break;
          default: bytes.erase(at);
        }
      }
      expect_same_either_way(parser_, bytes);
    }
  }
}

TEST_F(PeekTest, BothWaysFindTheEndOfStringsOfAnyLength) {
  for (size_t size = 0; size < 200; ++size) {
    for (const std::string_view last : {"", "\\\"", "\\\\", "\\", "\x1f", "\xc3\xbc", "\xc3", "\\\x01"}) {
      std::string body = R"({"a":")" + std::string(size, 'z');
      body += last;
      body += R"("})";
      expect_same_either_way(parser_, {body.begin(), body.end()});
    }
  }
}

TEST_F(PeekTest, BothWaysBoundTheDepthAlike) {
  for (const size_t depth : {json::kDepthMax - 1, json::kDepthMax, json::kDepthMax + 1}) {
    for (const std::string_view start : {R"({"a":)", R"({"metadata":{"tags":)"}) {
      std::string body(start);
      body.append(depth, '[').append(depth, ']').append(start.ends_with("tags\":") ? "}}" : "}");
      expect_same_either_way(parser_, {body.begin(), body.end()});
    }
  }
}

}  // namespace
}  // namespace llmgw::gateway
