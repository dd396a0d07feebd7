#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "dialects/anthropic/codec.h"
#include "dialects/codec_test_support.h"

namespace llmgw::dialects::anthropic {
namespace {

using namespace testing_support;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

chat::Target claude() {
  return {
      .dialect = chat::Dialect::anthropic,
      .minter = chat::Minter::anthropic,
      .model = "claude",
      .requires_max_tokens = true,
      .default_max_tokens = 4000,
      .temperature_max = 1.0,
      .top_k = true,
      .tool_result_images = true,
      .tool_id_rule = chat::ToolIdRule::word,
      .output_schema = chat::SchemaSubset::anthropic,
      .cache_marks = true,
  };
}

// Reads a body of Anthropic's as if another dialect had said the same.
struct Written {
  std::string body;
  std::vector<std::string> warnings;
};

Written write(std::string_view body, const chat::Target& target, chat::Dialect from = chat::Dialect::anthropic,
              const std::function<void(chat::Request&, base::Arena&)>& change = {}) {
  World world(codec());
  const auto read = world.read_request(body);
  EXPECT_TRUE(read) << body;
  world.request.from = from;
  if (change) change(world.request, world.arena);
  std::string out = world.write_request(target);
  return {out, world.warned()};
}

constexpr std::string_view kHi = R"({"messages":[{"role":"user","content":"hi"}],"max_tokens":2000)";
constexpr std::string_view kHiOut =
    R"({"model":"claude","max_tokens":2000,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}])";

std::string hi(std::string_view more) {
  return std::string(kHi) + std::string(more) + "}";
}
std::string hi_out(std::string_view more) {
  return std::string(kHiOut) + std::string(more) + "}";
}

TEST(AnthropicRequestWriter, Parameters) {
  struct Case {
    std::string_view more;
    std::string_view out;
    std::vector<std::string> warnings = {};
  };
  const Case cases[] = {
      {"", ""},
      {R"(,"temperature":0.5,"top_p":0.9,"top_k":3)", R"(,"temperature":0.5,"top_p":0.9,"top_k":3)"},
      {R"(,"temperature":1.7)", R"(,"temperature":1)", {"changed temperature"}},
      {R"(,"stop_sequences":["a"," ",""])", R"(,"stop_sequences":["a"])", {"dropped stop"}},
      {R"(,"stream":true)", R"(,"stream":true)"},
      {R"(,"metadata":{"user_id":"u","x":1})", R"(,"metadata":{"user_id":"u","x":1})"},
      {R"(,"service_tier":"auto")", R"(,"service_tier":"auto")"},
      {R"(,"cache_control":{"type":"ephemeral"})", R"(,"cache_control":{"type":"ephemeral"})"},
      {R"(,"context_management":{"edits":[]},"speed":"fast")", R"(,"context_management":{"edits":[]},"speed":"fast")"},
      {R"(,"tool_choice":{"type":"any"})", ""},  // without tools Anthropic refuses it
  };
  for (const Case& c : cases) {
    const Written written = write(hi(c.more), claude());
    EXPECT_EQ(written.body, hi_out(c.out));
    EXPECT_EQ(written.warnings, c.warnings) << c.more;
  }
}

TEST(AnthropicRequestWriter, MaxTokens) {
  chat::Target target = claude();
  EXPECT_THAT(write(R"({"messages":[{"role":"user","content":"hi"}]})", target).body,
              HasSubstr(R"("max_tokens":4000,)"));
  target.max_tokens_cap = 1000;
  const Written cut = write(hi(""), target);
  EXPECT_THAT(cut.body, HasSubstr(R"("max_tokens":1000,)"));
  EXPECT_THAT(cut.warnings, ElementsAre("changed max_tokens"));
}

TEST(AnthropicRequestWriter, OtherDialectsParametersAreNamed) {
  const auto change = [](chat::Request& r, base::Arena& arena) {
    r.seed = "7";
    r.frequency_penalty = "0";
    r.presence_penalty = "0.5";
    r.logprobs = true;
    r.service_tier = "flex";
    r.extras.push(arena, {.name = "prediction", .value = "1"});
    r.extras.push(arena, {.name = "stream_options", .value = "{}"});
  };
  const Written written = write(hi(""), claude(), chat::Dialect::openai_chat, change);
  EXPECT_EQ(written.body, hi_out(""));
  EXPECT_THAT(written.warnings, ElementsAre("dropped presence_penalty", "dropped seed", "dropped logprobs",
                                            "dropped service_tier", "dropped prediction"));
  const auto several = [](chat::Request& r, base::Arena&) { r.n = 2; };
  EXPECT_THAT(write(hi(""), claude(), chat::Dialect::openai_chat, several).body, StartsWith("error: n: "));
}

TEST(AnthropicRequestWriter, Thinking) {
  using chat::Effort;
  using chat::ReasoningStyle;
  struct Case {
    std::string_view more;
    ReasoningStyle style;
    Effort effort = Effort::unset;  // as another dialect says it
    std::string_view out;
    std::vector<std::string> warnings = {};
  };
  const auto budget = ReasoningStyle::anthropic_budget;
  const auto adaptive = ReasoningStyle::anthropic_adaptive;
  const Case cases[] = {
      {R"(,"thinking":{"type":"enabled","budget_tokens":1500})", budget, Effort::unset,
       R"(,"thinking":{"type":"enabled","budget_tokens":1500})"},
      {R"(,"thinking":{"type":"enabled","budget_tokens":9000})",
       budget,
       Effort::unset,
       R"(,"thinking":{"type":"enabled","budget_tokens":1999})",
       {"changed reasoning_effort"}},
      {R"(,"thinking":{"type":"disabled"})", budget, Effort::unset, R"(,"thinking":{"type":"disabled"})"},
      {R"(,"thinking":{"type":"adaptive","display":"summarized"})", adaptive, Effort::unset,
       R"(,"thinking":{"type":"adaptive","display":"summarized"})"},
      {R"(,"thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"low"})", adaptive,
       Effort::unset, R"(,"thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"low"})"},
      {R"(,"output_config":{"effort":"medium"})", adaptive, Effort::unset, R"(,"output_config":{"effort":"medium"})"},
      {"", adaptive, Effort::high, R"(,"thinking":{"type":"adaptive"},"output_config":{"effort":"high"})"},
      {"",
       adaptive,
       Effort::max,
       R"(,"thinking":{"type":"adaptive"},"output_config":{"effort":"high"})",
       {"changed reasoning_effort"}},
      {"", adaptive, Effort::none, ""},
      // No more than half of max_tokens unless the client chose the budget.
      {"", budget, Effort::high, R"(,"thinking":{"type":"enabled","budget_tokens":1024})"},
      {"", ReasoningStyle::none, Effort::high, "", {"dropped reasoning_effort"}},
  };
  for (const Case& c : cases) {
    chat::Target target = claude();
    target.reasoning = c.style;
    const chat::Dialect from = c.effort == Effort::unset ? chat::Dialect::anthropic : chat::Dialect::openai_chat;
    const Written written = write(hi(c.more), target, from, [&c](chat::Request& r, base::Arena&) {
      if (c.effort != Effort::unset) r.reasoning.effort = c.effort;
    });
    EXPECT_EQ(written.body, hi_out(c.out));
    EXPECT_EQ(written.warnings, c.warnings) << c.more;
  }
}

TEST(AnthropicRequestWriter, ThinkingAndSampling) {
  chat::Target target = claude();
  target.reasoning = chat::ReasoningStyle::anthropic_budget;
  target.sampling_while_reasoning = false;
  const Written written = write(hi(R"(,"temperature":0.5,"thinking":{"type":"enabled","budget_tokens":1024})"), target);
  EXPECT_EQ(written.body, hi_out(R"(,"thinking":{"type":"enabled","budget_tokens":1024})"));
  EXPECT_THAT(written.warnings, ElementsAre("dropped temperature"));
  EXPECT_THAT(write(hi(R"(,"temperature":1,"thinking":{"type":"enabled","budget_tokens":1024})"), target).warnings,
              IsEmpty());
}

// A call that another model made cannot be gone on with by a model that has to think first.
TEST(AnthropicRequestWriter, ThinkingStopsInsideAForeignToolLoop) {
  chat::Target target = claude();
  target.reasoning = chat::ReasoningStyle::anthropic_budget;
  constexpr std::string_view kLoop = R"({"max_tokens":3000,"thinking":{"type":"enabled","budget_tokens":1024},
    "tools":[{"name":"f","input_schema":{"type":"object"}}],
    "messages":[{"role":"user","content":"hi"},
    {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"1"}]}]})";
  const Written written = write(kLoop, target);
  EXPECT_THAT(written.body, Not(HasSubstr("thinking")));
  EXPECT_THAT(written.warnings, ElementsAre("changed reasoning_effort"));
}

constexpr std::string_view kTools = R"(,"tools":[{"name":"f","description":"d","input_schema":{"properties":{}}}])";
constexpr std::string_view kToolsOut =
    R"(,"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{}}}])";

TEST(AnthropicRequestWriter, ToolChoice) {
  struct Case {
    std::string_view choice;
    std::string_view out;
  };
  const Case cases[] = {
      {R"({"type":"auto"})", R"({"type":"auto"})"},
      {R"({"type":"any"})", R"({"type":"any"})"},
      {R"({"type":"none"})", R"({"type":"none"})"},
      {R"({"type":"tool","name":"f"})", R"({"type":"tool","name":"f"})"},
      {R"({"type":"any","disable_parallel_tool_use":true})", R"({"type":"any","disable_parallel_tool_use":true})"},
  };
  for (const Case& c : cases) {
    const std::string more = std::string(kTools) + R"(,"tool_choice":)" + std::string(c.choice);
    const std::string out = std::string(kToolsOut) + R"(,"tool_choice":)" + std::string(c.out);
    EXPECT_EQ(write(hi(more), claude()).body, hi_out(out));
  }
  const auto one = [](chat::Request& r, base::Arena&) { r.parallel_tool_calls = false; };
  EXPECT_EQ(write(hi(kTools), claude(), chat::Dialect::openai_chat, one).body,
            hi_out(std::string(kToolsOut) + R"(,"tool_choice":{"type":"auto","disable_parallel_tool_use":true})"));
  EXPECT_THAT(write(hi(std::string(kTools) + R"(,"tool_choice":{"type":"tool","name":"g"})"), claude()).body,
              StartsWith("error: tool_choice: "));
}

TEST(AnthropicRequestWriter, AModelThatCannotBeForcedIsTold) {
  chat::Target target = claude();
  target.tool_choice_required = false;
  const Written written = write(hi(std::string(kTools) + R"(,"tool_choice":{"type":"any"})"), target);
  EXPECT_THAT(written.body, HasSubstr(R"("system":[{"type":"text","text":"You must answer by calling one)"));
  EXPECT_THAT(written.body, HasSubstr(R"("tool_choice":{"type":"auto"})"));
  EXPECT_THAT(written.warnings, ElementsAre("emulated tool_choice"));
}

TEST(AnthropicRequestWriter, ForcedToolsEndThinking) {
  chat::Target target = claude();
  target.reasoning = chat::ReasoningStyle::anthropic_budget;
  target.forced_tool_while_reasoning = false;
  const std::string more =
      std::string(kTools) + R"(,"tool_choice":{"type":"any"},"thinking":{"type":"enabled","budget_tokens":1024})";
  const Written written = write(hi(more), target);
  EXPECT_EQ(written.body, hi_out(std::string(kToolsOut) + R"(,"tool_choice":{"type":"any"})"));
  EXPECT_THAT(written.warnings, ElementsAre("changed reasoning_effort"));
  target.reasoning_can_be_off = false;
  EXPECT_THAT(write(hi(more), target).body, HasSubstr(R"("tool_choice":{"type":"auto"},"thinking":{"type":"enabled")"));
}

// Claude refuses to think where the answer was begun for it.
TEST(AnthropicRequestWriter, BegunAnswersEndThinking) {
  chat::Target target = claude();
  target.reasoning = chat::ReasoningStyle::anthropic_budget;
  const std::string asked =
      R"({"max_tokens":2000,"thinking":{"type":"enabled","budget_tokens":1024},"messages":[{"role":"user","content":"hi"})";
  const Written begun = write(asked + R"(,{"role":"assistant","content":"{"}]})", target);
  EXPECT_THAT(begun.body, Not(HasSubstr("thinking")));
  EXPECT_THAT(begun.warnings, ElementsAre("changed reasoning_effort"));
  const Written plain = write(asked + "]}", target);
  EXPECT_THAT(plain.body, HasSubstr(R"("thinking":{"type":"enabled")"));
  EXPECT_THAT(plain.warnings, IsEmpty());
}

TEST(AnthropicRequestWriter, ToolKinds) {
  const auto change = [](chat::Request& r, base::Arena& arena) {
    r.tools.push(arena, {.kind = chat::ToolKind::custom, .name = "free"});
    r.tools.push(arena, {.kind = chat::ToolKind::opaque, .name = "web", .raw = "{}"});
    r.tools.push(arena, {.strict = true, .name = "s", .schema = R"({"type":"object","properties":{}})"});
  };
  const Written written = write(hi(""), claude(), chat::Dialect::openai_responses, change);
  EXPECT_EQ(
      written.body,
      hi_out(R"(,"tools":[{"name":"free","input_schema":{"type":"object","properties":{"input":{"type":"string"}},)"
             R"("required":["input"]}},{"name":"s","input_schema":{"type":"object","properties":{}}}])"));
  EXPECT_THAT(written.warnings, ElementsAre("emulated tools[0]", "dropped tools[1]", "dropped tools[2].strict"));
  EXPECT_THAT(write(hi(R"(,"tools":[{"name":"a.b","input_schema":{}}])"), claude()).body,
              StartsWith("error: tools[0].name: "));
  EXPECT_THAT(write(hi(R"(,"tools":[{"type":"bash_20250124","name":"bash"}])"), claude()).body,
              HasSubstr(R"("tools":[{"type":"bash_20250124","name":"bash"}])"));
}

TEST(AnthropicRequestWriter, HistoryKeepsItsToolsDeclared) {
  chat::Target target = claude();
  target.tools_needed_by_history = true;
  const Written written = write(R"({"max_tokens":9,"messages":[{"role":"user","content":"hi"},
      {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":"{\"a\":1}"}]},
      {"role":"user","content":[{"type":"text","text":"so?"},{"type":"tool_result","tool_use_id":"t","content":"1"}]}]})",
                                target);
  EXPECT_EQ(
      written.body,
      R"({"model":"claude","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},)"
      R"({"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"a":1}}]},)"
      R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"1"},)"
      R"({"type":"text","text":"so?"}]}],)"
      R"("tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"none"}})");
}

TEST(AnthropicRequestWriter, Formats) {
  const auto json_object = [](chat::Request& r, base::Arena&) { r.format.kind = chat::FormatKind::json_object; };
  const auto schema = [](chat::Request& r, base::Arena&) {
    r.format.kind = chat::FormatKind::json_schema;
    r.format.schema = R"({"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false})";
  };
  EXPECT_THAT(write(hi(""), claude(), chat::Dialect::openai_chat, json_object).body,
              HasSubstr(R"("system":[{"type":"text","text":"Answer with one JSON object)"));
  EXPECT_EQ(write(hi(""), claude(), chat::Dialect::openai_chat, schema).body,
            hi_out(R"(,"output_config":{"format":{"type":"json_schema","schema":{"type":"object",)"
                   R"("properties":{"a":{"type":"string"}},"additionalProperties":false}}})"));
  chat::Target target = claude();
  target.json_schema = chat::JsonSchemaSupport::none;
  const Written forced = write(hi(""), target, chat::Dialect::openai_chat, schema);
  EXPECT_THAT(forced.body, HasSubstr(R"("tools":[{"name":"json_answer",)"));
  EXPECT_THAT(forced.body,
              HasSubstr(R"("tool_choice":{"type":"tool","name":"json_answer","disable_parallel_tool_use":true})"));
  EXPECT_THAT(forced.warnings, ElementsAre("emulated response_format"));
  const Written beside = write(hi(kTools), target, chat::Dialect::openai_chat, schema);
  EXPECT_THAT(beside.body, HasSubstr(R"("tool_choice":{"type":"any"})"));
  target.tool_choice_required = false;
  EXPECT_THAT(write(hi(""), target, chat::Dialect::openai_chat, schema).body,
              HasSubstr("It must match this JSON schema"));
}

TEST(AnthropicRequestWriter, Media) {
  struct Case {
    std::string_view block;
    std::string_view out;
  };
  const Case cases[] = {
      // The bytes say PNG.
      {R"({"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"iVBORw0KGgo="}})",
       R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}})"},
      {R"({"type":"image","source":{"type":"url","url":"https://a/b.png"}})",
       R"({"type":"image","source":{"type":"url","url":"https://a/b.png"}})"},
      {R"({"type":"document","title":"t","source":{"type":"base64","media_type":"application/pdf","data":"JVBERg=="}})",
       R"({"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERg=="},"title":"t"})"},
      {R"({"type":"document","source":{"type":"base64","media_type":"text/csv","data":"YSxi"}})",
       R"({"type":"document","source":{"type":"text","media_type":"text/plain","data":"a,b"}})"},
      {R"({"type":"image","source":{"type":"file","file_id":"f"}})",
       R"({"type":"image","source":{"type":"file","file_id":"f"}})"},
  };
  for (const Case& c : cases) {
    const std::string body =
        R"({"max_tokens":2000,"messages":[{"role":"user","content":[)" + std::string(c.block) + "]}]}";
    EXPECT_THAT(write(body, claude()).body, HasSubstr(c.out));
  }
  const std::string_view refused[] = {
      R"({"type":"image","source":{"type":"base64","media_type":"image/tiff","data":"SUkqAA=="}})",
      R"({"type":"image","source":{"type":"url","url":"gs://b/c"}})",
      R"({"type":"document","source":{"type":"url","url":"https://a/b.pdf"}})",
      R"({"type":"document","source":{"type":"base64","media_type":"application/msword","data":"AAAA"}})",
  };
  for (const std::string_view block : refused) {
    const std::string body = R"({"messages":[{"role":"user","content":[)" + std::string(block) + "]}]}";
    EXPECT_THAT(write(body, claude()).body, StartsWith("error: messages[0].content[0]: ")) << block;
  }
  // Nobody else's files.
  EXPECT_THAT(
      write(R"({"messages":[{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}]})",
            claude(), chat::Dialect::openai_responses)
          .body,
      StartsWith("error: messages[0].content[0]: "));
}

TEST(AnthropicRequestWriter, CacheMarks) {
  chat::Target target = claude();
  const std::string marked = R"({"max_tokens":9,"messages":[{"role":"user","content":[)"
                             R"({"type":"text","text":"1","cache_control":{"type":"ephemeral"}},)"
                             R"({"type":"text","text":"2","cache_control":{"type":"ephemeral"}},)"
                             R"({"type":"text","text":"3","cache_control":{"type":"ephemeral"}},)"
                             R"({"type":"text","text":"4","cache_control":{"type":"ephemeral","ttl":"1h"}},)"
                             R"({"type":"text","text":"5","cache_control":{"type":"ephemeral"}}]}]})";
  const Written written = write(marked, target);
  EXPECT_THAT(written.body, HasSubstr(R"({"type":"text","text":"1"},{"type":"text","text":"2","cache_control")"));
  EXPECT_THAT(written.body, HasSubstr(R"("text":"4","cache_control":{"type":"ephemeral","ttl":"1h"}})"));
  EXPECT_THAT(written.warnings, ElementsAre("dropped cache_control"));
  target.cache_marks = false;
  EXPECT_THAT(write(marked, target).body, Not(HasSubstr("cache_control")));
  target = claude();
  target.auto_cache_system = true;
  target.auto_cache_tools = true;
  target.auto_cache_min_tokens = 2;
  const Written automatic = write(hi(std::string(kTools) + R"(,"system":"be kind to all")"), target);
  EXPECT_THAT(automatic.body,
              HasSubstr(R"("system":[{"type":"text","text":"be kind to all","cache_control":{"type":"ephemeral"}}])"));
  EXPECT_THAT(automatic.body, HasSubstr(R"("properties":{}},"cache_control":{"type":"ephemeral"}}])"));
  EXPECT_THAT(write(hi(R"(,"system":"short")"), target).body, HasSubstr(R"("system":"short")"));
}

TEST(AnthropicRequestWriter, ResultsAndWhatIsNotSent) {
  const Written written = write(R"({"max_tokens":9,"tools":[{"name":"f","input_schema":{"type":"object"}}],
      "messages":[{"role":"user","content":"hi"},
      {"role":"assistant","content":[{"type":"thinking","thinking":"unsigned"},{"type":"text","text":" "},
        {"type":"tool_use","id":"a.b","name":"f","input":[1]},{"type":"tool_use","id":"u","name":"f","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"u","is_error":true},
        {"type":"tool_result","tool_use_id":"a.b","content":[{"type":"text","text":"x"},
        {"type":"image","source":{"type":"url","url":"https://i"}}]}]}]})",
                                claude());
  EXPECT_THAT(written.body, HasSubstr(R"("input":{"value":[1]}})"));
  EXPECT_THAT(written.body, Not(HasSubstr("unsigned")));
  EXPECT_THAT(written.body, Not(HasSubstr("a.b")));
  EXPECT_THAT(written.body, HasSubstr(R"("content":[{"type":"text","text":"x"},{"type":"image","source":)"
                                      R"({"type":"url","url":"https://i"}}]},{"type":"tool_result","tool_use_id":"u",)"
                                      R"("is_error":true,"content":"The tool failed."}])"));
  EXPECT_THAT(written.warnings, ElementsAre("dropped messages[1]", "changed messages"));
}

TEST(AnthropicRequestWriter, CountTokens) {
  World world(codec());
  ASSERT_TRUE(world.read_request(hi(R"(,"system":"s","temperature":0.2,"stream":true,"speed":"fast")")));
  std::string out;
  WriteContext context = world.write_context();
  ASSERT_TRUE(write_count_request(world.request, claude(), context, out));
  EXPECT_EQ(out,
            R"({"model":"claude","system":"s","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]})");
  EXPECT_EQ(read_token_count(R"({"input_tokens": 42})", world.provider()), 42U);
  EXPECT_FALSE(read_token_count(R"({"type":"error","error":{"type":"x","message":"m"}})", world.provider()));
  std::string count;
  write_token_count(42, count);
  EXPECT_EQ(count, R"({"input_tokens":42})");
}

}  // namespace
}  // namespace llmgw::dialects::anthropic
