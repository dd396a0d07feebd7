#include "dialects/gemini/request_writer.h"

#include <gtest/gtest.h>

#include "dialects/codec_test_support.h"
#include "dialects/gemini/codec.h"

namespace llmgw::dialects::gemini {
namespace {

using namespace testing_support;

chat::Target target(bool third) {
  chat::Target t{.dialect = chat::Dialect::gemini, .minter = chat::Minter::gemini, .model = "gemini-x"};
  t.top_k = true;
  t.tool_result_images = third;
  t.tool_schema = chat::SchemaSubset::gemini_json;
  t.output_schema = chat::SchemaSubset::gemini_json;
  t.reasoning = third ? chat::ReasoningStyle::gemini_level : chat::ReasoningStyle::gemini_budget;
  t.budget_min = 128;
  t.budget_max = 24'576;
  return t;
}

struct Row {
  const char* name;
  bool third;  // a model of the third generation
  const char* in;
  const char* out;
  const char* warnings = "";  // joined by commas
};

const Row
    kRows
        [] =
            {
                {"text_and_settings", false,
                 R"j({"contents":"hi","systemInstruction":"be","generationConfig":{"temperature":0.50,"topK":40.0,"maxOutputTokens":9,"stopSequences":["x"],"seed":1.0,"responseModalities":["TEXT"]}})j",
                 R"j({"contents":[{"role":"user","parts":[{"text":"hi"}]}],"systemInstruction":{"parts":[{"text":"be"}]},"generationConfig":{"temperature":0.50,"topK":40,"seed":1,"maxOutputTokens":9,"stopSequences":["x"]}})j"},
                {"calls_get_ids_and_results_their_calls", false,
                 R"j({"contents":[{"parts":[{"text":"q"}]},{"role":"model","parts":[{"functionCall":{"name":"a"}},{"functionCall":{"name":"a","args":{"n":1}}}]},{"role":"function","parts":[{"functionResponse":{"name":"a","response":{"r":1}}},{"functionResponse":{"name":"a","response":{"error":"no"}}},{"text":"and?"}]}]})j",
                 R"j({"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"functionCall":{"id":"call_1","name":"a","args":{}}},{"functionCall":{"id":"call_2","name":"a","args":{"n":1}}}]},{"role":"user","parts":[{"functionResponse":{"id":"call_1","name":"a","response":{"r":1}}},{"functionResponse":{"id":"call_2","name":"a","response":{"error":"no"}}}]},{"role":"user","parts":[{"text":"and?"}]}],"generationConfig":{}})j"},
                {"an_unsigned_first_call_passes_the_check", true,
                 R"j({"contents":[{"parts":[{"text":"q"}]},{"role":"model","parts":[{"functionCall":{"id":"1","name":"a"}},{"functionCall":{"id":"2","name":"b"},"thoughtSignature":"QUJD"}]},{"parts":[{"functionResponse":{"id":"2","name":"b","response":{}}},{"functionResponse":{"id":"1","name":"a","response":{}}}]}]})j",
                 R"j({"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"functionCall":{"id":"1","name":"a","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"id":"2","name":"b","args":{}},"thoughtSignature":"QUJD"}]},{"role":"user","parts":[{"functionResponse":{"id":"1","name":"a","response":{}}},{"functionResponse":{"id":"2","name":"b","response":{}}}]}],"generationConfig":{}})j"},
                {"media", true,
                 R"j({"contents":[{"parts":[{"inline_data":{"mime_type":"image/png","data":"_-8"}},{"fileData":{"fileUri":"https://youtu.be/x"},"videoMetadata":{"fps":2}}]}]})j",
                 R"j({"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"/+8="}}]}],"generationConfig":{}})j"},
                {"tools",
                 false, R"j({"contents":"x","tools":{"function_declarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}}}}],"google_search":{}},"toolConfig":{"functionCallingConfig":{"mode":"any","allowedFunctionNames":["f"]}}})j", R"j({"contents":[{"role":"user","parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object","properties":{"a":{"type":["string","null"]}}}}]},{"google_search":{}}],"generationConfig":{},"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}})j"},
                {"json_answers", false,
                 R"j({"contents":"x","generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"a":{"type":"INTEGER"}}}}})j",
                 R"j({"contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"a":{"type":"integer"}}}}})j"},
                {"json_answers_beside_tools", false,
                 R"j({"contents":"x","tools":[{"functionDeclarations":[{"name":"f"}]}],"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}})j",
                 R"j({"contents":[{"role":"user","parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"f"},{"name":"json_answer","description":"Gives the answer to the user. Call it once, when the answer is complete.","parametersJsonSchema":{"type":"object"}}]}],"generationConfig":{},"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}})j",
                 "emulated response_format"},
                {"budget_becomes_level", true,
                 R"j({"contents":"x","generationConfig":{"thinkingConfig":{"thinkingBudget":5000,"includeThoughts":true}}})j",
                 R"j({"contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"thinkingConfig":{"thinkingLevel":"MEDIUM","includeThoughts":true}}})j",
                 "changed reasoning_effort"},
                {"level_becomes_budget", false,
                 R"j({"contents":"x","generationConfig":{"thinkingConfig":{"thinkingLevel":"low"}}})j",
                 R"j({"contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":1024}}})j"},
                {"unknown_members_come_back", false,
                 R"j({"contents":"x","safetySettings":[{"category":"C"}],"cachedContent":"c/1","generationConfig":{"speechConfig":{"a":1}},"toolConfig":{"retrievalConfig":{}}})j",
                 R"j({"contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"speechConfig":{"a":1}},"toolConfig":{"retrievalConfig":{}},"safetySettings":[{"category":"C"}],"cachedContent":"c/1"})j"},
};

// Ids that were made up, numbered.
std::string with_short_ids(std::string text) {
  constexpr size_t kMinted = 29;
  for (int number = 1; number < 9; ++number) {
    for (size_t at = text.find("\"call_"); at != std::string::npos; at = text.find("\"call_", at + 1)) {
      const std::string id = text.substr(at + 1, kMinted);
      if (id.find('"') != std::string::npos) continue;
      for (size_t i = text.find(id); i != std::string::npos; i = text.find(id)) {
        text.replace(i, kMinted, "call_" + std::to_string(number));
      }
      break;
    }
  }
  return text;
}

TEST(GeminiRequest, Table) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    World world(codec());
    ASSERT_TRUE(world.read_request(row.in));
    chat::Target to = target(row.third);
    const std::string_view name = row.name;
    if (name == "media") {
      // Video is not taken, and leaving it out would change what is asked.
      EXPECT_EQ(world.write_request(to), "error: contents[0].parts[1]: This model does not take video.");
      world.request.messages[0].parts.pop();
    }
    EXPECT_EQ(with_short_ids(world.write_request(to)), row.out);
    std::string warnings;
    for (const std::string& warning : world.warned()) warnings += (warnings.empty() ? "" : ",") + warning;
    EXPECT_EQ(warnings, row.warnings);
  }
}

TEST(GeminiRequest, Refusals) {
  struct Refusal {
    const char* body;
    const char* param;
  };
  const Refusal rows[] = {
      {"[]", ""},
      {"{}", "contents"},
      {R"({"contents":7})", "contents"},
      {R"({"contents":[7]})", "contents[0]"},
      {R"({"contents":[{"parts":3}]})", "contents[0].parts"},
      {R"({"contents":"x","tools":"y"})", "tools"},
      {R"({"contents":"x","tools":[{"functionDeclarations":[{}]}]})", "tools[0].functionDeclarations[0].name"},
      {R"({"contents":"x","generationConfig":[]})", "generationConfig"},
      {R"({"contents":"x","generationConfig":{"topP":"a"}})", "generationConfig.topP"},
      {R"({"contents":"x","generationConfig":{"maxOutputTokens":-1}})", "generationConfig.maxOutputTokens"},
  };
  for (const Refusal& row : rows) {
    World world(codec());
    const auto read = world.read_request(row.body);
    ASSERT_FALSE(read.has_value()) << row.body;
    EXPECT_EQ(read.error().param, row.param);
    EXPECT_EQ(read.error().kind, chat::ErrorKind::invalid_request);
  }
}

TEST(GeminiRequest, StreamedHistoryIsPutTogether) {
  World world(codec());
  const chat::Signature foreign{.minter = chat::Minter::anthropic, .model = "claude", .data = "sig"};
  const std::string tagged(chat::wrap_signature_base64(foreign, world.arena));
  ASSERT_TRUE(world.read_request(
      R"({"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]},{"role":"model","parts":[)"
      R"({"text":"th","thought":true},{"text":"ink","thought":true},{"text":"","thought":true,"thoughtSignature":")" +
      tagged + R"("},{"text":"an"},{"text":"swer"},{"text":"","thoughtSignature":"QUJD"}]}]})"));
  const auto& parts = world.request.messages[1].parts;
  EXPECT_EQ(world.request.messages[0].parts.size(), 2U) << "the user's parts stay";
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].kind, chat::PartKind::thinking);
  EXPECT_EQ(parts[0].text, "think");
  ASSERT_TRUE(parts[0].has_signature());
  EXPECT_EQ(parts[0].signature->minter, chat::Minter::anthropic);
  EXPECT_EQ(parts[0].signature->data, "sig");
  EXPECT_EQ(parts[1].text, "answer");
  EXPECT_FALSE(parts[1].has_signature());
  EXPECT_EQ(parts[2].signature->data, "QUJD");
  EXPECT_EQ(parts[2].signature->place, chat::SignaturePlace::own_part);
}

TEST(GeminiRequest, IdsStayTheSameAsTheConversationGrows) {
  const std::string first = R"({"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}}]})";
  const std::string more = R"(,{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]})"
                           R"(,{"role":"model","parts":[{"functionCall":{"name":"f"}}]})";
  World shorter(codec());
  World longer(codec());
  ASSERT_TRUE(shorter.read_request(first + "]}"));
  ASSERT_TRUE(longer.read_request(first + more + "]}"));
  const auto& calls = longer.request.messages;
  EXPECT_EQ(shorter.request.messages[0].parts[0].id, calls[0].parts[0].id);
  EXPECT_EQ(calls[1].parts[0].id, calls[0].parts[0].id);
  EXPECT_NE(calls[2].parts[0].id, calls[0].parts[0].id);
}

TEST(GeminiRequest, SignaturesGoHomeOnly) {
  World world(codec());
  ASSERT_TRUE(world.read_request(
      R"({"contents":[{"parts":[{"text":"q"}]},{"role":"model","parts":[{"text":"a","thoughtSignature":"QUJD"}]},{"parts":[{"text":"r"}]}]})"));
  chat::Target vertex = target(true);
  vertex.dialect = chat::Dialect::vertex;
  vertex.minter = chat::Minter::vertex;
  EXPECT_EQ(world.write_request(vertex).find("QUJD"), std::string::npos);
  EXPECT_EQ(world.warned(), std::vector<std::string>{"dropped contents[1]"});
  EXPECT_NE(world.write_request(target(true)).find(R"({"text":"a","thoughtSignature":"QUJD"})"), std::string::npos);
}

TEST(GeminiCount, BothForms) {
  for (const char* const body :
       {R"({"contents":"hi"})",
        R"({"generateContentRequest":{"model":"models/m","contents":[{"parts":{"text":"hi"}}]}})"}) {
    World world(codec());
    ASSERT_TRUE(read_count_request(body, world.client(), world.request));
    std::string out;
    WriteContext context = world.write_context();
    ASSERT_TRUE(write_count_request(world.request, target(false), context, out));
    EXPECT_EQ(
        out,
        R"({"generateContentRequest":{"model":"models/gemini-x","contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{}}})");
    chat::Target vertex = target(false);
    vertex.dialect = chat::Dialect::vertex;
    out.clear();
    ASSERT_TRUE(write_count_request(world.request, vertex, context, out));
    EXPECT_EQ(out, R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{}})");
  }
  World world(codec());
  std::string out;
  write_token_count(7, out);
  EXPECT_EQ(read_token_count(out, world.provider()), 7U);
  EXPECT_EQ(read_token_count(R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}})", world.provider()).error().kind,
            chat::ErrorKind::rate_limited);
  EXPECT_FALSE(read_token_count("<html>", world.provider()));
}

// What OpenAI and Anthropic say of each tool, Gemini says of all.
TEST(GeminiRequest, StrictToolsAreCalledByTheirSchemas) {
  struct Strict {
    std::string_view choice;
    bool takes = true;
    std::string_view mode;  // empty: no mode is sent
    bool told = false;
  };
  constexpr Strict kStrict[] = {
      {"", true, R"("mode":"VALIDATED")"},
      {R"(,"tool_choice":"auto")", true, R"("mode":"VALIDATED")"},
      {R"(,"tool_choice":"required")", true, R"("mode":"ANY")"},
      {R"(,"tool_choice":"none")", true, R"("mode":"NONE")"},
      {"", false, "", true},
      {R"(,"tool_choice":"auto")", false, R"("mode":"AUTO")", true},
  };
  for (const Strict& row : kStrict) {
    World world(*find_codec(chat::Dialect::openai_chat));
    ASSERT_TRUE(world.read_request(
        R"({"model":"m","messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f",
           "strict":true,"parameters":{"type":"object"}}},{"type":"function","function":{"name":"g"}}])" +
        std::string(row.choice) + "}"));
    chat::Target t;
    t.dialect = chat::Dialect::gemini;
    t.strict_tools = row.takes;
    std::string body;
    WriteContext context = world.write_context();
    ASSERT_TRUE(find_codec(chat::Dialect::gemini)->write_request(world.request, t, context, body));
    EXPECT_EQ(body.find("\"mode\"") != std::string::npos, !row.mode.empty()) << body;
    EXPECT_NE(body.find(row.mode), std::string::npos) << body;
    EXPECT_EQ(!world.warned().empty(), row.told) << body;
  }
}

TEST(GeminiRequest, ServiceTiersAreSaidInGooglesWords) {
  struct Tier {
    std::string_view asked;
    bool takes = true;
    std::string_view sent;
    bool told = false;
  };
  constexpr Tier kTiers[] = {{"flex", true, R"("serviceTier":"flex")"},
                             {"priority", true, R"("serviceTier":"priority")"},
                             {"default", true, ""},
                             {"auto", false, ""},
                             {"standard_only", false, ""},
                             {"scale", true, "", true},
                             {"priority", false, "", true}};
  for (const Tier& row : kTiers) {
    World world(*find_codec(chat::Dialect::openai_chat));
    ASSERT_TRUE(world.read_request(R"({"model":"m","messages":[{"role":"user","content":"q"}],"service_tier":")" +
                                   std::string(row.asked) + "\"}"));
    chat::Target t;
    t.dialect = chat::Dialect::gemini;
    t.service_tier = row.takes;
    std::string body;
    WriteContext context = world.write_context();
    ASSERT_TRUE(find_codec(chat::Dialect::gemini)->write_request(world.request, t, context, body));
    EXPECT_EQ(body.find("serviceTier") != std::string::npos, !row.sent.empty()) << body;
    EXPECT_NE(body.find(row.sent), std::string::npos) << body;
    EXPECT_EQ(!world.warned().empty(), row.told) << body;
  }
}

}  // namespace
}  // namespace llmgw::dialects::gemini
