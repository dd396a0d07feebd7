// What a client says in a way that its own API does not have, sent to another one's model.
#include "dialects/unknown_content.h"

#include <gtest/gtest.h>

#include "dialects/losses_test_support.h"

namespace llmgw::dialects {
namespace {

using namespace testing_support;

constexpr Dialect kAll[] = {Dialect::openai_chat, Dialect::openai_responses, Dialect::anthropic,
                            Dialect::gemini,      Dialect::bedrock,          Dialect::cohere};

struct Row {
  Dialect client;
  std::string path;
  std::string body;
};

std::string messages(std::string_view content) {
  return R"({"max_tokens":9,"messages":[{"role":"user","content":)" + std::string(content) + "}]}";
}

std::string system_of(std::string_view content) {
  return R"({"max_tokens":9,"system":)" + std::string(content) + R"(,"messages":[{"role":"user","content":[)" +
         R"({"type":"text","text":"q"}]}]})";
}

std::string contents(std::string_view parts) {
  return R"({"contents":[{"parts":)" + std::string(parts) + "}]}";
}

void expect_refused(const Row& row) {
  for (const Dialect dialect : kAll) {
    const Conversion done = convert(row.client, row.body, generous(dialect));
    if (dialect == row.client) {
      EXPECT_EQ(done.error, "") << row.body;
    } else {
      EXPECT_TRUE(done.error.starts_with(row.path + ": Expected ")) << row.body << "\n" << done.list() << done.body;
    }
  }
}

TEST(UnknownContent, OfTheUserIsRefusedWhereItStands) {
  const Row rows[] = {
      {Dialect::anthropic, "messages[0].content[0]", messages(R"([{"type":"input_text","text":"no"}])")},
      {Dialect::anthropic, "messages[0].content[1]", messages(R"([{"type":"text","text":"q"},{"text":"no"}])")},
      {Dialect::anthropic, "messages[0].content[0]", messages(R"([{"type":"text","content":"no"}])")},
      {Dialect::anthropic, "messages[0].content[0]", messages(R"([{"type":"image","source":{"type":"x"}}])")},
      {Dialect::openai_chat, "messages[0].content[1]",
       messages(R"([{"type":"text","text":"q"},{"type":"image","source":{"type":"base64","data":"AAAA"}}])")},
      {Dialect::cohere, "messages[0].content[1]", messages(R"([{"type":"text","text":"q"},{"type":"x","x":"no"}])")},
      {Dialect::bedrock, "messages[0].content[1]", messages(R"([{"text":"q"},{"typo":"no"}])")},
      {Dialect::bedrock, "messages[0].content[0]", messages(R"([{}])")},
      {Dialect::gemini, "contents[0].parts[1]", contents(R"([{"text":"q"},{"typo":{"text":"no"}}])")},
      {Dialect::gemini, "contents[0].parts[1]", contents(R"([{"text":"q"},{"txt":"no"}])")},
      {Dialect::openai_responses, "input[0]", R"({"input":[{"type":"input_text","text":"no"}]})"},
  };
  for (const Row& row : rows) expect_refused(row);
}

TEST(UnknownContent, OfTheSystemIsRefusedWhereItStands) {
  const Row rows[] = {
      {Dialect::anthropic, "system[1]", system_of(R"([{"type":"text","text":"s"},{"text":"no"}])")},
      {Dialect::openai_chat, "messages[0].content[0]",
       R"({"messages":[{"role":"system","content":[{"type":"x","text":"no"}]},{"role":"user","content":"q"}]})"},
      {Dialect::gemini, "systemInstruction.parts[0]",
       R"({"systemInstruction":{"parts":[{"txt":"no"}]},"contents":[{"parts":[{"text":"q"}]}]})"},
  };
  for (const Row& row : rows) expect_refused(row);
}

TEST(UnknownContent, OfAToolsResultIsRefusedWhereItStands) {
  const Row rows[] = {
      {Dialect::anthropic, "messages[2].content[0].content[1]",
       R"({"max_tokens":9,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[)"
       R"({"type":"tool_use","id":"t","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result",)"
       R"("tool_use_id":"t","content":[{"type":"text","text":"r"},{"text":"no"}]}]}]})"},
      {Dialect::openai_chat, "messages[2].content[0]",
       R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"t","type":"function",)"
       R"("function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"t","content":[{"type":"x"}]}]})"},
      {Dialect::bedrock, "messages[2].content[0].toolResult.content[0]",
       R"({"messages":[{"role":"user","content":[{"text":"q"}]},{"role":"assistant","content":[{"toolUse":)"
       R"({"toolUseId":"t","name":"f","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"t",)"
       R"("content":[{"txt":"no"}]}}]}]})"},
      {Dialect::gemini, "contents[1].parts[0].functionResponse.parts[0]",
       R"({"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"parts":[)"
       R"({"functionResponse":{"name":"f","response":{},"parts":[{"text":"no"}]}}]}]})"},
  };
  for (const Row& row : rows) expect_refused(row);
}

// Nothing that was there is passed over for its form either.
TEST(UnknownContent, IsNotWhatStandsWithoutItsObject) {
  const auto system = [](std::string_view parts) {
    return R"({"systemInstruction":{"parts":)" + std::string(parts) + R"(},"contents":[{"parts":[{"text":"q"}]}]})";
  };
  const Conversion text = convert(Dialect::gemini, system(R"("be kind")"), generous(Dialect::anthropic));
  EXPECT_NE(text.body.find("be kind"), std::string::npos) << text.list();
  const Conversion texts = convert(Dialect::gemini, system(R"(["be kind"])"), generous(Dialect::anthropic));
  EXPECT_TRUE(texts.error.starts_with("systemInstruction.parts: ")) << texts.list();
}

TEST(UnknownContent, AnUploadOfAnotherProviderIsRefusedAsSuch) {
  const std::string body = messages(R"([{"type":"text","text":"q"},{"type":"container_upload","file_id":"file_1"}])");
  for (const Dialect dialect : kAll) {
    const Conversion done = convert(Dialect::anthropic, body, generous(dialect));
    EXPECT_EQ(done.error.starts_with("messages[0].content[1]: a file uploaded to another provider"),
              dialect != Dialect::anthropic)
        << done.error;
  }
}

// Sent back, it is left out, and a warning says so.
TEST(UnknownContent, OfAModelOrItsProviderIsHistory) {
  const Row rows[] = {
      {Dialect::anthropic, "messages[1]",
       R"({"max_tokens":9,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[)"
       R"({"type":"text","text":"a"},{"type":"nobody_knows"}]},{"role":"user","content":"q"}]})"},
      {Dialect::anthropic, "messages[0]",
       messages(R"([{"type":"text","text":"q"},{"type":"web_search_tool_result","tool_use_id":"s","content":[]}])")},
      {Dialect::gemini, "contents[0]", contents(R"([{"text":"q"},{"executableCode":{"code":"1"}}])")},
      {Dialect::openai_responses, "input[1]",
       R"({"store":false,"input":[{"role":"user","content":"q"},{"type":"new_search_call","status":"completed"}]})"},
      {Dialect::openai_responses, "input[1]",
       R"({"store":false,"input":[{"role":"user","content":"q"},{"type":"mcp_approval_response","approve":true}]})"},
  };
  for (const Row& row : rows) {
    for (const Dialect dialect : kAll) {
      const Conversion done = convert(row.client, row.body, generous(dialect));
      EXPECT_EQ(done.error, "") << row.body;
      EXPECT_EQ(done.warned(row.path), dialect != row.client) << row.body << done.list();
    }
  }
}

}  // namespace
}  // namespace llmgw::dialects
