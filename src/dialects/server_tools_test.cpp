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

// OpenAI's, OpenRouter's and xAI's words of Chat Completions, which have no tool for it.
TEST(ServerTools, AChatClientsSearchBecomesTheTargetsTool) {
  constexpr std::string_view kOptions =
      R"("web_search_options":{"search_context_size":"high","user_location":{"type":"approximate",
         "approximate":{"city":"Bern","country":"CH","region":null}}})";
  constexpr std::string_view kPlugins =
      R"("plugins":[{"id":"web","max_results":3,"exclude_domains":["c.d"]},{"id":"file-parser"}])";
  constexpr std::string_view kParameters =
      R"("search_parameters":{"mode":"on","from_date":"2026-01-01","return_citations":true,
         "sources":[{"type":"web","allowed_websites":["a.b"],"country":"CH"},{"type":"x"}]})";
  struct Row {
    std::string_view asked;
    Dialect target;
    std::string sent;
    std::vector<std::string> warned = {};
  };
  const std::string claude = R"({"type":"web_search_20250305","name":"web_search")";
  const std::string google = R"({"googleSearch":{}})";
  const Row rows[] = {
      {kOptions,
       Dialect::anthropic,
       claude + "," + std::string(kPlace) + "}",
       {"web_search_options.search_context_size"}},
      {kOptions, Dialect::openai_responses,
       R"({"type":"web_search",)" + std::string(kPlace) + R"(,"search_context_size":"high"})"},
      {kOptions,
       Dialect::gemini,
       google,
       {"web_search_options.search_context_size", "web_search_options.user_location"}},
      {R"("web_search_options":{})", Dialect::anthropic, claude + "}"},
      {kPlugins,
       Dialect::anthropic,
       claude + R"(,"blocked_domains":["c.d"]})",
       {"plugins[0].max_results", "plugins[1]"}},
      {kParameters,
       Dialect::anthropic,
       claude + R"(,"allowed_domains":["a.b"],"user_location":{"type":"approximate","country":"CH"}})",
       {"search_parameters.from_date", "search_parameters.sources[1]"}},
  };
  for (const Row& row : rows) {
    const std::string body =
        R"({"max_tokens":9000,"messages":[{"role":"user","content":"q"}],)" + std::string(row.asked) + "}";
    const Conversion done = convert(Dialect::openai_chat, body, target_of(row.target));
    EXPECT_EQ(done.error, "");
    EXPECT_NE(done.body.find(R"("tools":[)" + row.sent + "]"), std::string::npos) << done.body << done.list();
    for (const std::string& field : row.warned) EXPECT_TRUE(done.warned(field)) << field << done.list();
    EXPECT_EQ(done.warnings.size(), row.warned.size()) << done.body << done.list();
    // Who has no search.
    const std::string name(row.asked.substr(1, row.asked.find('"', 1) - 1));
    for (const Dialect dialect : {Dialect::bedrock, Dialect::cohere}) {
      const Conversion without = convert(Dialect::openai_chat, body, target_of(dialect));
      EXPECT_TRUE(without.warned(name)) << without.body << without.list();
      EXPECT_EQ(without.body.find("\"tools\""), std::string::npos) << without.body;
    }
  }
  const std::string off = R"({"messages":[{"role":"user","content":"q"}],"search_parameters":{"mode":"off"}})";
  for (const Dialect dialect : {Dialect::gemini, Dialect::bedrock}) {
    const Conversion done = convert(Dialect::openai_chat, off, target_of(dialect));
    EXPECT_EQ(done.body.find("\"tools\""), std::string::npos) << done.body;
    EXPECT_TRUE(done.warnings.empty()) << done.list();
  }
}

TEST(ServerTools, ASearchGoesToChatModelsThatSearch) {
  const std::string sized = R"({"type":"web_search","search_context_size":"low",)" + std::string(kPlace) + "}";
  chat::Target target = target_of(Dialect::openai_chat);
  target.model = "gpt-5-search-api";
  const Conversion openai = convert(Dialect::openai_responses, body_of(Dialect::openai_responses, sized), target);
  EXPECT_NE(openai.body.find(R"("web_search_options":{"search_context_size":"low","user_location":)"
                             R"({"type":"approximate","approximate":{"city":"Bern","country":"CH"}}})"),
            std::string::npos)
      << openai.body;
  EXPECT_TRUE(openai.warnings.empty()) << openai.list();
  target.model = "openai/gpt-5.2";
  target.vendor = "openrouter";
  target.minter = chat::Minter::other;
  const Conversion router = convert(Dialect::anthropic, body_of(Dialect::anthropic, kAnthropic), target);
  EXPECT_NE(router.body.find(R"("plugins":[{"id":"web"}])"), std::string::npos) << router.body;
  EXPECT_EQ(router.body.find("\"tools\""), std::string::npos) << router.body;
  EXPECT_TRUE(router.warned("tools[0].allowed_domains") && router.warned("tools[0].user_location")) << router.list();
  // Nobody can be made to search there.
  const std::string forced = body_of(Dialect::anthropic, kAnthropic, R"(,"tool_choice":{"type":"any"})");
  EXPECT_TRUE(convert(Dialect::anthropic, forced, target).error.starts_with("tool_choice"));
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
