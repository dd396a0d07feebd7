#include "dialects/provider_error.h"

#include <gtest/gtest.h>

#include "dialects/codec.h"
#include "dialects/error.h"
#include "json/reader.h"

namespace llmgw::dialects {
namespace {

using chat::Dialect;
using chat::ErrorKind;

struct Case {
  std::string_view who;
  Dialect dialect;
  int status;
  std::string_view body;
};

// As the providers and engines say it (August 2026).
const Case kTooLong[] = {
    {"OpenAI", Dialect::openai_chat, 400,
     R"({"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in )"
     R"(9000 tokens. Please reduce the length of the messages.","type":"invalid_request_error","param":"messages",)"
     R"("code":"context_length_exceeded"}})"},
    {"OpenAI Responses", Dialect::openai_responses, 400,
     R"({"error":{"message":"Your input exceeds the context window of this model. Please adjust your input and try )"
     R"(again.","type":"invalid_request_error","param":"input","code":null}})"},
    {"Azure", Dialect::azure, 400,
     R"({"error":{"message":"This model's maximum context length is 16385 tokens. However, your messages resulted in )"
     R"(17000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})"},
    {"vLLM", Dialect::openai_chat, 400,
     R"({"object":"error","message":"This model's maximum context length is 2048 tokens. However, you requested 2600 )"
     R"(tokens in the messages, Please reduce the length of the messages.","type":"BadRequestError","param":null,)"
     R"("code":400})"},
    {"vLLM's engine", Dialect::openai_chat, 400,
     R"({"error":{"message":"The decoder prompt (length 32790) is longer than the maximum model length of 32768. Make )"
     R"(sure that `max_model_len` is no smaller than the number of text tokens.","type":"BadRequestError",)"
     R"("param":null,"code":400}})"},
    {"SGLang", Dialect::openai_chat, 400,
     R"({"object":"error","message":"The input (9000 tokens) is longer than the model's context length (8192 )"
     R"(tokens).","type":"BadRequestError","param":null,"code":400})"},
    {"SGLang's scheduler", Dialect::openai_chat, 400,
     R"({"object":"error","message":"Input length (9000 tokens) exceeds the maximum allowed length (8186 tokens). Use a )"
     R"(shorter input or enable --allow-auto-truncate.","type":"BadRequestError","param":null,"code":400})"},
    {"llama.cpp", Dialect::openai_chat, 400,
     R"({"error":{"code":400,"message":"the request exceeds the available context size. try increasing the context )"
     R"(size or enable context shift","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}})"},
    {"llama.cpp, by its type", Dialect::openai_chat, 400,
     R"({"error":{"code":400,"message":"request (9000 tokens) is too much","type":"exceed_context_size_error"}})"},
    {"Ollama", Dialect::openai_chat, 400,
     R"({"error":{"message":"the input length exceeds the context length","type":"api_error","param":null,)"
     R"("code":null}})"},
    {"TGI", Dialect::openai_chat, 422,
     R"({"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` )"
     R"(tokens and 20 `max_new_tokens`","error_type":"validation"})"},
    {"Mistral", Dialect::openai_chat, 400,
     R"({"object":"error","message":"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 )"
     R"(maximum context length","type":"invalid_request_prompt","param":null,"code":"3051"})"},
    {"Groq", Dialect::openai_chat, 400,
     R"({"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error",)"
     R"("param":"messages","code":"context_length_exceeded"}})"},
    {"xAI", Dialect::openai_chat, 400,
     R"({"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the )"
     R"(request contains 531015 tokens."})"},
    {"OpenRouter", Dialect::openai_chat, 400,
     R"({"error":{"message":"This endpoint's maximum context length is 8192 tokens. However, you requested about 9000 )"
     R"(tokens.","code":400}})"},
    {"Anthropic", Dialect::anthropic, 400,
     R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 213462 tokens > 200000 )"
     R"(maximum"}})"},
    {"Anthropic, with max_tokens", Dialect::anthropic, 400,
     R"({"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context )"
     R"(limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again"}})"},
    {"Gemini", Dialect::gemini, 400,
     R"({"error":{"code":400,"message":"The input token count (1105800) exceeds the maximum number of tokens allowed )"
     R"((1048576).","status":"INVALID_ARGUMENT"}})"},
    {"Vertex", Dialect::vertex, 400,
     R"({"error":{"code":400,"message":"Unable to submit request because the input token count is 37333 but model only )"
     R"(supports up to 32768. Reduce the input token count and try again.","status":"INVALID_ARGUMENT"}})"},
    {"Bedrock", Dialect::bedrock, 400, R"({"message":"Input is too long for requested model."})"},
    {"Bedrock's Titan", Dialect::bedrock, 400,
     R"({"message":"Too many input tokens. Max input tokens: 8192, request input token count: 9000 "})"},
    {"Bedrock's Llama", Dialect::bedrock, 400,
     R"({"message":"This model's maximum context length is 8192 tokens. Please reduce the length of the prompt"})"},
    {"Cohere", Dialect::cohere, 400,
     R"({"id":"1","message":"too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer inputs, )"
     R"(or setting prompt_truncation='AUTO'."})"},
};

const Case kFiltered[] = {
    {"OpenAI", Dialect::openai_chat, 400,
     R"({"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy.",)"
     R"("type":"invalid_request_error","param":null,"code":"invalid_prompt"}})"},
    {"OpenAI's pictures", Dialect::openai_rest, 400,
     R"({"error":{"message":"Your request was rejected by our safety system.","type":"image_generation_user_error",)"
     R"("param":null,"code":"moderation_blocked"}})"},
    {"Azure", Dialect::azure, 400,
     R"({"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management )"
     R"(policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":)"
     R"("ResponsibleAIPolicyViolation"}}})"},
    {"Moonshot", Dialect::openai_chat, 400,
     R"({"error":{"message":"The request was rejected because it was considered high risk","type":"content_filter"}})"},
    {"DeepSeek", Dialect::openai_chat, 400,
     R"({"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,"code":)"
     R"("invalid_request_error"}})"},
    {"Qwen", Dialect::openai_chat, 400,
     R"({"error":{"code":"data_inspection_failed","message":"Input data may contain inappropriate content."}})"},
    {"Anthropic", Dialect::anthropic, 400,
     R"({"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering )"
     R"(policy"}})"},
};

// What no other model would take either, or is no matter of the prompt.
const Case kOthers[] = {
    {"a bad value", Dialect::openai_chat, 400,
     R"({"error":{"message":"content_filter is no parameter","type":"invalid_request_error","code":"invalid_value"}})"},
    {"a limit", Dialect::openai_chat, 429,
     R"({"error":{"message":"Request too large for gpt-4: maximum context length is not the matter","type":"tokens",)"
     R"("code":"rate_limit_exceeded"}})"},
    {"Bedrock's limit", Dialect::bedrock, 429, R"({"message":"Too many tokens, please wait before trying again."})"},
    {"too many bytes", Dialect::anthropic, 413,
     R"({"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}})"},
    {"a failure", Dialect::openai_chat, 500, R"({"error":{"message":"prompt is too long for me","code":500}})"},
};

class ProviderError : public testing::Test {
 protected:
  chat::ClientError read(const Case& c) {
    const Codec* codec = find_codec(c.dialect);
    if (codec == nullptr) codec = find_codec(Dialect::openai_chat);
    return codec->read_error(c.status, c.body, {}, {.parser = parser_, .arena = arena_});
  }

 private:
  json::Parser parser_;
  base::Arena arena_;
};

TEST_F(ProviderError, APromptThatIsTooLongIsOneInEverybodysWords) {
  for (const Case& c : kTooLong) {
    const chat::ClientError error = read(c);
    EXPECT_EQ(unfit(error), Unfit::too_long) << c.who << ": " << error.message;
    EXPECT_EQ(error.code, kContextLengthExceeded) << c.who;
    EXPECT_EQ(error.kind, ErrorKind::invalid_request) << c.who;
  }
}

TEST_F(ProviderError, AFilteredPromptIsOne) {
  for (const Case& c : kFiltered) EXPECT_EQ(unfit(read(c)), Unfit::filtered) << c.who;
}

TEST_F(ProviderError, OthersAreNeither) {
  for (const Case& c : kOthers) EXPECT_EQ(unfit(read(c)), Unfit::no) << c.who;
}

// Agents shorten their prompts by the words or the code of the API that they speak.
TEST_F(ProviderError, EveryClientGetsItsOwnWordsForATooLongPrompt) {
  struct Home {
    Dialect dialect;
    std::string_view sign;
  };
  const Home homes[] = {{Dialect::openai_chat, R"("code":"context_length_exceeded")"},
                        {Dialect::openai_responses, R"("code":"context_length_exceeded")"},
                        {Dialect::azure, R"("code":"context_length_exceeded")"},
                        {Dialect::anthropic, "prompt is too long"},
                        {Dialect::gemini, "exceeds the maximum number of tokens allowed"},
                        {Dialect::vertex, "exceeds the maximum number of tokens allowed"},
                        {Dialect::bedrock, "nput is too long"},
                        {Dialect::cohere, "too many tokens"}};
  for (const Home& home : homes) {
    for (const Case& c : kTooLong) {
      const chat::ClientError error = read(c);
      const ErrorAnswer answer = write_error(home.dialect, chat::Framing::json, error, "r");
      EXPECT_NE(answer.body.find(home.sign), std::string::npos) << c.who << ": " << answer.body;
      EXPECT_EQ(answer.status, c.status == 422 && home.dialect != Dialect::openai_chat ? answer.status : c.status);
    }
  }
  const std::string own = write_error(Dialect::anthropic, chat::Framing::json, read(kTooLong[15]), "r").body;
  EXPECT_EQ(own.find("prompt is too long"), own.rfind("prompt is too long")) << "not said twice: " << own;
}

}  // namespace
}  // namespace llmgw::dialects
