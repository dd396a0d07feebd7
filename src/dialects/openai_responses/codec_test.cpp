#include "dialects/openai_responses/codec.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "dialects/codec_test_support.h"
#include "dialects/openai_responses/test_support.h"

namespace llmgw::dialects::openai_responses {
namespace {

using namespace testing_support;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ResponsesTest : public testing::Test {
 protected:
  std::string field(std::string_view json, std::initializer_list<std::string_view> path) {
    const auto root = json::parse_tree(world_.parser, json, world_.arena);
    if (!root) return "not JSON";
    json::Value value = *root;
    for (const std::string_view step : path) {
      if (value.is_array()) {
        size_t index = base::parse_decimal(step).value_or(0);
        json::Value found;
        for (const json::Value element : value.elements()) {
          if (index-- == 0) found = element;
        }
        value = found;
      } else {
        value = value[step];
      }
    }
    return canonical(value.raw());
  }

  std::vector<WireText> run(const std::vector<chat::StreamEvent>& events) {
    const auto writer = codec().make_stream_writer(world_.answer_context());
    WireLog wire;
    Feed feed(*writer, wire);
    chat::Sequencer sequencer(feed);
    for (const chat::StreamEvent& event : events) sequencer.event(event);
    for (const WireText& event : wire.events) samples_.add("ResponseStreamEvent", "codec_test", event.data);
    return wire.events;
  }

  static std::vector<std::string> names(const std::vector<WireText>& events) {
    std::vector<std::string> list;
    for (const WireText& event : events) list.push_back(event.name);
    return list;
  }

  std::string sent(std::string_view body, const chat::Target& target) {
    const auto read = world_.read_request(body);
    if (!read) return "error: " + std::string(read.error().param);
    const std::string out = world_.write_request(target);
    if (!out.starts_with("error:")) samples_.add("CreateResponse", "codec_test", out);
    return out;
  }

  World world_{codec()};
  Samples samples_;
};

TEST_F(ResponsesTest, ReadsEveryKindOfItem) {
  ASSERT_TRUE(world_.read_request(R"({"model":"m","instructions":"Be brief.","input":[
    {"role":"user","content":[{"type":"input_text","text":"see"},
      {"type":"input_image","image_url":"data:image/png;base64,aGk=","detail":"low"},
      {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,aGk="},
      {"type":"input_image","file_id":"file-1"}]},
    {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],
      "encrypted_content":"secret"},
    {"type":"message","id":"msg_1","role":"assistant","status":"completed","phase":"commentary",
      "content":[{"type":"output_text","text":"hm"},{"type":"refusal","refusal":"no"}]},
    {"type":"function_call","call_id":"call_1","name":"f","arguments":"{}"},
    {"type":"custom_tool_call","call_id":"call_2","name":"g","input":"text"},
    {"type":"function_call_output","call_id":"call_1","output":[{"type":"input_text","text":"ok"}]},
    {"type":"custom_tool_call_output","call_id":"call_2","output":"done"},
    {"type":"web_search_call","id":"ws_1","status":"completed"}]})"));
  const auto& messages = world_.request.messages;
  ASSERT_EQ(messages.size(), 9U);
  EXPECT_EQ(messages[0].role, chat::Role::system);
  EXPECT_EQ(messages[0].parts[0].text, "Be brief.");
  EXPECT_EQ(messages[1].parts[1].media->media_type, "image/png");
  EXPECT_EQ(messages[1].parts[1].media->detail, "low");
  EXPECT_EQ(messages[1].parts[2].kind, chat::PartKind::document);
  EXPECT_EQ(messages[1].parts[3].media->source, chat::MediaSource::file_id);
  EXPECT_EQ(messages[2].parts[0].text, "a\n\nb");
  EXPECT_EQ(messages[2].parts[0].signature->data, "secret");
  EXPECT_EQ(messages[2].parts[0].signature->id, "rs_1");
  EXPECT_EQ(messages[3].phase, "commentary");
  EXPECT_EQ(messages[3].parts[1].kind, chat::PartKind::refusal);
  EXPECT_TRUE(messages[5].parts[0].custom);
  EXPECT_EQ(messages[6].role, chat::Role::tool);
  EXPECT_EQ(messages[6].parts[0].content[0].text, "ok");
  EXPECT_EQ(messages[8].parts[0].kind, chat::PartKind::opaque);
}

TEST_F(ResponsesTest, ErrorsNameTheField) {
  const auto param = [this](std::string_view body) {
    const auto read = world_.read_request(body);
    return read ? std::string("none") : std::string(read.error().param);
  };
  EXPECT_EQ(param(R"({"input":7})"), "input");
  EXPECT_EQ(param(R"({"input":[{"role":"user","content":"a"},{"type":"item_reference","id":"rs_1"}]})"), "input[1]");
  EXPECT_EQ(param(R"({"input":[{"id":"rs_1"}]})"), "input[0]");
  EXPECT_EQ(param(R"({"input":[{"role":"tool","content":"a"}]})"), "input[0].role");
  EXPECT_EQ(param(R"({"input":[{"role":"user","content":[{"type":"x"}]}]})"), "input[0].content[0]");
  EXPECT_EQ(param(R"({"input":[{"type":"function_call_output","output":"a"}]})"), "input[0].call_id");
  EXPECT_EQ(param(R"({"tools":[{"type":"function"}]})"), "tools[0].name");
  EXPECT_EQ(param(R"({"tool_choice":"maybe"})"), "tool_choice");
  EXPECT_EQ(param(R"({"text":{"format":{"type":"json_schema","name":"a"}}})"), "text.format.schema");
  EXPECT_EQ(param(R"({"prompt":{"id":"pmpt_1"}})"), "prompt");
  EXPECT_EQ(param(R"([])"), "");
  EXPECT_EQ(param(R"({"input":"a")"), "");
}

TEST_F(ResponsesTest, ToolsAreStrictOnlyWhereTheirSchemaFits) {
  ASSERT_TRUE(world_.read_request(R"({"input":"a","tools":[
    {"type":"function","name":"fits","parameters":{"type":"object","properties":{"a":{"type":"string"}},
      "required":["a"],"additionalProperties":false}},
    {"type":"function","name":"open","parameters":{"type":"object","properties":{"a":{"type":"string"}}}},
    {"type":"function","name":"loose","strict":false,"parameters":{"type":"object","properties":{},
      "additionalProperties":false}},
    {"type":"web_search"}]})"));
  EXPECT_EQ(world_.request.tools[0].strict, true);
  EXPECT_FALSE(world_.request.tools[1].strict.has_value());
  EXPECT_EQ(world_.request.tools[2].strict, false);
  EXPECT_EQ(world_.request.tools[3].kind, chat::ToolKind::opaque);
}

TEST_F(ResponsesTest, WritesWhatOtherDialectsSay) {
  world_.request = {};
  chat::Request& request = world_.request;
  request.from = chat::Dialect::anthropic;
  base::Arena& arena = world_.arena;
  chat::Message system{.role = chat::Role::system};
  system.parts.push(arena, {.kind = chat::PartKind::text, .text = "Be brief."});
  chat::Message user{.role = chat::Role::user};
  user.parts.push(arena, {.kind = chat::PartKind::text, .text = "hi"});
  chat::Message assistant{.role = chat::Role::assistant};
  const chat::Signature own{.minter = chat::Minter::openai, .model = "remote-model", .id = "rs_9", .data = "enc"};
  const chat::Signature foreign{.minter = chat::Minter::gemini, .data = "sig"};
  assistant.parts.push(arena, {.kind = chat::PartKind::thinking, .text = "hm", .signature = &own});
  assistant.parts.push(arena, {.kind = chat::PartKind::text, .text = "calling"});
  assistant.parts.push(arena,
                       {.kind = chat::PartKind::tool_call, .text = "", .id = "c1", .name = "f", .signature = &foreign});
  chat::Message result{.role = chat::Role::user};
  chat::Part output{.kind = chat::PartKind::tool_result, .is_error = true, .id = "c1"};
  output.content.push(arena, {.kind = chat::PartKind::text, .text = "boom"});
  result.parts.push(arena, output);
  for (const chat::Message& message : {system, user, assistant, result}) request.messages.push(arena, message);
  request.tools.push(arena, {.name = "f", .schema = R"({"type":"object","properties":{"a":{}}})"});
  request.max_tokens = 5;
  request.top_k = "40";
  const std::string out = world_.write_request(openai_target());
  samples_.add("CreateResponse", "codec_test", out);
  EXPECT_EQ(
      field(out, {"input"}),
      R"([{"content":"Be brief.","role":"system"},{"content":"hi","role":"user"},)"
      R"({"encrypted_content":"enc","id":"rs_9","summary":[{"text":"hm","type":"summary_text"}],"type":"reasoning"},)"
      R"({"content":"calling","role":"assistant"},)"
      R"({"arguments":"{}","call_id":"c1","name":"f","type":"function_call"},)"
      R"({"call_id":"c1","output":"Error: boom","type":"function_call_output"}])");
  EXPECT_EQ(field(out, {"store"}), "false");
  EXPECT_EQ(field(out, {"max_output_tokens"}), "16");
  EXPECT_EQ(field(out, {"tools", "0", "strict"}), "false");
  EXPECT_EQ(field(out, {"include"}), R"(["reasoning.encrypted_content"])");
  EXPECT_EQ(field(out, {"top_k"}), "");
  EXPECT_THAT(world_.warned(), testing::IsSupersetOf({"changed max_tokens", "dropped top_k"}));
}

TEST_F(ResponsesTest, RefusesWhatItCannotSay) {
  const auto refused = [this](std::string_view body, const chat::Target& target) { return sent(body, target); };
  chat::Target target = openai_target();
  target.tools = false;
  EXPECT_THAT(refused(R"({"input":"a","tools":[{"type":"function","name":"f"}]})", target), HasSubstr("error: tools"));
  target = openai_target();
  target.tool_choice_required = false;
  EXPECT_THAT(refused(R"({"input":"a","tool_choice":"required","tools":[{"type":"function","name":"f"}]})", target),
              HasSubstr("error: tool_choice"));
  target = openai_target();
  target.images = false;
  EXPECT_THAT(refused(R"({"input":[{"role":"user","content":[{"type":"input_image","image_url":"https://a/b.png"}]}]})",
                      target),
              HasSubstr("error: input[0].content[0]"));
}

TEST_F(ResponsesTest, UploadedFilesAreOpenaisOwn) {
  constexpr std::string_view kFile = R"({"file_id":"file_1","type":"input_file"})";
  ASSERT_TRUE(world_.read_request(R"({"input":[{"role":"user","content":[)" + std::string(kFile) + "]}]}"));
  for (const chat::Dialect openais : {chat::Dialect::openai_responses, chat::Dialect::openai_chat}) {
    world_.request.from = openais;
    EXPECT_EQ(field(world_.write_request(openai_target()), {"input", "0", "content", "0"}), kFile);
  }
  for (const chat::Dialect other : {chat::Dialect::anthropic, chat::Dialect::gemini}) {
    world_.request.from = other;
    EXPECT_THAT(world_.write_request(openai_target()), HasSubstr("a file uploaded to another provider"));
  }
}

TEST_F(ResponsesTest, AFailedToolsImagesSayThatItFailed) {
  ASSERT_TRUE(world_.read_request(
      R"({"input":[{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},)"
      R"({"type":"function_call_output","call_id":"c1","output":[{"type":"input_image","image_url":"https://a/b.png"}]}]})"));
  for (chat::Message& message : world_.request.messages) {
    for (chat::Part& part : message.parts) part.is_error = part.kind == chat::PartKind::tool_result;
  }
  world_.request.from = chat::Dialect::anthropic;
  EXPECT_EQ(field(world_.write_request(openai_target()), {"input", "1", "output", "0"}),
            R"({"text":"Error:","type":"input_text"})");
}

TEST_F(ResponsesTest, ToolsOfAnotherProviderAreDroppedWithAWordAlsoIfThereAreNoOthers) {
  ASSERT_TRUE(world_.read_request(R"({"input":"a"})"));
  world_.request.tools.push(
      world_.arena,
      {.kind = chat::ToolKind::opaque, .origin = chat::Dialect::gemini, .name = "fileSearch", .raw = "{}"});
  world_.request.from = chat::Dialect::gemini;
  world_.request.service_tier = "on_demand";
  const std::string out = world_.write_request(openai_target());
  EXPECT_EQ(field(out, {"tools"}), "");
  EXPECT_EQ(field(out, {"service_tier"}), "");
  EXPECT_THAT(world_.warned(), ElementsAre("dropped tools[0]", "dropped service_tier"));
}

TEST_F(ResponsesTest, AllowedToolsAreEmulatedByHidingTheOthers) {
  constexpr std::string_view kBody = R"({"input":"a","tools":[{"type":"function","name":"f"},
    {"type":"function","name":"g"}],"tool_choice":{"type":"allowed_tools","mode":"required",
    "tools":[{"type":"function","name":"g"}]}})";
  EXPECT_EQ(field(sent(kBody, openai_target()), {"tool_choice", "tools"}), R"([{"name":"g","type":"function"}])");
  chat::Target target = openai_target();
  target.allowed_tools = false;
  const std::string out = sent(kBody, target);
  EXPECT_EQ(field(out, {"tool_choice"}), R"("required")");
  EXPECT_EQ(field(out, {"tools", "0", "name"}), R"("g")");
  EXPECT_EQ(field(out, {"tools", "1"}), "");
  EXPECT_THAT(world_.warned(), ElementsAre("emulated tool_choice"));
}

TEST_F(ResponsesTest, FormatsThatAModelLacksAreAskedForInWords) {
  chat::Target target = openai_target();
  target.json_schema = chat::JsonSchemaSupport::none;
  const std::string out =
      sent(R"({"input":"a","text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}})", target);
  EXPECT_EQ(field(out, {"text"}), "");
  EXPECT_THAT(field(out, {"input", "1", "content"}), HasSubstr(R"({\"type\":\"object\"})"));
  EXPECT_THAT(world_.warned(), ElementsAre("emulated response_format"));
}

constexpr std::string_view kUsageless = R"({"id":"r","output":[]})";

TEST_F(ResponsesTest, AnAnswerEchoesItsRequest) {
  ASSERT_TRUE(world_.read_request(R"({"model":"m","instructions":"Be brief.","input":"a","temperature":0.5,
    "max_output_tokens":64,"tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":false}],
    "tool_choice":{"type":"function","name":"f"},"reasoning":{"effort":"low","summary":"auto"},
    "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}},"verbosity":"low"},
    "metadata":{"a":"b"},"user":"u","previous_response_id":"resp_0","store":false,"parallel_tool_calls":false})"));
  const auto answer = world_.read_answer(kUsageless);
  ASSERT_TRUE(answer);
  const std::string out = world_.write_answer(*answer);
  samples_.add("Response", "codec_test", out);
  EXPECT_EQ(field(out, {"id"}), R"("resp_lgwreq-0123abc")");
  EXPECT_EQ(field(out, {"model"}), R"("alias")");
  EXPECT_EQ(field(out, {"instructions"}), R"("Be brief.")");
  EXPECT_EQ(field(out, {"temperature"}), "0.5");
  EXPECT_EQ(field(out, {"max_output_tokens"}), "64");
  EXPECT_EQ(field(out, {"tool_choice"}), R"({"name":"f","type":"function"})");
  EXPECT_EQ(field(out, {"tools", "0", "strict"}), "false");
  EXPECT_EQ(field(out, {"reasoning"}), R"({"effort":"low","summary":"auto"})");
  EXPECT_EQ(field(out, {"text", "verbosity"}), R"("low")");
  EXPECT_EQ(field(out, {"text", "format", "name"}), R"("n")");
  EXPECT_EQ(field(out, {"metadata"}), R"({"a":"b"})");
  EXPECT_EQ(field(out, {"previous_response_id"}), R"("resp_0")");
  EXPECT_EQ(field(out, {"store"}), "false");
  EXPECT_EQ(field(out, {"parallel_tool_calls"}), "false");
  EXPECT_EQ(field(out, {"usage"}), "");
}

TEST_F(ResponsesTest, FinishesMapBothWays) {
  struct Row {
    chat::Finish finish;
    std::string_view status;
    std::string_view reason;
    chat::Finish back;
  };
  for (const Row& row : {Row{chat::Finish::stop, "completed", "", chat::Finish::stop},
                         Row{chat::Finish::unknown, "completed", "", chat::Finish::stop},
                         Row{chat::Finish::pause, "completed", "", chat::Finish::stop},
                         Row{chat::Finish::length, "incomplete", "max_output_tokens", chat::Finish::length},
                         Row{chat::Finish::filter, "incomplete", "content_filter", chat::Finish::filter},
                         Row{chat::Finish::refusal, "incomplete", "content_filter", chat::Finish::filter}}) {
    chat::Answer answer;
    chat::Choice choice{.finish = row.finish};
    choice.parts.push(world_.arena, {.kind = chat::PartKind::text, .text = "a"});
    answer.choices.push(world_.arena, choice);
    answer.usage.input = 3;
    answer.usage.cache_read = 4;
    answer.usage.output = 5;
    answer.usage.reasoning = 1;
    const std::string out = world_.write_answer(answer);
    samples_.add("Response", "codec_test", out);
    EXPECT_EQ(field(out, {"status"}), '"' + std::string(row.status) + '"');
    if (!row.reason.empty()) {
      EXPECT_EQ(field(out, {"incomplete_details", "reason"}), '"' + std::string(row.reason) + '"');
      EXPECT_EQ(field(out, {"output", "0", "status"}), R"("incomplete")");
    }
    EXPECT_EQ(field(out, {"usage", "input_tokens"}), "7");
    EXPECT_EQ(field(out, {"usage", "total_tokens"}), "12");
    const auto again = world_.read_answer(out);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->choices[0].finish, row.back);
    EXPECT_EQ(again->usage.cache_read, 4U);
    EXPECT_EQ(again->usage.input, 3U);
  }
}

TEST_F(ResponsesTest, AFailedToolCallIsAFailedResponse) {
  chat::Answer answer;
  answer.choices.push(world_.arena, {.finish = chat::Finish::malformed_tool});
  const std::string out = world_.write_answer(answer);
  samples_.add("Response", "codec_test", out);
  EXPECT_EQ(field(out, {"status"}), R"("failed")");
  EXPECT_EQ(field(out, {"error", "code"}), R"("server_error")");
  EXPECT_FALSE(world_.read_answer(out).has_value());
}

TEST_F(ResponsesTest, AStreamHasTheWholeSequence) {
  const chat::Answer start{.id = "x", .created = 7};
  const chat::Part text{.kind = chat::PartKind::text};
  const chat::Part call{.kind = chat::PartKind::tool_call, .id = "c1", .name = "f"};
  const chat::Part thinking{.kind = chat::PartKind::thinking};
  const chat::Signature signature{.minter = chat::Minter::anthropic, .data = "sig"};
  chat::Part signed_thinking = thinking;
  signed_thinking.signature = &signature;
  const auto events = run({{.kind = chat::EventKind::start, .answer = &start},
                           {.kind = chat::EventKind::part_start, .part = 0, .head = &thinking},
                           {.kind = chat::EventKind::delta, .part = 0, .text = "hm"},
                           {.kind = chat::EventKind::signature, .part = 0, .head = &signed_thinking},
                           {.kind = chat::EventKind::part_stop, .part = 0},
                           {.kind = chat::EventKind::part_start, .part = 1, .head = &text},
                           {.kind = chat::EventKind::delta, .part = 1, .text = "a"},
                           {.kind = chat::EventKind::delta, .part = 1, .text = "b"},
                           {.kind = chat::EventKind::part_stop, .part = 1},
                           {.kind = chat::EventKind::part_start, .part = 2, .head = &call},
                           {.kind = chat::EventKind::part_stop, .part = 2},
                           {.kind = chat::EventKind::end}});
  EXPECT_THAT(names(events),
              ElementsAre("response.created", "response.in_progress", "response.output_item.added",
                          "response.reasoning_summary_part.added", "response.reasoning_summary_text.delta",
                          "response.reasoning_summary_text.done", "response.reasoning_summary_part.done",
                          "response.output_item.done", "response.output_item.added", "response.content_part.added",
                          "response.output_text.delta", "response.output_text.delta", "response.output_text.done",
                          "response.content_part.done", "response.output_item.done", "response.output_item.added",
                          "response.function_call_arguments.delta", "response.function_call_arguments.done",
                          "response.output_item.done", "response.completed"));
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(field(events[i].data, {"sequence_number"}), std::to_string(i));
  EXPECT_EQ(field(events.back().data, {"response", "output", "0", "encrypted_content"}),
            R"("lgw1:anthropic:t:0:0:sig")");
  EXPECT_EQ(field(events.back().data, {"response", "output", "1", "content", "0", "text"}), R"("ab")");
  EXPECT_EQ(field(events.back().data, {"response", "output", "2", "arguments"}), R"("{}")");
  EXPECT_EQ(field(events.back().data, {"response", "created_at"}), "7");
}

TEST_F(ResponsesTest, AStreamThatBreaksFails) {
  const chat::Part text{.kind = chat::PartKind::text};
  const chat::ClientError error{.kind = chat::ErrorKind::overloaded, .message = "busy"};
  const auto events = run({{.kind = chat::EventKind::part_start, .head = &text},
                           {.kind = chat::EventKind::delta, .text = "a"},
                           {.kind = chat::EventKind::error, .error = &error},
                           {.kind = chat::EventKind::delta, .text = "never"}});
  ASSERT_GE(events.size(), 2U);
  EXPECT_EQ(events[events.size() - 2].name, "error");
  EXPECT_EQ(field(events[events.size() - 2].data, {"message"}), R"("busy")");
  EXPECT_EQ(field(events[events.size() - 2].data, {"error", "message"}), R"("busy")");
  EXPECT_EQ(events.back().name, "response.failed");
  EXPECT_EQ(field(events.back().data, {"response", "error", "code"}), R"("server_error")");
  EXPECT_TRUE(world_.stream(events).error.has_value());
}

// A signature of another provider travels in a reasoning item in front of its part and comes home with the request.
TEST_F(ResponsesTest, ForeignSignaturesComeHome) {
  const chat::Signature gemini{.minter = chat::Minter::gemini, .model = "g-3", .data = "c2ln"};
  const chat::Signature redacted{.minter = chat::Minter::anthropic, .model = "c", .data = "hidden"};
  chat::Answer answer;
  chat::Choice choice{.finish = chat::Finish::tool};
  choice.parts.push(world_.arena, {.kind = chat::PartKind::thinking, .redacted = true, .signature = &redacted});
  choice.parts.push(world_.arena,
                    {.kind = chat::PartKind::tool_call, .text = "{}", .id = "c1", .name = "f", .signature = &gemini});
  choice.parts.push(world_.arena, {.kind = chat::PartKind::text, .signature = &gemini});
  answer.choices.push(world_.arena, choice);
  const std::string out = world_.write_answer(answer);
  samples_.add("Response", "codec_test", out);
  std::string request = R"({"input":)";
  request += field(out, {"output"});
  request += '}';
  ASSERT_TRUE(world_.read_request(request));
  const auto& messages = world_.request.messages;
  ASSERT_EQ(messages.size(), 3U);
  EXPECT_TRUE(messages[0].parts[0].redacted);
  EXPECT_EQ(messages[0].parts[0].signature->minter, chat::Minter::anthropic);
  EXPECT_EQ(messages[0].parts[0].signature->id, "");
  EXPECT_EQ(messages[1].parts[0].kind, chat::PartKind::tool_call);
  EXPECT_EQ(messages[1].parts[0].signature->data, "c2ln");
  EXPECT_EQ(messages[1].parts[0].signature->model, "g-3");
  EXPECT_EQ(messages[2].parts[0].kind, chat::PartKind::text);
  EXPECT_EQ(messages[2].parts[0].signature->place, chat::SignaturePlace::own_part);
}

TEST_F(ResponsesTest, AFunctionThatStandsForAFreeTextToolIsUnwrapped) {
  ASSERT_TRUE(world_.read_request(R"({"input":"a","tools":[{"type":"custom","name":"sql"}]})"));
  const chat::Part call{.kind = chat::PartKind::tool_call, .id = "c1", .name = "sql"};
  const auto events = run({{.kind = chat::EventKind::part_start, .head = &call},
                           {.kind = chat::EventKind::delta, .text = R"({"input":"SELECT)"},
                           {.kind = chat::EventKind::delta, .text = R"( 1"})"},
                           {.kind = chat::EventKind::part_stop},
                           {.kind = chat::EventKind::end}});
  EXPECT_THAT(names(events), testing::Contains("response.custom_tool_call_input.delta"));
  EXPECT_EQ(field(events.back().data, {"response", "output", "0", "type"}), R"("custom_tool_call")");
  EXPECT_EQ(field(events.back().data, {"response", "output", "0", "input"}), R"("SELECT 1")");
}

TEST_F(ResponsesTest, CitationsOfOtherDialectsBecomeAnnotations) {
  const chat::Part text{.kind = chat::PartKind::text};
  const chat::Part chat{.kind = chat::PartKind::text, .origin = chat::Dialect::openai_chat};
  const chat::Part claude{.kind = chat::PartKind::text, .origin = chat::Dialect::anthropic};
  const auto events = run(
      {{.kind = chat::EventKind::part_start, .head = &text},
       {.kind = chat::EventKind::delta, .text = "h\xC3\xA9"},
       {.kind = chat::EventKind::citations,
        .text =
            R"([{"type":"url_citation","url_citation":{"url":"https://a","title":"A","start_index":1,"end_index":2}}])",
        .head = &chat},
       {.kind = chat::EventKind::citations,
        .text =
            R"([{"type":"char_location","cited_text":"x"},{"type":"web_search_result_location","url":"https://b"}])",
        .head = &claude},
       {.kind = chat::EventKind::part_stop},
       {.kind = chat::EventKind::end}});
  EXPECT_EQ(field(events.back().data, {"response", "output", "0", "content", "0", "annotations"}),
            R"([{"end_index":2,"start_index":1,"title":"A","type":"url_citation","url":"https://a"},)"
            R"({"end_index":2,"start_index":0,"title":"","type":"url_citation","url":"https://b"}])");
}

TEST_F(ResponsesTest, LogprobsGetWhatTheSchemaWants) {
  const chat::Part text{.kind = chat::PartKind::text};
  const auto events =
      run({{.kind = chat::EventKind::part_start, .head = &text},
           {.kind = chat::EventKind::delta,
            .text = "a",
            .logprobs = R"([{"token":"a","logprob":-0.5,"bytes":null,"top_logprobs":[{"token":"b","logprob":-1}]}])"},
           {.kind = chat::EventKind::part_stop},
           {.kind = chat::EventKind::end}});
  EXPECT_EQ(field(events.back().data, {"response", "output", "0", "content", "0", "logprobs"}),
            R"([{"bytes":[],"logprob":-0.5,"token":"a","top_logprobs":[{"bytes":[],"logprob":-1,"token":"b"}]}])");
}

WireText wire(std::string_view data) {
  return {.name = "", .data = std::string(data)};
}

TEST_F(ResponsesTest, InterleavedItemsWithChangingIdsAreToldApart) {
  const auto streamed = world_.stream({
      wire(R"({"type":"response.queued","response":{"id":"a","model":"m","created_at":5}})"),
      wire(
          R"({"type":"response.output_item.added","output_index":0,"item":{"id":"x1","type":"function_call","call_id":"c1","name":"f","arguments":""}})"),
      wire(
          R"({"type":"response.output_item.added","output_index":1,"item":{"id":"y1","type":"function_call","call_id":"c2","name":"g","arguments":""}})"),
      wire(R"({"type":"response.function_call_arguments.delta","output_index":1,"item_id":"y2","delta":"{\"b\":"})"),
      wire(R"({"type":"response.function_call_arguments.delta","output_index":0,"item_id":"x2","delta":"{\"a\":1}"})"),
      wire(R"({"type":"response.function_call_arguments.delta","output_index":1,"item_id":"y3","delta":"2}"})"),
      wire(
          R"({"type":"response.output_item.done","output_index":1,"item":{"id":"y4","type":"function_call","call_id":"c2","name":"g","arguments":"{\"b\":2}"}})"),
      wire(
          R"({"type":"response.output_item.done","output_index":0,"item":{"id":"x4","type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"}})"),
      wire(
          R"({"type":"response.completed","response":{"status":"completed","usage":{"input_tokens":3,"output_tokens":2}}})"),
  });
  ASSERT_FALSE(streamed.error.has_value());
  EXPECT_THAT(reading_of(streamed.answer).calls, ElementsAre(R"(c1 f {"a":1})", R"(c2 g {"b":2})"));
  EXPECT_EQ(streamed.answer.created, 5);
  EXPECT_EQ(reading_of(streamed.answer).finish, "tool");
}

// Some send only the ends, some only the last event.
TEST_F(ResponsesTest, WhatTheDeltasLeftOutIsTakenFromTheEnds) {
  constexpr std::string_view kItem =
      R"({"id":"m","type":"message","role":"assistant","content":[{"type":"output_text","text":"hi"},{"type":"refusal","refusal":"no"}]})";
  const std::string done = R"({"type":"response.output_item.done","output_index":0,"item":)" + std::string(kItem) + "}";
  const std::string completed =
      R"({"type":"response.completed","response":{"status":"completed","output":[)" + std::string(kItem) + "]}}";
  const std::vector<std::vector<WireText>> streams{
      {wire(done), wire(completed)},
      {wire(completed)},
      {wire(R"({"type":"response.output_text.delta","delta":"h"})"),
       wire(R"({"type":"response.output_text.delta","delta":"i"})"),
       wire(R"({"type":"response.refusal.delta","content_index":1,"delta":"no"})"), wire(done), wire(completed)},
      {wire(R"({"type":"response.output_text.done","text":"hi"})"), wire(completed)},
  };
  for (const auto& stream : streams) {
    const auto streamed = world_.stream(stream);
    ASSERT_FALSE(streamed.error.has_value());
    EXPECT_EQ(reading_of(streamed.answer).text, "hi");
    EXPECT_EQ(reading_of(streamed.answer).refusal, "no");
    EXPECT_EQ(reading_of(streamed.answer).finish, "refusal");
  }
}

TEST_F(ResponsesTest, SummariesOfOneItemAreOneText) {
  const auto streamed = world_.stream({
      wire(R"({"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning"}})"),
      wire(R"({"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"a"})"),
      wire(R"({"type":"response.reasoning_summary_text.done","output_index":0,"summary_index":0,"text":"a"})"),
      wire(R"({"type":"response.reasoning_summary_text.done","output_index":0,"summary_index":1,"text":"b"})"),
      wire(
          R"({"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"text":"a"},{"text":"b"}],"encrypted_content":"enc"}})"),
      wire(
          R"({"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}})"),
  });
  ASSERT_FALSE(streamed.error.has_value());
  EXPECT_EQ(reading_of(streamed.answer).reasoning, "a\n\nb");
  EXPECT_THAT(reading_of(streamed.answer).signatures, ElementsAre("enc"));
  EXPECT_EQ(reading_of(streamed.answer).finish, "length");
}

TEST_F(ResponsesTest, ErrorsInAStreamInEveryShape) {
  for (const std::string_view data :
       {R"({"type":"error","code":"server_error","message":"m","param":null,"sequence_number":3})",
        R"({"type":"error","error":{"type":"server_error","message":"m"}})", R"({"error":{"message":"m"}})",
        R"({"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"m"}}})"}) {
    const auto streamed = world_.stream({wire(R"({"type":"response.created","response":{"id":"a"}})"), wire(data)});
    ASSERT_TRUE(streamed.error.has_value()) << data;
    EXPECT_EQ(streamed.error->message, "m") << data;
  }
  EXPECT_TRUE(world_.stream({wire("not json")}).error.has_value());
  EXPECT_TRUE(world_.stream({wire(R"({"type":"response.created","response":{}})")}).error.has_value());
}

TEST_F(ResponsesTest, AnAnswerThatIsNoneIsAnError) {
  for (const std::string_view body :
       {"<html>", "[]", R"({"error":{"message":"m"}})", R"({"id":"a"})", R"({"status":"failed","output":[]})",
        R"({"status":"queued","output":[]})", R"({"status":"cancelled","output":[]})"}) {
    EXPECT_FALSE(world_.read_answer(body).has_value()) << body;
  }
}

// Pretty-printed JSON of clients and providers does not break the lines of a stream.
TEST_F(ResponsesTest, EventsStandOnOneLine) {
  ASSERT_TRUE(world_.read_request("{\"input\":\"a\",\"metadata\":{\n \"a\": \"b \\n\"\n}}"));
  const chat::Part opaque{.kind = chat::PartKind::opaque,
                          .origin = chat::Dialect::openai_responses,
                          .text = "{\n\"type\": \"web_search_call\"}"};
  const auto events = run({{.kind = chat::EventKind::part_start, .head = &opaque},
                           {.kind = chat::EventKind::part_stop},
                           {.kind = chat::EventKind::end}});
  for (const WireText& event : events) EXPECT_THAT(event.data, Not(HasSubstr("\n"))) << event.name;
  EXPECT_EQ(field(events.back().data, {"response", "metadata"}), R"({"a":"b \n"})");
}

}  // namespace
}  // namespace llmgw::dialects::openai_responses
