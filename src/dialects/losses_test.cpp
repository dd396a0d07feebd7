// Nothing of a request is lost silently. A member put into any object of a request is warned of by its path, and a
// warning names what the client sent.
#include "dialects/losses.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "chat/client_field.h"
#include "dialects/losses_test_support.h"

namespace llmgw::dialects {
namespace {

using namespace testing_support;
using chat::Dialect;

// Of each dialect a request with every object that its readers look into.
struct Rich {
  Dialect dialect;
  std::string_view body;
};
constexpr Rich kRich[] = {
    {Dialect::openai_chat, R"({"model":"m","max_tokens":100,"messages":[
      {"role":"system","content":"Be terse."},
      {"role":"user","content":[{"type":"text","text":"look","cache_control":{"type":"ephemeral"}},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}},
        {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0xLjQK"}}]},
      {"role":"assistant","reasoning_details":[{"type":"reasoning.text","text":"hm"}],"content":null,
        "tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"},
        "extra_content":{"google":{"thought_signature":"QUJD"}}}]},
      {"role":"tool","tool_call_id":"call_1","content":[{"type":"text","text":"sunny"}]},
      {"role":"assistant","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"s"}],"content":"x",
        "audio":{"id":"a"}},
      {"role":"user","content":"go on"}],
     "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}},
       {"type":"custom","custom":{"name":"c"}}],
     "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto",
       "tools":[{"type":"function","function":{"name":"f"}}]}},
     "response_format":{"type":"json_schema","json_schema":{"name":"r","schema":{"type":"object"}}},
     "stream_options":{"include_usage":true},"reasoning":{"effort":"low"},"thinking":{"type":"enabled"}})"},
    {Dialect::openai_responses, R"({"model":"m","max_output_tokens":100,"input":[
      {"role":"user","content":[{"type":"input_text","text":"look"},
        {"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="},
        {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0xLjQK"}]},
      {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"e"},
      {"type":"message","id":"msg_1","role":"assistant","status":"completed",
        "content":[{"type":"output_text","text":"so","annotations":[],"logprobs":[]}]},
      {"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{}","status":"completed"},
      {"type":"function_call_output","call_id":"call_1","output":[{"type":"input_text","text":"sunny"}]},
      {"type":"custom_tool_call","call_id":"call_2","name":"c","input":"x"},
      {"type":"custom_tool_call_output","call_id":"call_2","output":"y"}],
     "tools":[{"type":"function","name":"f","parameters":{"type":"object"}},{"type":"custom","name":"c"}],
     "tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]},
     "text":{"format":{"type":"json_schema","name":"r","schema":{"type":"object"}}},
     "reasoning":{"effort":"low"},"stream_options":{"include_obfuscation":true}})"},
    {Dialect::anthropic, R"({"model":"m","max_tokens":100,
     "system":[{"type":"text","text":"Be terse.","cache_control":{"type":"ephemeral"}}],
     "messages":[{"role":"user","content":[{"type":"text","text":"look"},
        {"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},
        {"type":"document","title":"t","citations":{"enabled":false},
          "source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0xLjQK"}},
        {"type":"document","source":{"type":"content","content":[{"type":"text","text":"c"}]}},
        {"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"c"}]}]},
      {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},
        {"type":"redacted_thinking","data":"d"},
        {"type":"tool_use","id":"toolu_1","name":"f","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1",
        "content":[{"type":"text","text":"sunny"}]}]}],
     "tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"auto"},
     "thinking":{"type":"disabled"},"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}},
     "metadata":{"user_id":"u"}})"},
    {Dialect::gemini, R"({"systemInstruction":{"parts":[{"text":"Be terse."}]},
     "contents":[{"role":"user","parts":[{"text":"look"},
        {"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}},
        {"fileData":{"mimeType":"image/png","fileUri":"https://example.com/a.png"}}]},
      {"role":"model","parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"QUJD"}]},
      {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":"x"},
        "parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]}}]}],
     "tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]}],
     "toolConfig":{"functionCallingConfig":{"mode":"AUTO"}},
     "generationConfig":{"maxOutputTokens":100,"thinkingConfig":{"thinkingBudget":1024}}})"},
    {Dialect::bedrock, R"({"system":[{"text":"Be terse."},{"cachePoint":{"type":"default"}}],
     "messages":[{"role":"user","content":[{"text":"look"},
        {"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}},
        {"document":{"format":"pdf","name":"d","source":{"bytes":"JVBERi0xLjQK"},"citations":{"enabled":false}}},
        {"document":{"format":"txt","name":"e","source":{"content":[{"text":"c"}]}}},
        {"guardContent":{"text":{"text":"g"}}},
        {"searchResult":{"source":"s","title":"t","content":[{"text":"c"}],"citations":{"enabled":false}}}]},
      {"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},
        {"citationsContent":{"content":[{"text":"c"}],"citations":[]}},
        {"toolUse":{"toolUseId":"t1","name":"f","input":{}}}]},
      {"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"text":"sunny"}]}}]}],
     "inferenceConfig":{"maxTokens":100},
     "toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}},
        {"cachePoint":{"type":"default"}}],"toolChoice":{"auto":{}}},
     "outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{}"}}}},
     "serviceTier":{"type":"default"},
     "additionalModelRequestFields":{"thinking":{"type":"disabled"}}})"},
    {Dialect::cohere, R"({"model":"m","max_tokens":100,"messages":[{"role":"system","content":"Be terse."},
      {"role":"user","content":[{"type":"text","text":"look"},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]},
      {"role":"assistant","tool_plan":"p","tool_calls":[{"id":"c1","type":"function",
        "function":{"name":"f","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"c1","content":[{"type":"document","document":{"id":"d","data":{"text":"x"}}}]},
      {"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"so"}]},
      {"role":"user","content":"go on"}],
     "documents":[{"id":"d1","data":{"text":"x"}}],
     "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],
     "response_format":{"type":"json_object","schema":{"type":"object"}},"thinking":{"type":"enabled"}})"},
};

// What is in these is not the API's: schemas, arguments, results, a document's own members.
bool is_clients_own(std::string_view name) {
  for (const std::string_view own :
       {"parameters", "input_schema", "json", "schema", "args", "input", "response", "data"}) {
    if (name == own) return true;
  }
  return false;
}

struct Place {
  std::string path;  // of the object; empty: the request
  size_t end = 0;    // of its closing bracket
};

void collect(json::Value value, const std::string& path, std::string_view text, std::vector<Place>& places) {
  if (value.is_object()) {
    const size_t end = static_cast<size_t>(value.raw().data() - text.data()) + value.raw().size() - 1;
    places.push_back({path, end});
    for (const json::Member member : value.members()) {
      if (is_clients_own(member.escaped_key) && member.value.is_object()) continue;
      collect(member.value, (path.empty() ? "" : path + ".") + std::string(member.escaped_key), text, places);
    }
  }
  size_t index = 0;
  for (const json::Value element : value.elements()) {
    collect(element, path + "[" + std::to_string(index++) + "]", text, places);
  }
}

std::vector<Place> objects_of(std::string_view body) {
  json::Parser parser;
  base::Arena arena;
  std::vector<Place> places;
  const auto root = json::parse_tree(parser, body, arena);
  EXPECT_TRUE(root);
  if (root) collect(*root, "", body, places);
  return places;
}

TEST(Losses, AMemberNobodyKnowsIsWarnedOfWhereverItStands) {
  constexpr size_t kObjectsMin = 14;
  for (const Rich& rich : kRich) {
    const Dialect other = rich.dialect == Dialect::openai_chat ? Dialect::openai_responses : Dialect::openai_chat;
    const auto plain = convert(rich.dialect, rich.body, generous(other));
    ASSERT_TRUE(plain.error.empty()) << to_string(rich.dialect) << plain.list();
    const auto places = objects_of(rich.body);
    EXPECT_GT(places.size(), kObjectsMin);
    for (const Place& place : places) {
      std::string body(rich.body);
      const bool empty = body[place.end - 1] == '{';
      body.insert(place.end, std::string(empty ? "" : ",") + R"("x_unknown":"lost")");
      const std::string field = (place.path.empty() ? "" : place.path + ".") + "x_unknown";
      const auto done = convert(rich.dialect, body, generous(other));
      EXPECT_TRUE(done.error.empty()) << field << done.list();
      EXPECT_TRUE(done.warned(field)) << to_string(rich.dialect) << " " << field << done.list();
      EXPECT_FALSE(plain.warned(field));
      // At home it goes along, or is warned of too.
      const auto home = convert(rich.dialect, body, generous(rich.dialect));
      EXPECT_TRUE(home.error.empty()) << field << home.list();
      const bool carried = home.body.find("x_unknown") != std::string::npos;
      EXPECT_NE(carried, home.warned(field)) << to_string(rich.dialect) << " at home: " << field << home.list();
    }
  }
}

TEST(Losses, TheSameMemberIsNotedOnceAndCounted) {
  std::string body = R"({"messages":[)";
  constexpr size_t kMessages = 1000;
  for (size_t i = 0; i < kMessages; ++i) {
    body += std::string(i == 0 ? "" : ",") + R"({"role":"user","content":"hi","mood":"good"})";
  }
  const auto done = convert(Dialect::openai_chat, body + "]}", generous(Dialect::anthropic));
  ASSERT_EQ(done.warnings.size(), 1U) << done.list();
  EXPECT_EQ(done.warnings[0].field, "messages[0].mood");
  EXPECT_EQ(done.warnings[0].reason, "this model's API has no such member; the same in 999 other places");
}

TEST(Losses, AreBoundedInNumberAndBytes) {
  std::string body = R"({"messages":[{"role":"user","content":"hi")";
  constexpr size_t kMembers = 500;
  constexpr size_t kNameBytes = 3000;
  for (size_t i = 0; i < kMembers; ++i) {
    body += ",\"" + std::string(kNameBytes, 'x') + std::to_string(i) + "\":1,\"short" + std::to_string(i) + "\":1";
  }
  auto done = convert(Dialect::openai_chat, body + "}]}", generous(Dialect::anthropic));
  EXPECT_EQ(done.world->request.unread.size(), chat::Unread::kCountMax);
  EXPECT_EQ(done.world->request.unread_left_out, 2 * kMembers - chat::Unread::kCountMax);
  chat::Warnings warnings(done.world->arena);
  WriteContext context{.parser = done.world->parser, .arena = done.world->arena, .warnings = warnings};
  warn_of_losses(done.world->request, {.dialect = Dialect::anthropic}, context);
  const std::string header = warnings.header();
  EXPECT_LE(header.size(), chat::Warnings::kHeaderBytesMax);
  EXPECT_NE(header.find("field=\"messages[0].short0\""), std::string::npos);
  EXPECT_NE(header.find("more;count="), std::string::npos) << header;
}

TEST(Losses, WhatSaysNothingIsNone) {
  const auto done = convert(Dialect::openai_chat, R"({"messages":[{"role":"user","content":"hi"},
    {"role":"assistant","content":"a","refusal":null,"annotations":[],"images":null,"metadata":{},"note":""},
    {"role":"user","content":"b"}]})",
                            generous(Dialect::anthropic));
  EXPECT_TRUE(done.warnings.empty()) << done.list();
}

struct Loss {
  Dialect client;
  std::string_view body;
  Dialect target;
  std::string_view field;    // warned of
  std::string_view carried;  // in the body
};

TEST(Losses, DetailsAreCarriedOrWarnedOf) {
  constexpr std::string_view kNamed = R"({"messages":[{"role":"user","name":"ann","content":"hi"}]})";
  constexpr std::string_view kDetailed = R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},
    {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}}]}]})";
  constexpr std::string_view kDocument = R"({"max_tokens":9,"messages":[{"role":"user","content":[
    {"type":"document","title":"Map","context":"old","citations":{"enabled":true},
     "source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0xLjQK"}},{"type":"text","text":"a"}]}]})";
  constexpr std::string_view kText = R"({"max_tokens":9,"messages":[{"role":"user","content":[
    {"type":"document","title":"Map","source":{"type":"text","media_type":"text/plain","data":"words"}}]}]})";
  constexpr std::string_view kQuoted = R"({"max_tokens":9,"messages":[{"role":"user","content":[{"type":"document",
    "citations":{"enabled":true},"source":{"type":"text","media_type":"text/plain","data":"words"}}]}]})";
  constexpr std::string_view kSearch = R"({"max_tokens":9,"messages":[{"role":"user","content":[
    {"type":"search_result","title":"Map","source":"https://a.b","content":[{"type":"text","text":"words"}]}]}]})";
  constexpr std::string_view kCited = R"({"max_tokens":9,"messages":[{"role":"user","content":"q"},
    {"role":"assistant","content":[{"type":"text","text":"a","citations":[{"type":"char_location"}]}]},
    {"role":"user","content":"q"}]})";
  constexpr std::string_view kTool = R"({"max_tokens":9,"messages":[{"role":"user","content":"q"}],
    "tools":[{"name":"f","input_schema":{"type":"object"},"defer_loading":true,"input_examples":[{}],
    "allowed_callers":["direct"]}]})";
  constexpr std::string_view kSources = R"({"messages":[{"role":"user","content":"q"}],
    "documents":[{"data":{"title":"Map","snippet":"words","url":"https://a.b"}}]})";
  constexpr std::string_view kVideo = R"({"contents":[{"parts":[{"fileData":{"fileUri":"https://a.b/v.mp4"},
    "videoMetadata":{"fps":2}}]}]})";
  const Loss rows[] = {
      {Dialect::openai_chat, kNamed, Dialect::anthropic, "messages[0].name", ""},
      {Dialect::openai_chat, kNamed, Dialect::openai_responses, "messages[0].name", ""},
      {Dialect::openai_chat, kNamed, Dialect::openai_chat, "", R"("name":"ann")"},
      {Dialect::openai_chat, kDetailed, Dialect::anthropic, "messages[0].content[1].image_url.detail", ""},
      {Dialect::openai_chat, kDetailed, Dialect::gemini, "messages[0].content[1].image_url.detail", ""},
      {Dialect::openai_chat, kDetailed, Dialect::openai_responses, "", R"("detail":"low")"},
      {Dialect::openai_chat, kDetailed, Dialect::cohere, "", R"("detail":"low")"},
      {Dialect::anthropic, kDocument, Dialect::bedrock, "", R"("name":"Map")"},
      {Dialect::anthropic, kDocument, Dialect::openai_chat, "messages[0].content[0].context", R"("filename":"Map")"},
      {Dialect::anthropic, kDocument, Dialect::openai_chat, "messages[0].content[0].citations", ""},
      {Dialect::anthropic, kDocument, Dialect::gemini, "messages[0].content[0].title", ""},
      {Dialect::anthropic, kText, Dialect::openai_chat, "", R"("text":"Map\n\nwords")"},
      {Dialect::anthropic, kText, Dialect::cohere, "", R"(Map\n\nwords)"},
      {Dialect::anthropic, kQuoted, Dialect::bedrock, "", R"("citations":{"enabled":true})"},
      {Dialect::anthropic, kQuoted, Dialect::cohere, "messages[0].content[0].citations", R"("id":"doc:0")"},
      {Dialect::anthropic, kSearch, Dialect::gemini, "messages[0].content[0].source", "Map"},
      {Dialect::anthropic, kCited, Dialect::gemini, "messages[1].content[0].citations", ""},
      {Dialect::anthropic, kCited, Dialect::bedrock, "messages[1].content[0].citations", ""},
      {Dialect::anthropic, kCited, Dialect::anthropic, "", R"("citations":[{"type":"char_location"}])"},
      {Dialect::anthropic, kTool, Dialect::gemini, "tools[0].defer_loading", ""},
      {Dialect::anthropic, kTool, Dialect::gemini, "tools[0].input_examples", ""},
      {Dialect::anthropic, kTool, Dialect::openai_chat, "tools[0].allowed_callers", ""},
      {Dialect::anthropic, kTool, Dialect::anthropic, "", R"("defer_loading":true)"},
      {Dialect::cohere, kSources, Dialect::openai_chat, "documents[0]", R"(https://a.b)"},
      {Dialect::cohere, kSources, Dialect::anthropic, "", R"("citations":{"enabled":true})"},
      {Dialect::cohere, kSources, Dialect::cohere, "", R"("url":"https://a.b")"},
      {Dialect::gemini, kVideo, Dialect::openai_chat, "contents[0].parts[0].videoMetadata", ""},
  };
  for (const Loss& row : rows) {
    const auto done = convert(row.client, row.body, generous(row.target));
    EXPECT_TRUE(done.error.empty()) << row.body << done.list();
    if (!row.field.empty()) EXPECT_TRUE(done.warned(row.field)) << row.field << done.list();
    if (row.field.empty()) EXPECT_TRUE(done.warnings.empty()) << row.body << done.list();
    EXPECT_NE(done.body.find(row.carried), std::string::npos) << done.body;
  }
}

TEST(Losses, SettingsAreCarriedOrWarnedOf) {
  constexpr std::string_view kChat = R"({"messages":[{"role":"user","content":"q"}],"store":true,
    "user":"u","safety_identifier":"s","prompt_cache_retention":"24h"})";
  constexpr std::string_view kSame = R"({"messages":[{"role":"user","content":"q"}],"safety_identifier":"s"})";
  constexpr std::string_view kResponses = R"({"input":"q","truncation":"auto","reasoning":{"summary":"detailed"},
    "prompt_cache_retention":"24h","include":["file_search_call.results"]})";
  const Loss rows[] = {
      {Dialect::openai_chat, kChat, Dialect::anthropic, "safety_identifier", R"("user_id":"u")"},
      {Dialect::openai_chat, kChat, Dialect::anthropic, "store", ""},
      {Dialect::openai_chat, kChat, Dialect::anthropic, "prompt_cache_retention", ""},
      {Dialect::openai_chat, kChat, Dialect::cohere, "prompt_cache_retention", ""},
      {Dialect::openai_chat, kChat, Dialect::openai_responses, "store", R"("safety_identifier":"s")"},
      {Dialect::openai_chat, kChat, Dialect::openai_responses, "store", R"("user":"u")"},
      {Dialect::openai_chat, kSame, Dialect::gemini, "safety_identifier", ""},
      {Dialect::openai_chat, kSame, Dialect::anthropic, "", R"("user_id":"s")"},
      {Dialect::openai_responses, kResponses, Dialect::openai_chat, "truncation", ""},
      {Dialect::openai_responses, kResponses, Dialect::openai_chat, "reasoning.summary", ""},
      {Dialect::openai_responses, kResponses, Dialect::openai_chat, "include", ""},
      {Dialect::openai_responses, kResponses, Dialect::cohere, "prompt_cache_retention", ""},
      {Dialect::openai_responses, kResponses, Dialect::gemini, "reasoning.summary", ""},
  };
  for (const Loss& row : rows) {
    const auto done = convert(row.client, row.body, generous(row.target));
    EXPECT_TRUE(done.error.empty()) << row.body << done.list();
    if (!row.field.empty()) EXPECT_TRUE(done.warned(row.field)) << row.field << done.list();
    if (row.field.empty()) EXPECT_TRUE(done.warnings.empty()) << row.body << done.list();
    EXPECT_NE(done.body.find(row.carried), std::string::npos) << row.carried << " in " << done.body;
  }
  chat::Target target = generous(Dialect::openai_responses);
  target.prompt_cache_key = true;
  EXPECT_NE(convert(Dialect::openai_chat, kChat, target).body.find(R"("prompt_cache_retention":"24h")"),
            std::string::npos);
}

struct Refused {
  Dialect client;
  std::string_view body;
  std::string_view param;
};

TEST(Losses, WhatWouldChangeTheMeaningIsRefused) {
  const Refused rows[] = {
      {Dialect::openai_chat, R"({"messages":[{"role":"user","content":"q"}],"modalities":["text","audio"]})",
       "modalities"},
      {Dialect::gemini, R"({"contents":"q","generationConfig":{"responseModalities":["AUDIO"]}})",
       "generationConfig.responseModalities"},
      {Dialect::gemini, R"({"contents":"q","cachedContent":"cachedContents/1"})", "cachedContent"},
      {Dialect::gemini, R"({"contents":"q","continuationToken":"QUJD"})", "continuationToken"},
      {Dialect::anthropic, R"({"max_tokens":9,"messages":[{"role":"user","content":"q"}],"thread":{"type":"create"}})",
       "thread"},
  };
  for (const Refused& row : rows) {
    for (const Dialect target : kCodecDialects) {
      if (same_format(row.client, target)) continue;
      // Google answers in speech and pictures too.
      if (row.param == "modalities" && target == Dialect::gemini) continue;
      const auto done = convert(row.client, row.body, generous(target));
      EXPECT_TRUE(done.error.starts_with(std::string(row.param) + ": "))
          << to_string(target) << " " << row.param << done.list();
    }
  }
  const auto spoken = convert(Dialect::openai_chat, rows[0].body, generous(Dialect::gemini));
  EXPECT_NE(spoken.body.find(R"("responseModalities":["TEXT","AUDIO"])"), std::string::npos) << spoken.body;
}

TEST(Losses, AFileOfTheProvidersMachineIsNeverAskedFor) {
  const Refused rows[] = {
      {Dialect::openai_chat, R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":[
        {"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]}]})",
       "messages[1].content[1]"},
      {Dialect::anthropic, R"({"max_tokens":9,"system":"s","messages":[{"role":"user","content":[
        {"type":"image","source":{"type":"url","url":"file:///etc/passwd"}}]}]})",
       "messages[0].content[0]"},
      {Dialect::gemini, R"({"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"parts":[{"text":"a"},
        {"fileData":{"mimeType":"image/png","fileUri":"ftp://a.b/c.png"}}]}]})",
       "contents[0].parts[1]"},
      {Dialect::openai_responses, R"({"instructions":"s","input":[{"role":"user","content":[
        {"type":"input_image","image_url":"file:///etc/passwd"}]}]})",
       "input[0].content[0]"},
      {Dialect::cohere, R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":[
        {"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]}]})",
       "messages[1].content[0]"},
  };
  for (const Refused& row : rows) {
    for (const Dialect target : kCodecDialects) {
      const auto done = convert(row.client, row.body, generous(target));
      EXPECT_TRUE(done.error.starts_with(std::string(row.param) + ": "))
          << to_string(row.client) << " to " << to_string(target) << ": " << done.list();
    }
  }
}

TEST(Losses, WhatCannotBeReadIsNotSkipped) {
  const Refused rows[] = {
      {Dialect::cohere, R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a",
        "tool_calls":[{"id":"c1","function":{"name":"f"}},{"id":"c2"}]}]})",
       "messages[1].tool_calls[1]"},
      {Dialect::cohere, R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"text":"a"}]}]})",
       "messages[1].content[0]"},
      {Dialect::openai_chat, R"({"messages":[{"role":"assistant","tool_calls":[{"id":"c2"}]}]})",
       "messages[0].tool_calls[0]"},
      {Dialect::openai_responses,
       R"({"input":[{"type":"function_call_output","call_id":"c","output":[{"type":"x"}]}]})", "input[0].output[0]"},
  };
  for (const Refused& row : rows) {
    const auto done = convert(row.client, row.body, generous(Dialect::anthropic));
    EXPECT_FALSE(done.read);
    EXPECT_TRUE(done.error.starts_with(std::string(row.param) + ": ")) << row.param << done.list();
  }
}

TEST(Losses, TextDocumentsStayInTheResultOfATool) {
  constexpr std::string_view kBody = R"({"messages":[{"role":"user","content":"q"},
    {"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"c1","content":[{"type":"document","document":{"data":{"text":"sunny"}}}]}]})";
  for (const Dialect dialect : kCodecDialects) {
    chat::Target target = generous(dialect);
    target.tool_result_images = false;
    const auto done = convert(Dialect::cohere, kBody, target);
    const size_t result = done.body.find("sunny");
    EXPECT_NE(result, std::string::npos) << to_string(dialect) << done.body;
    EXPECT_EQ(done.body.find("see the next user message"), std::string::npos) << to_string(dialect) << done.body;
  }
}

// A path of the request, in either of protobuf's spellings; a bare name may stand anywhere in it.
bool is_there(json::Value root, std::string_view field, std::string_view body) {
  const std::string quoted = "\"" + std::string(field) + "\"";
  if (field.find_first_of(".[") == std::string_view::npos && body.find(quoted) != std::string_view::npos) return true;
  json::Value at = root;
  while (!field.empty() && at.present()) {
    const size_t end = std::min(field.find_first_of(".["), field.size());
    const std::string name(field.substr(0, end));
    field.remove_prefix(end);
    if (!name.empty()) {
      std::string snake;
      for (const char c : name) {
        if (c >= 'A' && c <= 'Z') snake += '_';
        snake += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      }
      const json::Value found = at[name];
      at = found.present() ? found : at[snake];
    }
    if (field.starts_with('[')) {
      size_t index = std::stoul(std::string(field.substr(1)));
      field.remove_prefix(field.find(']') + 1);
      // A list of one may stand without its list.
      if (at.is_array()) {
        json::Value element;
        for (const json::Value one : at.elements()) {
          if (index-- == 0) element = one;
          if (element.present()) break;
        }
        at = element;
      } else if (index != 0) {
        return false;
      }
    }
    if (field.starts_with('.')) field.remove_prefix(1);
  }
  return at.present();
}

struct Collection {
  std::string_view name;
  Dialect dialect;
};

TEST(Losses, WarningsNameWhatTheClientSent) {
  constexpr Collection kCollections[] = {
      {"openai_chat", Dialect::openai_chat},      {"openai_responses", Dialect::openai_responses},
      {"anthropic_messages", Dialect::anthropic}, {"gemini", Dialect::gemini},
      {"bedrock_converse", Dialect::bedrock},     {"cohere", Dialect::cohere},
  };
  size_t checked = 0;
  std::set<std::string> missing;
  for (const Collection& collection : kCollections) {
    for (const Case& one : recorded_cases(collection.name)) {
      json::Parser parser;
      base::Arena arena;
      const auto root = json::parse_tree(parser, one.request, arena);
      if (!root || !root->is_object()) continue;
      for (const Dialect target : kCodecDialects) {
        if (same_format(collection.dialect, target)) continue;
        chat::Target poor = generous(target);
        poor.cache_marks = poor.strict_tools = poor.metadata = false;
        const auto done = convert(collection.dialect, one.request, poor);
        if (!done.read) continue;
        ++checked;
        for (const chat::Warning& warning : done.warnings) {
          if (is_there(*root, warning.field, one.request)) continue;
          missing.insert(std::string(collection.name) + " " + one.id + " to " + std::string(to_string(target)) + ": " +
                         std::string(warning.field) + ": " + std::string(warning.reason));
        }
      }
    }
  }
  if (checked == 0) GTEST_SKIP() << "no recorded requests on this machine";
  for (const std::string& line : missing) ADD_FAILURE() << line;
}

// Bedrock's answer to what the guardrail forbids, or to the prompt that is stored there, would be another.
TEST(Losses, WhatOnlyConverseChecksIsRefusedElsewhere) {
  constexpr std::pair<std::string_view, std::string_view> kMembers[] = {
      {"guardrailConfig", R"({"guardrailIdentifier":"g","guardrailVersion":"1"})"},
      {"promptVariables", R"({"v":{"text":"x"}})"}};
  for (const auto& [name, value] : kMembers) {
    const std::string body = R"({"messages":[{"role":"user","content":[{"text":"q"}]}],")" + std::string(name) +
                             "\":" + std::string(value) + "}";
    for (const Dialect dialect : kCodecDialects) {
      const Conversion done = convert(Dialect::bedrock, body, generous(dialect));
      const bool kept = dialect == Dialect::bedrock;
      EXPECT_EQ(done.error.starts_with(std::string(name) + ":"), !kept) << to_string(dialect) << done.list();
      EXPECT_EQ(done.body.find(name) != std::string::npos, kept) << done.body;
    }
  }
}

}  // namespace
}  // namespace llmgw::dialects
