#include "gateway/call/answer_document.h"

#include <gtest/gtest.h>

namespace llmgw::gateway {
namespace {

using chat::Dialect;

bool may_be(Operation operation, Dialect dialect, std::string_view type, std::string_view document,
            bool stream = false) {
  static json::Parser parser;
  return may_be_answer(document, document_type(type), {.operation = operation, .dialect = dialect, .stream = stream},
                       parser);
}
bool chat(std::string_view document, std::string_view type = "application/json", bool stream = false) {
  return may_be(Operation::chat, Dialect::openai_chat, type, document, stream);
}

TEST(AnswerDocument, WhatProxiesAndEnginesSayWithA200IsNone) {
  for (const std::string_view document : {"",
                                          "  \n",
                                          "null",
                                          "true",
                                          "\"text\"",
                                          "7",
                                          "[]",
                                          "[ ]",
                                          "{}",
                                          " { } ",
                                          "upstream connect error",
                                          "<html>login</html>",
                                          R"({"choices":[)",
                                          R"({"choices":[]} more)",
                                          R"({"id": broken})",
                                          R"([{"id":"x"}])",
                                          R"({"error":{"message":"boom"}})",
                                          R"({"id":"x","error":{"message":"boom","type":"server_error"}})",
                                          R"({"id":"x","object":"chat.completion","error":"boom"})",
                                          R"({"object":"error","message":"boom"})",
                                          R"({"id":"x","choices":[{"error":{"code":502}}]})",
                                          R"({"type":"error","error":{}})"}) {
    for (const std::string_view type : {"application/json", "text/plain; charset=utf-8", "text/html", ""}) {
      EXPECT_FALSE(chat(document, type)) << document << " as " << type;
    }
    EXPECT_FALSE(chat(document, "application/json", true)) << document;
  }
}

TEST(AnswerDocument, WhatMayBeOne) {
  for (const std::string_view document :
       {R"({"choices":[]})", "\xef\xbb\xbf \r\n{\"id\":1}\n", R"({"id":"x","error":null,"choices":[]})",
        R"({"id":"x","error":"","choices":[{"message":{"content":"\"error\": {}"}}]})",
        R"({"choices":[{"message":{"tool_calls":[{"function":{"arguments":"{\"error\":{\"a\":1}}"}}]}}]})"}) {
    EXPECT_TRUE(chat(document)) << document;
    EXPECT_TRUE(chat(document, "text/plain")) << document;
  }
  // A stream under a wrong type, and what the type says is something else.
  EXPECT_TRUE(chat("data: {\"choices\":[]}\n\n", "application/json", true));
  EXPECT_FALSE(chat("data: {\"choices\":[]}\n\n", "application/json", false));
  EXPECT_TRUE(chat("{\"a\":1}\n{\"b\":2}\n", "application/x-ndjson", true));
  EXPECT_TRUE(chat("x", "application/octet-stream"));
}

TEST(AnswerDocument, SoundTranscriptsAndListsMayBeAnything) {
  const auto transcript = [](std::string_view type, std::string_view document) {
    return may_be(Operation::audio_transcription, Dialect::openai_rest, type, document);
  };
  EXPECT_TRUE(transcript("text/plain", "[Music] hello"));
  EXPECT_TRUE(transcript("text/plain", ""));
  EXPECT_TRUE(transcript("text/vtt", "WEBVTT\n"));
  EXPECT_TRUE(transcript("application/json", "\"hello\""));
  EXPECT_TRUE(transcript("application/json", R"({"text":"hello"})"));
  EXPECT_FALSE(transcript("application/json", R"({"text":)"));
  EXPECT_FALSE(transcript("application/json", R"({"id":"x","error":{"message":"boom"}})"));
  EXPECT_FALSE(transcript("application/json", ""));
  EXPECT_TRUE(may_be(Operation::audio_speech, Dialect::openai_rest, "audio/pcm", "{\x01\x02"));
  EXPECT_TRUE(may_be(Operation::images, Dialect::openai_rest, "image/png", "\x89PNG"));
  EXPECT_TRUE(may_be(Operation::rerank, Dialect::openai_rest, "application/json", R"([{"index":0}])"));
  EXPECT_FALSE(may_be(Operation::rerank, Dialect::openai_rest, "application/json", "[]"));
  EXPECT_FALSE(may_be(Operation::embeddings, Dialect::openai_rest, "text/plain", "no"));
  EXPECT_TRUE(may_be(Operation::generate_content, Dialect::gemini, "application/json", R"([{"candidates":[]}])"));
}

TEST(AnswerDocument, AnObjectThatTheProviderKeepsMayHaveFailed) {
  const auto job = [](std::string_view document) {
    return may_be(Operation::fine_tuning, Dialect::openai_rest, "application/json", document);
  };
  EXPECT_TRUE(job(R"({"id":"ftjob","status":"failed","error":{"code":"x","message":"no"}})"));
  EXPECT_TRUE(job("{}"));
  EXPECT_FALSE(job(R"({"error":{"message":"no"}})"));
  EXPECT_TRUE(may_be(Operation::files, Dialect::openai_rest, "application/jsonl", "{\"a\":1}\n{\"b\":2}\n"));
}

}  // namespace
}  // namespace llmgw::gateway
