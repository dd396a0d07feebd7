#include "gateway/conversion/tagged_signatures.h"

#include <gtest/gtest.h>

#include <string>

#include "base/arena.h"
#include "chat/signature.h"

namespace llmgw::gateway {
namespace {

using chat::Dialect;

TEST(TaggedSignatures, AreFoundWhereverTheyStand) {
  base::Arena arena;
  const chat::Signature signature{.minter = chat::Minter::anthropic, .model = "claude", .data = "c2ln"};
  const std::string text(chat::wrap_signature(signature, arena));
  const std::string bytes(chat::wrap_signature_base64(signature, arena));
  for (size_t before = 0; before < 200; ++before) {
    for (const size_t behind : {size_t{0}, size_t{1}, size_t{70}}) {
      const std::string in_text = std::string(before, 'l') + text + std::string(behind, 'w');
      const std::string in_bytes = std::string(before, 'b') + bytes + std::string(behind, 'G');
      for (const Dialect dialect : {Dialect::anthropic, Dialect::openai_responses, Dialect::openai_chat}) {
        EXPECT_TRUE(may_hold_tagged_signature(in_text, dialect)) << before;
      }
      EXPECT_TRUE(may_hold_tagged_signature(in_bytes, Dialect::gemini)) << before;
      EXPECT_TRUE(may_hold_tagged_signature(in_bytes, Dialect::vertex)) << before;
      EXPECT_TRUE(may_hold_tagged_signature(in_bytes, Dialect::bedrock)) << before;
      EXPECT_TRUE(may_hold_tagged_signature(in_text, Dialect::bedrock)) << before;
    }
  }
}

TEST(TaggedSignatures, UnsignedThoughts) {
  json::Parser parser;
  for (const char* body : {R"({"type":"thinking","thinking":"x","signature":""})", R"({"signature" : "" })",
                           R"([{"signature":"abc"},{"signature":null}])"}) {
    EXPECT_TRUE(may_hold_unsigned_thought(body, Dialect::anthropic, parser)) << body;
    EXPECT_FALSE(may_hold_unsigned_thought(body, Dialect::openai_chat, parser)) << body;
  }
  for (const char* body : {R"({"type":"thinking","thinking":"x","signature":"abc"})",
                           R"({"text":"\"signature\":\"\""})", R"({"signature")", R"({"signature":)", "{}"}) {
    EXPECT_FALSE(may_hold_unsigned_thought(body, Dialect::anthropic, parser)) << body;
  }
  const std::string begins =
      R"({"messages":[{"content":[{"text":"x"},{"reasoningContent":{"reasoningText":{"text":"t")";
  EXPECT_TRUE(may_hold_unsigned_thought(begins + "}}}]}]}", Dialect::bedrock, parser));
  EXPECT_TRUE(may_hold_unsigned_thought(begins + R"(,"signature":""}}}]}]})", Dialect::bedrock, parser));
  EXPECT_FALSE(may_hold_unsigned_thought(begins + R"(,"signature":"s"}}}]}]})", Dialect::bedrock, parser));
  EXPECT_FALSE(may_hold_unsigned_thought(begins, Dialect::bedrock, parser));
}

TEST(TaggedSignatures, OtherTextsHaveNone) {
  EXPECT_FALSE(may_hold_tagged_signature("", Dialect::anthropic));
  EXPECT_FALSE(may_hold_tagged_signature(std::string(500, 'l') + "lgw2:", Dialect::anthropic));
  std::string near;
  for (int i = 0; i < 100; ++i) near += "lgw1 lgw:bGd3 ";
  EXPECT_FALSE(may_hold_tagged_signature(near, Dialect::anthropic));
  EXPECT_FALSE(may_hold_tagged_signature(near, Dialect::gemini));
}

}  // namespace
}  // namespace llmgw::gateway
