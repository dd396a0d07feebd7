#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "dialects/bedrock/codec.h"
#include "dialects/codec_test_support.h"

namespace llmgw::dialects::bedrock {
namespace {

using namespace testing_support;
using chat::BedrockFamily;
using chat::Effort;
using chat::ReasoningStyle;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

chat::Target target_of(BedrockFamily family) {
  chat::Target target{
      .dialect = chat::Dialect::bedrock,
      .minter = chat::Minter::bedrock,
      .model = "m",
      .temperature_max = 1.0,
      .top_k = true,
      .tool_result_images = true,
      .tools_needed_by_history = true,
      .tool_id_rule = chat::ToolIdRule::bedrock,
      .image_urls = false,
      .bedrock = family,
      .cache_marks = true,
  };
  if (family == BedrockFamily::claude) target.reasoning = ReasoningStyle::anthropic_budget;
  if (family == BedrockFamily::nova) target.reasoning = ReasoningStyle::nova;
  if (family == BedrockFamily::gpt_oss || family == BedrockFamily::qwen) target.reasoning = ReasoningStyle::effort;
  return target;
}

struct Written {
  std::string body;
  std::vector<std::string> warnings;
};
using Change = std::function<void(chat::Request&, base::Arena&)>;

Written write(std::string_view body, const chat::Target& target, chat::Dialect from = chat::Dialect::bedrock,
              const Change& change = {}) {
  World world(codec());
  const auto read = world.read_request(body);
  EXPECT_TRUE(read) << body;
  world.request.from = from;
  if (change) change(world.request, world.arena);
  std::string out = world.write_request(target);
  return {out, world.warned()};
}

// As a client of OpenAI's chat API might have said it.
Written write_openai(const chat::Target& target, const Change& change) {
  return write(R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})", target, chat::Dialect::openai_chat,
               change);
}

std::string hi_out(std::string_view more) {
  return R"({"messages":[{"role":"user","content":[{"text":"hi"}]}])" + std::string(more) + "}";
}

TEST(BedrockRequestWriter, Parameters) {
  const auto change = [](chat::Request& r, base::Arena& arena) {
    r.max_tokens = 50;
    r.temperature = "1.5";
    r.top_p = "0.5";
    r.top_k = "7";
    r.stop.push(arena, "END");
    r.seed = "1";
    r.user = "u";
    r.service_tier = "priority";
    r.metadata = R"({"a":"b"})";
  };
  chat::Target target = target_of(BedrockFamily::claude);
  target.metadata = true;
  const Written claude = write_openai(target, change);
  EXPECT_EQ(claude.body,
            hi_out(R"(,"inferenceConfig":{"maxTokens":50,"temperature":1,"topP":0.5,"stopSequences":["END"]},)"
                   R"("additionalModelRequestFields":{"top_k":7},"requestMetadata":{"a":"b"},)"
                   R"("serviceTier":{"type":"priority"})"));
  EXPECT_THAT(claude.warnings, ElementsAre("dropped seed", "changed temperature", "dropped user"));
  const Written nova = write_openai(target_of(BedrockFamily::nova), change);
  EXPECT_THAT(nova.body, HasSubstr(R"("additionalModelRequestFields":{"inferenceConfig":{"topK":7}})"));
  EXPECT_THAT(nova.warnings, ElementsAre("dropped seed", "changed temperature", "dropped user", "dropped metadata"));
  // At its highest effort it takes none of them, and says so of each.
  const Written high = write_openai(target_of(BedrockFamily::nova), [&](chat::Request& request, base::Arena& arena) {
    change(request, arena);
    request.reasoning.effort = Effort::high;
  });
  EXPECT_THAT(high.warnings, testing::IsSupersetOf({"dropped temperature", "dropped top_k"}));
  EXPECT_THAT(high.body, Not(HasSubstr("topK")));
  EXPECT_EQ(write_openai(target_of(BedrockFamily::llama), {}).body, hi_out(""));
}

TEST(BedrockRequestWriter, ReasoningByFamily) {
  struct Case {
    BedrockFamily family;
    Effort effort;
    std::string_view fields;
  };
  const Case cases[] = {
      {BedrockFamily::claude, Effort::low,
       R"(,"inferenceConfig":{"maxTokens":9000},"additionalModelRequestFields":)"
       R"({"thinking":{"type":"enabled","budget_tokens":2048}})"},
      {BedrockFamily::gpt_oss, Effort::high,
       R"(,"inferenceConfig":{"maxTokens":9000},"additionalModelRequestFields":)"
       R"({"reasoning_effort":"high"})"},
      {BedrockFamily::qwen, Effort::low,
       R"(,"inferenceConfig":{"maxTokens":9000},"additionalModelRequestFields":)"
       R"({"reasoning_config":"low"})"},
      {BedrockFamily::nova, Effort::medium,
       R"(,"inferenceConfig":{"maxTokens":9000},"additionalModelRequestFields":)"
       R"({"reasoningConfig":{"type":"enabled","maxReasoningEffort":"medium"}})"},
      {BedrockFamily::nova, Effort::none,
       R"(,"inferenceConfig":{"maxTokens":9000},"additionalModelRequestFields":)"
       R"({"reasoningConfig":{"type":"disabled"}})"},
      {BedrockFamily::nova, Effort::high,
       R"(,"additionalModelRequestFields":{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}})"},
  };
  for (const Case& c : cases) {
    const Written written = write_openai(target_of(c.family), [&c](chat::Request& r, base::Arena&) {
      r.reasoning.effort = c.effort;
      r.max_tokens = 9000;
    });
    EXPECT_EQ(written.body, hi_out(c.fields));
  }
  chat::Target adaptive = target_of(BedrockFamily::claude);
  adaptive.reasoning = ReasoningStyle::anthropic_adaptive;
  EXPECT_EQ(
      write_openai(adaptive, [](chat::Request& r, base::Arena&) { r.reasoning.effort = Effort::high; }).body,
      hi_out(R"(,"additionalModelRequestFields":{"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}})"));
}

constexpr std::string_view kSpec =
    R"({"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}})";

void add_tool(chat::Request& r, base::Arena& arena) {
  r.tools.push(arena, {.name = "f"});
}

TEST(BedrockRequestWriter, ToolChoice) {
  using chat::ToolChoiceMode;
  struct Case {
    ToolChoiceMode mode;
    std::string_view out;
  };
  const std::string tools = R"(,"toolConfig":{"tools":[)" + std::string(kSpec) + "]";
  const Case cases[] = {
      {ToolChoiceMode::unset, "}"},
      {ToolChoiceMode::automatic, R"(,"toolChoice":{"auto":{}}})"},
      {ToolChoiceMode::required, R"(,"toolChoice":{"any":{}}})"},
      {ToolChoiceMode::named, R"(,"toolChoice":{"tool":{"name":"f"}}})"},
  };
  for (const Case& c : cases) {
    const Written written = write_openai(target_of(BedrockFamily::nova), [&c](chat::Request& r, base::Arena& arena) {
      add_tool(r, arena);
      r.tool_choice = {.mode = c.mode, .name = "f"};
    });
    EXPECT_EQ(written.body, hi_out(tools + std::string(c.out)));
  }
  const auto none = [](chat::Request& r, base::Arena& arena) {
    add_tool(r, arena);
    r.tool_choice.mode = ToolChoiceMode::none;
  };
  EXPECT_EQ(write_openai(target_of(BedrockFamily::nova), none).body, hi_out(""));
  const auto single = [](chat::Request& r, base::Arena& arena) {
    add_tool(r, arena);
    r.parallel_tool_calls = false;
  };
  EXPECT_EQ(write_openai(target_of(BedrockFamily::claude), single).body,
            hi_out(tools + R"(},"additionalModelRequestFields":{"tool_choice":{"type":"auto",)"
                           R"("disable_parallel_tool_use":true}})"));
  EXPECT_THAT(write_openai(target_of(BedrockFamily::nova), single).warnings,
              ElementsAre("dropped parallel_tool_calls"));
  const auto long_name = [](chat::Request& r, base::Arena& arena) {
    r.tools.push(arena, {.name = arena.copy(std::string(65, 'n'))});
  };
  EXPECT_THAT(write_openai(target_of(BedrockFamily::nova), long_name).body,
              StartsWith("error: tools[0].function.name: "));
}

constexpr std::string_view kHistory = R"({"messages":[{"role":"user","content":[{"text":"hi"}]},
    {"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"f","input":{}}}]},
    {"role":"user","content":[{"toolResult":{"toolUseId":"t","status":"error","content":[{"text":"[1]"}]}},{"text":"so?"}]}]})";

TEST(BedrockRequestWriter, HistoryKeepsItsToolsDeclared) {
  const std::string tools = R"("toolConfig":{"tools":[)" + std::string(kSpec) + "]}";
  const Written claude = write(kHistory, target_of(BedrockFamily::claude));
  EXPECT_THAT(claude.body, HasSubstr(tools + R"(,"additionalModelRequestFields":{"tool_choice":{"type":"none"}})"));
  EXPECT_THAT(claude.body, HasSubstr(R"({"toolResult":{"toolUseId":"t","content":[{"text":"[1]"}],"status":"error"}},)"
                                     R"({"text":"so?"})"));
  const Written mistral = write(kHistory, target_of(BedrockFamily::mistral));
  EXPECT_THAT(mistral.body, HasSubstr(R"("system":[{"text":"Do not call any tool."}])"));
  EXPECT_THAT(mistral.body, HasSubstr(tools));
  // Results as JSON, alone in their turn, and no status.
  EXPECT_THAT(mistral.body, HasSubstr(R"({"toolResult":{"toolUseId":"t","content":[{"json":{"error":[1]}}]}}]},)"
                                      R"({"role":"assistant","content":[{"text":"."}]},)"
                                      R"({"role":"user","content":[{"text":"so?"}]})"));
}

TEST(BedrockRequestWriter, Formats) {
  const auto schema = [](chat::Request& r, base::Arena&) {
    r.format = {.kind = chat::FormatKind::json_schema,
                .name = "n",
                .schema = R"({"type":"object","properties":{},"additionalProperties":false})"};
  };
  EXPECT_EQ(write_openai(target_of(BedrockFamily::claude), schema).body,
            hi_out(R"(,"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":)"
                   R"("{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}","name":"n"}}}})"));
  chat::Target target = target_of(BedrockFamily::nova);
  target.json_schema = chat::JsonSchemaSupport::none;
  const Written emulated = write_openai(target, schema);
  EXPECT_THAT(emulated.body, HasSubstr(R"({"toolSpec":{"name":"json_answer",)"));
  EXPECT_THAT(emulated.body, HasSubstr(R"("toolChoice":{"tool":{"name":"json_answer"}})"));
  EXPECT_THAT(emulated.warnings, testing::Contains("emulated response_format"));
}

TEST(BedrockRequestWriter, Documents) {
  const auto change = [](chat::Request& r, base::Arena& arena) {
    chat::Message& message = r.messages[0];
    message.parts.clear();
    const auto add = [&](std::string_view name, const chat::Media& media) {
      message.parts.push(arena,
                         {.kind = chat::PartKind::document, .name = name, .media = arena.make<chat::Media>(media)});
    };
    add("Q3 report_final.pdf", {.data = "JVBERg==", .media_type = "application/pdf"});
    add("Q3 report!final.pdf", {.data = "JVBERg==", .media_type = "application/pdf"});
    add("", {.source = chat::MediaSource::text, .data = "abc"});
  };
  EXPECT_EQ(write_openai(target_of(BedrockFamily::claude), change).body,
            R"({"messages":[{"role":"user","content":[)"
            R"({"document":{"format":"pdf","name":"Q3 report final pdf","source":{"bytes":"JVBERg=="}}},)"
            R"({"document":{"format":"pdf","name":"Q3 report final pdf 2","source":{"bytes":"JVBERg=="}}},)"
            R"({"document":{"format":"txt","name":"document","source":{"bytes":"YWJj"}}},)"
            R"({"text":"The document is attached."}]}]})");
}

TEST(BedrockRequestWriter, MediaRefused) {
  const chat::Media cases[] = {
      {.source = chat::MediaSource::url, .data = "https://a/b.png", .media_type = "image/png"},
      {.source = chat::MediaSource::file_id, .data = "file-1"},
      {.data = "AAAA", .media_type = "image/tiff"},
  };
  for (const chat::Media& media : cases) {
    const auto change = [&media](chat::Request& r, base::Arena& arena) {
      r.messages[0].parts.push(arena, {.kind = chat::PartKind::image, .media = &media});
    };
    EXPECT_THAT(write_openai(target_of(BedrockFamily::claude), change).body,
                StartsWith("error: messages[0].content[1]: "));
  }
  const chat::Media sound{.data = "AAAA", .media_type = "audio/wav"};
  const auto audio = [&sound](chat::Request& r, base::Arena& arena) {
    r.messages[0].parts.push(arena, {.kind = chat::PartKind::audio, .media = &sound});
  };
  EXPECT_THAT(write_openai(target_of(BedrockFamily::claude), audio).body, HasSubstr("does not take audio"));
  const chat::Media bucket{.source = chat::MediaSource::url, .data = "s3://b/k.png", .media_type = "image/png"};
  const auto image = [&bucket](chat::Request& r, base::Arena& arena) {
    r.messages[0].parts.push(arena, {.kind = chat::PartKind::image, .media = &bucket});
  };
  EXPECT_THAT(write_openai(target_of(BedrockFamily::claude), image).body,
              HasSubstr(R"({"image":{"format":"png","source":{"s3Location":{"uri":"s3://b/k.png"}}}})"));
}

TEST(BedrockRequestWriter, CachePointsStandBehindTheirBlocks) {
  const std::string body = R"({"system":[{"text":"s"},{"cachePoint":{"type":"default"}}],"messages":[{"role":"user",)"
                           R"("content":[{"text":"a"},{"cachePoint":{"type":"default","ttl":"1h"}},{"text":"b"}]}]})";
  EXPECT_EQ(write(body, target_of(BedrockFamily::claude)).body, body);
  chat::Target without = target_of(BedrockFamily::llama);
  without.cache_marks = false;
  EXPECT_THAT(write(body, without).body, Not(HasSubstr("cachePoint")));
  chat::Target automatic = target_of(BedrockFamily::claude);
  automatic.auto_cache_system = true;
  automatic.auto_cache_tools = true;
  automatic.auto_cache_min_tokens = 1;
  const Written written =
      write(R"({"system":[{"text":"be kind"}],"messages":[{"role":"user","content":[{"text":"a"}]}],)"
            R"("toolConfig":{"tools":[)" +
                std::string(kSpec) + "]}}",
            automatic);
  EXPECT_THAT(written.body, HasSubstr(R"("system":[{"text":"be kind"},{"cachePoint":{"type":"default"}}])"));
  EXPECT_THAT(written.body, HasSubstr(std::string(kSpec) + R"(,{"cachePoint":{"type":"default"}}])"));
}

// Nova's points stand in the system prompt and the messages: one among the tools is a 400 of AWS.
TEST(BedrockRequestWriter, CachePointsOfToolsOnlyWhereTheyAreTaken) {
  chat::Target nova = target_of(BedrockFamily::nova);
  nova.cache_marks_on_tools = nova.cache_mark_hours = false;
  nova.auto_cache_system = true;
  nova.auto_cache_min_tokens = 1;
  const auto asked = [](std::string_view text, std::string_view tools) {
    return R"({"system":[{"text":"be kind"}],"messages":[{"role":"user","content":[)" + std::string(text) +
           R"(]}],"toolConfig":{"tools":[)" + std::string(tools) + "]}}";
  };
  const std::string spec(kSpec);
  const std::string point = R"({"cachePoint":{"type":"default"}})";
  const std::string hour = R"({"cachePoint":{"type":"default","ttl":"1h"}})";
  const Written tools = write(asked(R"({"text":"a"})", spec + "," + point), nova);
  // The client marks for itself: what it does not mark stays so.
  EXPECT_EQ(tools.body, asked(R"({"text":"a"})", spec));
  EXPECT_THAT(tools.warnings, ElementsAre("dropped cache_control"));
  const Written message = write(asked(R"({"text":"a"},)" + hour, spec), nova);
  EXPECT_EQ(message.body, asked(R"({"text":"a"},)" + point, spec));
  EXPECT_THAT(message.warnings, ElementsAre("changed cache_control"));
}

TEST(BedrockRequestWriter, OwnBlocksComeBackAsTheyWere) {
  const std::string body =
      R"({"messages":[{"role":"user","content":[{"guardContent":{"text":{"text":"q","qualifiers":["query"]}}},)"
      R"({"document":{"format":"txt","name":"d","source":{"content":[{"text":"x"}]}}},{"text":"y"}]},)"
      R"({"role":"assistant","content":[{"reasoningContent":{"redactedContent":"AAAA"}},)"
      R"({"citationsContent":{"content":[{"text":"c"}],"citations":[{"title":"t"}]}}]},)"
      R"({"role":"user","content":[{"text":"z"}]}],)"
      R"("additionalModelRequestFields":{"anthropic_beta":["b"]},"guardrailConfig":{"guardrailIdentifier":"g"}})";
  const Written written = write(body, target_of(BedrockFamily::claude));
  EXPECT_EQ(written.body, body);
  EXPECT_THAT(written.warnings, IsEmpty());
}

TEST(BedrockRequestReader, NamesTheFieldAtFault) {
  struct Case {
    std::string_view body;
    std::string_view param;
  };
  const Case cases[] = {
      {"{", ""},
      {"[]", ""},
      {R"({"messages":{}})", "messages"},
      {R"({"messages":[{"role":"tool"}]})", "messages[0].role"},
      {R"({"messages":[{"role":"user","content":"x"}]})", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":[{"text":"a"},"x"]}]})", "messages[0].content[1]"},
      {R"({"inferenceConfig":{"maxTokens":"x"}})", "inferenceConfig.maxTokens"},
      {R"({"toolConfig":{"tools":[{}]}})", "toolConfig.tools[0]"},
      {R"({"system":"x"})", "system"},
  };
  for (const Case& c : cases) {
    World world(codec());
    const auto read = world.read_request(c.body);
    ASSERT_FALSE(read) << c.body;
    EXPECT_EQ(read.error().param, c.param) << c.body;
  }
}

}  // namespace
}  // namespace llmgw::dialects::bedrock
