#include "chat/client_field.h"

#include <gtest/gtest.h>

#include "base/arena.h"
#include "chat/warning.h"

namespace llmgw::chat {
namespace {

TEST(ClientField, EveryDialectsOwnNames) {
  struct Case {
    Dialect client;
    std::string_view field;
    std::string_view name;
  };
  constexpr Case kCases[] = {
      {Dialect::openai_chat, "max_tokens", "max_tokens"},
      {Dialect::openai_chat, "reasoning", "reasoning_effort"},
      {Dialect::azure, "stop", "stop"},
      {Dialect::openai_responses, "max_tokens", "max_output_tokens"},
      {Dialect::openai_responses, "reasoning_effort", "reasoning.effort"},
      {Dialect::openai_responses, "seed", "seed"},
      {Dialect::anthropic, "stop", "stop_sequences"},
      {Dialect::anthropic, "user", "metadata.user_id"},
      {Dialect::gemini, "top_k", "generationConfig.topK"},
      {Dialect::vertex, "metadata", "labels"},
      {Dialect::bedrock, "temperature", "inferenceConfig.temperature"},
      {Dialect::cohere, "top_p", "p"},
      {Dialect::openai_chat, "tool_calls", "messages"},
      {Dialect::openai_responses, "tool_calls", "input"},
      {Dialect::gemini, "contents[2].parts[1]", "contents[2].parts[1]"},
  };
  for (const Case& c : kCases) EXPECT_EQ(client_field(c.client, c.field), c.name);
}

TEST(ClientField, WarningsTellThem) {
  base::Arena arena;
  Warnings warnings(arena, Dialect::bedrock);
  warnings.dropped("metadata", "no place");
  EXPECT_EQ(warnings.header(), R"(dropped;field="requestMetadata";reason="no place")");
}

TEST(ClientField, TheClientsOwnSpellingGoesFirst) {
  base::Arena arena;
  Warnings warnings(arena, Dialect::anthropic);
  List<Spelling> spellings;
  spellings.push(arena, {.field = "reasoning", .client = "output_config.effort"});
  warnings.speak_as(spellings);
  warnings.changed("reasoning", "nearest");
  warnings.dropped("stop", "none");
  EXPECT_EQ(warnings.name_of("reasoning"), "output_config.effort");
  EXPECT_EQ(warnings.header(),
            R"(changed;field="output_config.effort";reason="nearest", dropped;field="stop_sequences";reason="none")");
  // Those of the target that gave way to another are no loss.
  warnings.leave_out(3);
  warnings.keep_first(1);
  EXPECT_EQ(warnings.header(), R"(changed;field="output_config.effort";reason="nearest")");
}

TEST(ClientField, AnElementIsNamedWhereTheClientHasIt) {
  base::Arena arena;
  Warnings warnings(arena, Dialect::openai_responses);
  List<Spelling> spellings;
  spellings.push(arena, {.field = "input[0]", .client = "previous_response_id"});
  spellings.push(arena, {.field = "input[12]", .client = "input[0]"});
  warnings.speak_as(spellings);
  EXPECT_EQ(warnings.name_of("input[0].content[1]"), "previous_response_id");
  EXPECT_EQ(warnings.name_of("input[11]"), "previous_response_id");
  EXPECT_EQ(warnings.name_of("input[12].content[3].x"), "input[0].content[3].x");
  EXPECT_EQ(warnings.name_of("input[14]"), "input[2]");
  for (const char* const other : {"tools[12]", "input", "input[", "input[]", "input[x]", "input[12", "[0]"}) {
    EXPECT_EQ(warnings.name_of(other), other);
  }
  List<Spelling> text;
  text.push(arena, {.field = "input[3]", .client = "input"});
  warnings.speak_as(text);
  EXPECT_EQ(warnings.name_of("input[3].content"), "input");
  EXPECT_EQ(warnings.name_of("input[2]"), "input[2]");
}

TEST(ClientField, LongNamesAreCut) {
  base::Arena arena;
  Warnings warnings(arena);
  warnings.dropped(std::string(Warnings::kFieldBytesMax + 1, 'x'), "long");
  ASSERT_EQ(warnings.list().size(), 1U);
  EXPECT_EQ(warnings.list()[0].field, std::string(Warnings::kFieldBytesMax, 'x') + "...");
}

}  // namespace
}  // namespace llmgw::chat
