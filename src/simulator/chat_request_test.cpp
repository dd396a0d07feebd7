#include <gtest/gtest.h>

#include "simulator/chat_request.h"
#include "simulator/plan.h"

namespace llmgw::simulator {
namespace {

constexpr ReadOptions kOptions{.block_tokens = 4, .output_tokens_max = 1000};

size_t prompt_tokens(const Answered<ChatRequest>& request) {
  return request->conversation.tokens().count();
}

TEST(ReadOpenaiChat, ReadsEverythingTheAnswerDependsOn) {
  const auto request = read_openai_chat(R"({"model":"m","stream":true,"stream_options":{"include_usage":true},
      "messages":[{"role":"system","content":"abcd"},{"role":"user","content":[{"type":"text","text":"efghi"},
      {"type":"image_url","image_url":{"url":"data:,"}}]}],"max_completion_tokens":7,"max_tokens":9,"n":2,
      "stop":["x","y"],"tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}],
      "tool_choice":{"type":"function","function":{"name":"look"}},"parallel_tool_calls":false,
      "logprobs":true,"top_logprobs":3,"reasoning_effort":"high"})",
                                        kOptions);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->model, "m");
  EXPECT_TRUE(request->stream);
  EXPECT_TRUE(request->include_usage);
  EXPECT_EQ(request->max_tokens, 7u);
  EXPECT_EQ(request->choices, 2u);
  EXPECT_EQ(request->stop.size(), 2u);
  ASSERT_EQ(request->tools.size(), 1u);
  EXPECT_EQ(request->tools[0].schema, R"({"type":"object"})");
  EXPECT_EQ(request->tool_mode, ToolMode::required);
  EXPECT_EQ(request->allowed_tools, std::vector<std::string>{"look"});
  EXPECT_FALSE(request->parallel_tools);
  EXPECT_EQ(request->top_logprobs, 3u);
  EXPECT_TRUE(request->reasoning);
  EXPECT_EQ(request->conversation.last_user_text(), "efghi");
  // The tool: 1 + 5 tokens. System: mark + 1. User: mark + 2 + image. The mark of the answer.
  EXPECT_EQ(prompt_tokens(request), 6 + 2 + 3 + kImageTokens + 1);
}

TEST(ReadOpenaiChat, RefusesAsTheApiWould) {
  const auto param = [](std::string_view body) {
    const auto request = read_openai_chat(body, kOptions);
    return request ? std::string("accepted") : request.error().param;
  };
  EXPECT_EQ(read_openai_chat("{", kOptions).error().status, 400);
  EXPECT_EQ(read_openai_chat("[]", kOptions).error().status, 400);
  EXPECT_EQ(param(R"({"model":"m"})"), "messages");
  EXPECT_EQ(param(R"({"messages":[]})"), "messages");
  EXPECT_EQ(param(R"({"messages":[{"content":"x"}]})"), "messages[0].role");
  EXPECT_EQ(param(R"({"messages":[{"role":"user"}],"max_tokens":-1})"), "max_completion_tokens");
  EXPECT_EQ(param(R"({"messages":[{"role":"user"}],"n":0})"), "n");
  EXPECT_EQ(param(R"({"messages":[{"role":"user"}],"stop":["a","b","c","d","e"]})"), "stop");
  EXPECT_EQ(param(R"({"messages":[{"role":"user"}],"stream_options":{}})"), "stream_options");
  EXPECT_EQ(param(R"({"messages":[{"role":"user"}],"tool_choice":"required"})"), "tool_choice");
  EXPECT_EQ(param(R"({"messages":[{"role":"user"}]})"), "accepted");
}

TEST(ReadOpenaiCompletions, TakesStringsTokensAndLists) {
  EXPECT_EQ(prompt_tokens(read_openai_completions(R"({"prompt":"abcdefgh"})", kOptions)), 3u);
  EXPECT_EQ(prompt_tokens(read_openai_completions(R"({"prompt":[1,2,3]})", kOptions)), 4u);
  const auto several = read_openai_completions(R"({"prompt":["ab","cd"],"n":2,"echo":true})", kOptions);
  EXPECT_EQ(several->more_prompts.size(), 1u);
  EXPECT_EQ(several->echoed_prompts[1], "cd");
  EXPECT_EQ(make_plan(*several, {}).choices.size(), 4u);
  EXPECT_FALSE(read_openai_completions("{}", kOptions));
}

TEST(ReadOpenaiResponses, ReadsItemsAndRepeatsTheRequest) {
  const auto request = read_openai_responses(R"({"model":"m","instructions":"be","temperature":0.5,"input":[
      {"role":"user","content":[{"type":"input_text","text":"use look"}]},
      {"type":"function_call","call_id":"c","name":"look","arguments":"{}"},
      {"type":"function_call_output","call_id":"c","output":"found"}],
      "tools":[{"type":"function","name":"look","parameters":{}}],
      "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"integer"}}},
      "reasoning":{"effort":"low","summary":"auto"}})",
                                             kOptions, nullptr);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_TRUE(request->conversation.ends_with_tool_result());
  EXPECT_EQ(request->json_schema, R"({"type":"integer"})");
  EXPECT_TRUE(request->reasoning_shown);
  bool repeated = false;
  for (const auto& [name, text] : request->repeated) repeated = repeated || (name == "temperature" && text == "5E-1");
  EXPECT_TRUE(repeated);
  EXPECT_EQ(read_openai_responses(R"({"model":"m"})", kOptions, nullptr).error().param, "input");
}

TEST(ReadAnthropic, ReadsBlocksAndMarks) {
  const auto request = read_anthropic(R"({"model":"m","max_tokens":5000000})", kOptions, false);
  EXPECT_FALSE(request);
  const auto full = read_anthropic(R"({"model":"m","max_tokens":900,"system":[{"type":"text","text":"abcd",
      "cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"efgh"},
      {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"look","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"ijkl"}]}],
      "tools":[{"name":"look","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"},
      "stop_sequences":["END"]})",
                                   kOptions, false);
  ASSERT_TRUE(full) << full.error().message;
  EXPECT_TRUE(full->cache_marks);
  EXPECT_EQ(full->tool_mode, ToolMode::required);
  EXPECT_EQ(full->stop, std::vector<std::string>{"END"});
  // Tool 1 + 5, system 2, user 2, assistant 1 + 1 + 1, result 2, the mark of the answer.
  EXPECT_EQ(prompt_tokens(full), 6u + 2 + 2 + 3 + 2 + 1);
}

TEST(ReadAnthropic, RefusesAsTheApiWould) {
  const auto message = [](std::string_view body) {
    const auto request = read_anthropic(body, kOptions, false);
    return request ? std::string("accepted") : request.error().message;
  };
  EXPECT_EQ(message(R"({"max_tokens":1})"), "model: Field required");
  EXPECT_EQ(message(R"({"model":"m","messages":[]})"), "max_tokens: Field required");
  EXPECT_EQ(message(R"({"model":"m","max_tokens":1})"), "messages: Field required");
  EXPECT_EQ(message(R"({"model":"m","max_tokens":1,"messages":[{"role":"x","content":""}]})"),
            "messages.0.role: must be 'user', 'assistant' or 'system'");
  EXPECT_TRUE(read_anthropic(R"({"model":"m","messages":[{"role":"user","content":"a"}]})", kOptions, true));
}

TEST(ReadGemini, TakesBothSpellings) {
  const auto camel = read_gemini(R"({"contents":[{"role":"user","parts":[{"text":"use look"}]}],
      "systemInstruction":{"parts":[{"text":"abcd"}]},"generationConfig":{"maxOutputTokens":9,"candidateCount":2,
      "stopSequences":["x"],"responseMimeType":"application/json","responseSchema":{"type":"INTEGER"},
      "thinkingConfig":{"includeThoughts":true}},"tools":[{"functionDeclarations":[{"name":"look"}]}],
      "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["look"]}}})",
                                 kOptions, false);
  const auto snake = read_gemini(R"({"contents":{"parts":{"text":"use look"}},
      "system_instruction":{"parts":[{"text":"abcd"}]},"generation_config":{"max_output_tokens":9,"candidate_count":2,
      "stop_sequences":["x"],"response_mime_type":"application/json","response_schema":{"type":"INTEGER"},
      "thinking_config":{"include_thoughts":true}},"tools":{"function_declarations":[{"name":"look"}]},
      "tool_config":{"function_calling_config":{"mode":"ANY","allowed_function_names":["look"]}}})",
                                 kOptions, false);
  ASSERT_TRUE(camel) << camel.error().message;
  ASSERT_TRUE(snake) << snake.error().message;
  for (const auto* request : {&*camel, &*snake}) {
    EXPECT_EQ(request->max_tokens, 9u);
    EXPECT_EQ(request->choices, 2u);
    EXPECT_EQ(request->json_mode, JsonMode::schema);
    EXPECT_TRUE(request->reasoning_shown);
    EXPECT_EQ(request->tool_mode, ToolMode::required);
    EXPECT_EQ(request->allowed_tools.size(), 1u);
  }
  EXPECT_EQ(camel->conversation.tokens().hash(), snake->conversation.tokens().hash());
  EXPECT_FALSE(read_gemini("{}", kOptions, false));
  EXPECT_FALSE(read_gemini(R"({"contents":[{"role":"assistant","parts":[]}]})", kOptions, false));
  EXPECT_TRUE(read_gemini(R"({"generateContentRequest":{"contents":[{"parts":[{"text":"a"}]}]}})", kOptions, true));
}

// The same conversation is the same prompt in each API, so that an engine's cache serves them all.
TEST(Read, TheSameConversationHasTheSameTokensInEveryApi) {
  const auto chat = read_openai_chat(
      R"({"messages":[{"role":"system","content":"Be."},{"role":"user","content":"Hi"},
      {"role":"assistant","content":"Hello"},{"role":"user","content":"Bye"}]})",
      kOptions);
  const auto responses = read_openai_responses(
      R"({"instructions":"Be.","input":[{"role":"user","content":"Hi"},{"type":"message","role":"assistant",
      "content":[{"type":"output_text","text":"Hello"}]},{"role":"user","content":"Bye"}]})",
      kOptions, nullptr);
  const auto messages = read_anthropic(
      R"({"model":"m","max_tokens":9,"system":"Be.","messages":[{"role":"user","content":"Hi"},
      {"role":"assistant","content":[{"type":"text","text":"Hello"}]},{"role":"user","content":"Bye"}]})",
      kOptions, false);
  const auto gemini = read_gemini(
      R"({"systemInstruction":{"parts":[{"text":"Be."}]},"contents":[{"role":"user","parts":[{"text":"Hi"}]},
      {"role":"model","parts":[{"text":"Hello"}]},{"role":"user","parts":[{"text":"Bye"}]}]})",
      kOptions, false);
  EXPECT_EQ(chat->conversation.tokens().hash(), responses->conversation.tokens().hash());
  EXPECT_EQ(chat->conversation.tokens().hash(), messages->conversation.tokens().hash());
  EXPECT_EQ(chat->conversation.tokens().hash(), gemini->conversation.tokens().hash());
}

TEST(ReadRequest, TheBeginningOfAnAnswer) {
  constexpr std::string_view kHistory = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"})";
  const auto with = [&](std::string_view more) { return std::string(kHistory) + std::string(more); };
  const auto plain = read_openai_chat(with("]}"), kOptions);
  const auto chat = read_openai_chat(
      with(R"(,{"role":"assistant","content":"So"}],"continue_final_message":true,"add_generation_prompt":false})"),
      kOptions);
  ASSERT_TRUE(plain && chat);
  EXPECT_EQ(chat->conversation.beginning(), "So");
  EXPECT_EQ(chat->conversation.hash(), plain->conversation.hash());
  EXPECT_EQ(chat->conversation.tokens().count(), plain->conversation.tokens().count() + 1);
  EXPECT_FALSE(
      read_openai_chat(with(R"(,{"role":"assistant","content":"So"}],"continue_final_message":true})"), kOptions));
  EXPECT_FALSE(read_openai_chat(with(R"(],"continue_final_message":true,"add_generation_prompt":false})"), kOptions));
  const auto messages =
      read_anthropic(with(R"(,{"role":"assistant","content":[{"type":"text","text":"So"}]}]})"), kOptions, false);
  ASSERT_TRUE(messages);
  EXPECT_EQ(messages->conversation.beginning(), "So");
  EXPECT_EQ(messages->conversation.hash(), plain->conversation.hash());
  EXPECT_FALSE(read_anthropic(with(R"(,{"role":"assistant","content":"So "}]})"), kOptions, false));
}

}  // namespace
}  // namespace llmgw::simulator
