#include "dialects/server_tools.h"

#include <gtest/gtest.h>

#include "dialects/losses_test_support.h"

namespace llmgw::dialects {
namespace {

using namespace testing_support;

std::string body_of(Dialect client, std::string_view tools, std::string_view more = "") {
  switch (client) {
    case Dialect::gemini:
      return R"({"contents":[{"role":"user","parts":[{"text":"q"}]}],"tools":[)" + std::string(tools) + "]" +
             std::string(more) + "}";
    case Dialect::openai_responses:
      return R"({"input":"q","tools":[)" + std::string(tools) + "]" + std::string(more) + "}";
    default:
      return R"({"max_tokens":9000,"messages":[{"role":"user","content":"q"}],"tools":[)" + std::string(tools) + "]" +
             std::string(more) + "}";
  }
}

constexpr std::string_view kPlace = R"("user_location":{"type":"approximate","city":"Bern","country":"CH"})";
const std::string kResponses = R"({"type":"web_search","filters":{"allowed_domains":["a.b"]},)" + std::string(kPlace) +
                               R"(,"search_context_size":"medium"})";
const std::string kAnthropic =
    R"({"type":"web_search_20250305","name":"web_search","allowed_domains":["a.b"],)" + std::string(kPlace) + "}";

chat::Target target_of(Dialect dialect) {
  chat::Target target = generous(dialect);
  if (dialect == Dialect::gemini) target.reasoning = chat::ReasoningStyle::gemini_level;
  return target;
}

TEST(ServerTools, AWebSearchGoesOverInTheTargetsWords) {
  struct Row {
    Dialect client;
    std::string tool;
    Dialect target;
    std::string sent;
    std::vector<std::string> warned = {};
  };
  const std::string google = R"({"googleSearch":{}})";
  const Row rows[] = {
      {Dialect::openai_responses, kResponses, Dialect::anthropic, kAnthropic},
      {Dialect::openai_responses, R"({"type":"web_search_preview"})", Dialect::gemini, google},
      {Dialect::openai_responses,
       kResponses,
       Dialect::gemini,
       google,
       {"tools[0].filters.allowed_domains", "tools[0].user_location"}},
      {Dialect::anthropic, kAnthropic, Dialect::openai_responses,
       R"({"type":"web_search","filters":{"allowed_domains":["a.b"]},)" + std::string(kPlace) + "}"},
      {Dialect::anthropic,
       R"({"type":"web_search_20250305","name":"web_search","max_uses":3,"blocked_domains":["c.d"]})",
       Dialect::openai_responses,
       R"({"type":"web_search"})",
       {"tools[0].max_uses", "tools[0].blocked_domains"}},
      {Dialect::gemini, google, Dialect::anthropic, R"({"type":"web_search_20250305","name":"web_search"})"},
      {Dialect::gemini, google, Dialect::openai_responses, R"({"type":"web_search"})"},
      {Dialect::gemini, R"({"googleSearch":{"excludeDomains":["c.d"]}})", Dialect::anthropic,
       R"({"type":"web_search_20250305","name":"web_search","blocked_domains":["c.d"]})"},
  };
  for (const Row& row : rows) {
    const Conversion done = convert(row.client, body_of(row.client, row.tool), target_of(row.target));
    EXPECT_EQ(done.error, "");
    EXPECT_NE(done.body.find(R"("tools":[)" + row.sent + "]"), std::string::npos) << done.body << done.list();
    for (const std::string& field : row.warned) EXPECT_TRUE(done.warned(field)) << field << done.list();
    EXPECT_EQ(done.warnings.size(), row.warned.size()) << done.body << done.list();
  }
}

TEST(ServerTools, WhoHasNoSearchIsToldSo) {
  const std::pair<Dialect, std::string> clients[] = {{Dialect::openai_responses, kResponses},
                                                     {Dialect::anthropic, kAnthropic},
                                                     {Dialect::gemini, R"({"googleSearch":{}})"}};
  for (const auto& [client, tool] : clients) {
    for (const Dialect dialect : {Dialect::openai_chat, Dialect::bedrock, Dialect::cohere}) {
      const Conversion done = convert(client, body_of(client, tool), target_of(dialect));
      EXPECT_EQ(done.error, "");
      EXPECT_EQ(done.body.find(R"("tools")"), std::string::npos) << done.body;
      EXPECT_NE(done.list().find("this provider's API has no web search"), std::string::npos) << done.list();
    }
    // A host of Claude and a vendor with OpenAI's API are not the provider itself.
    for (const Dialect dialect : {Dialect::anthropic, Dialect::openai_responses}) {
      if (dialect == client) continue;
      chat::Target other = target_of(dialect);
      other.minter = dialect == Dialect::anthropic ? chat::Minter::bedrock : chat::Minter::other;
      const Conversion done = convert(client, body_of(client, tool), other);
      EXPECT_EQ(done.body.find(R"("tools")"), std::string::npos) << done.body;
      EXPECT_NE(done.list().find("this provider's API has no web search"), std::string::npos) << done.list();
    }
  }
  // Before Gemini 3.
  const std::string both =
      R"({"name":"f","input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"web_search"})";
  const Conversion old = convert(Dialect::anthropic, body_of(Dialect::anthropic, both), generous(Dialect::gemini));
  EXPECT_NE(old.list().find("functions or a search, not both"), std::string::npos) << old.body << old.list();
  const Conversion alone =
      convert(Dialect::anthropic, body_of(Dialect::anthropic, kAnthropic), generous(Dialect::gemini));
  EXPECT_NE(alone.body.find("googleSearch"), std::string::npos) << alone.body;
}

// No list of tools is sent that has none in it.
TEST(ServerTools, ADroppedToolLeavesNoEmptyList) {
  const std::string code = R"({"type":"code_execution_20250522","name":"code_execution"})";
  for (const Dialect dialect : kCodecDialects) {
    if (dialect == Dialect::anthropic) continue;
    const Conversion done = convert(Dialect::anthropic, body_of(Dialect::anthropic, code), target_of(dialect));
    EXPECT_EQ(done.error, "");
    EXPECT_EQ(done.body.find(R"("tools")"), std::string::npos) << done.body;
    EXPECT_TRUE(done.warned("tools[0]")) << done.list();
  }
}

TEST(ServerTools, AToolThatHasToBeCalledMustBeThere) {
  const std::string code = R"({"type":"code_execution_20250522","name":"code_execution"})";
  for (const Dialect dialect : kCodecDialects) {
    if (dialect == Dialect::anthropic) continue;
    for (const char* const choice :
         {R"(,"tool_choice":{"type":"any"})", R"(,"tool_choice":{"type":"tool","name":"code_execution"})"}) {
      const Conversion done =
          convert(Dialect::anthropic, body_of(Dialect::anthropic, code, choice), target_of(dialect));
      EXPECT_TRUE(done.error.starts_with("tool_choice")) << to_string(dialect) << done.body << done.error;
    }
  }
  // A search can be forced where it has a name.
  const std::string_view named = R"(,"tool_choice":{"type":"tool","name":"web_search"})";
  const std::string asked = body_of(Dialect::anthropic, kAnthropic, named);
  const Conversion responses = convert(Dialect::anthropic, asked, target_of(Dialect::openai_responses));
  EXPECT_NE(responses.body.find(R"("tool_choice":{"type":"web_search"})"), std::string::npos) << responses.body;
  EXPECT_TRUE(convert(Dialect::anthropic, asked, target_of(Dialect::gemini)).error.starts_with("tool_choice"));
  const std::string hosted = body_of(Dialect::openai_responses, kResponses, R"(,"tool_choice":{"type":"web_search"})");
  const Conversion claude = convert(Dialect::openai_responses, hosted, target_of(Dialect::anthropic));
  EXPECT_NE(claude.body.find(R"("tool_choice":{"type":"tool","name":"web_search"})"), std::string::npos)
      << claude.body << claude.list();
  EXPECT_TRUE(convert(Dialect::openai_responses, hosted, target_of(Dialect::cohere)).error.starts_with("tool_choice"));
}

}  // namespace
}  // namespace llmgw::dialects
