#include "simulator/answer_writer.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace llmgw::simulator {
namespace {

namespace bj = boost::json;

struct Event {
  std::string name;
  std::string data;
};

// Strict: each event is an optional event line, one data line and a blank line, all ended by `line_end`.
std::vector<Event> split(std::string_view stream, std::string_view line_end = "\n") {
  std::vector<Event> events;
  Event event;
  while (!stream.empty()) {
    const size_t end = stream.find(line_end);
    if (end == std::string_view::npos) {
      ADD_FAILURE() << "the stream ends inside a line: " << stream;
      break;
    }
    const std::string_view line = stream.substr(0, end);
    stream.remove_prefix(end + line_end.size());
    if (line.starts_with("event: ")) {
      event.name = line.substr(7);
    } else if (line.starts_with("data: ")) {
      EXPECT_TRUE(event.data.empty());
      event.data = line.substr(6);
    } else {
      EXPECT_EQ(line, "");
      events.push_back(std::exchange(event, {}));
    }
  }
  EXPECT_TRUE(event.data.empty()) << "no blank line at the end";
  return events;
}

struct Scenario {
  Surface surface;
  ChatRequest request;
  AnswerOptions options{.tokens_min = 6, .tokens_max = 12};
  size_t cut_after = SIZE_MAX;  // steps; the engine ran out of memory
  size_t fail_after = SIZE_MAX;
};

struct Outcome {
  std::string stream;
  std::string answer;
  Plan plan;
};

Outcome run(Scenario scenario) {
  Plan plan = make_plan(scenario.request, scenario.options);
  const AnswerContext context{.surface = scenario.surface,
                              .request = scenario.request,
                              .plan = plan,
                              .id = "sim123",
                              .model = "m",
                              .created_unix_s = 1'700'000'000};
  Outcome outcome;
  const auto writer = make_stream_writer(context);
  writer->begin(usage_of(plan, 2), outcome.stream);
  for (size_t i = 0; i < std::min({plan.steps, scenario.cut_after, scenario.fail_after}); ++i) {
    writer->step(outcome.stream);
  }
  if (scenario.fail_after != SIZE_MAX) {
    writer->fail(refuse(503, "on demand").error(), outcome.stream);
  } else {
    cut_short(plan, scenario.cut_after);
    writer->end(usage_of(plan, 2), outcome.stream);
  }
  Surface whole = scenario.surface;
  if (whole.operation == Operation::stream_generate) whole.operation = Operation::generate;
  const AnswerContext whole_context{.surface = whole,
                                    .request = scenario.request,
                                    .plan = plan,
                                    .id = "sim123",
                                    .model = "m",
                                    .created_unix_s = 1'700'000'000};
  outcome.answer = write_answer(whole_context, usage_of(plan, 2));
  outcome.plan = std::move(plan);
  return outcome;
}

ChatRequest user_says(std::string_view text) {
  ChatRequest made;
  made.conversation.begin_message(Role::user);
  made.conversation.text(text);
  made.conversation.end();
  made.tools = {{"get_weather", R"({"type":"object","properties":{"city":{"type":"string"}}})"}, {"get_time", "{}"}};
  return made;
}

// What every API must carry: plain text, two tools, thoughts before either, a cut answer, an empty one.
std::vector<Scenario> scenarios(Surface surface) {
  std::vector<Scenario> all;
  all.push_back({.surface = surface, .request = user_says("Hello")});
  all.push_back({.surface = surface, .request = user_says("get_weather and get_time")});
  all.push_back({.surface = surface, .request = user_says("Think")});
  all.back().request.reasoning = all.back().request.reasoning_shown = true;
  all.push_back({.surface = surface, .request = user_says("Think, then get_time")});
  all.back().request.reasoning = all.back().request.reasoning_shown = true;
  all.push_back({.surface = surface, .request = user_says("Think in secret")});
  all.back().request.reasoning = true;
  all.push_back({.surface = surface, .request = user_says("Cut me"), .cut_after = 3});
  all.push_back({.surface = surface, .request = user_says("Cut get_weather"), .cut_after = 2});
  all.push_back({.surface = surface, .request = user_says("\"quotes\" \\ \n né 日本 🚀")});
  all.back().options.mode = AnswerMode::echo;
  all.push_back({.surface = surface, .request = user_says("")});
  all.back().options.mode = AnswerMode::echo;
  all.push_back({.surface = surface, .request = user_says("few")});
  all.back().request.max_tokens = 2;
  return all;
}

std::string string_of(const bj::value& value) {
  return std::string(value.as_string());
}

TEST(OpenaiChatWriter, TheStreamSaysWhatTheAnswerSays) {
  for (const Api api : {Api::openai, Api::azure}) {
    for (Scenario& scenario : scenarios({.api = api, .operation = Operation::chat, .object = {}})) {
      scenario.request.include_usage = true;
      scenario.request.choices = 2;
      const Outcome outcome = run(scenario);
      const bj::value answer = bj::parse(outcome.answer);
      auto events = split(outcome.stream);
      ASSERT_EQ(events.back().data, "[DONE]");
      events.pop_back();
      const bj::value last = bj::parse(events.back().data);
      EXPECT_TRUE(last.at("choices").as_array().empty());
      EXPECT_EQ(last.at("usage"), answer.at("usage"));
      events.pop_back();
      if (api == Api::azure) {
        EXPECT_TRUE(bj::parse(events.front().data).at("choices").as_array().empty());
        events.erase(events.begin());
      }
      for (size_t i = 0; i < 2; ++i) {
        std::string text, finish;
        bj::array calls;
        bool first = true;
        for (const Event& event : events) {
          EXPECT_TRUE(event.name.empty());
          const bj::value chunk = bj::parse(event.data);
          EXPECT_TRUE(chunk.at("usage").is_null());
          EXPECT_EQ(chunk.at("id").as_string(), "chatcmpl-sim123");
          const bj::value& choice = chunk.at("choices").at(0);
          if (choice.at("index") != bj::value(i)) continue;
          EXPECT_TRUE(finish.empty()) << "nothing follows the finish";
          const bj::object& delta = choice.at("delta").as_object();
          EXPECT_EQ(delta.contains("role"), first);
          first = false;
          if (delta.contains("content") && delta.at("content").is_string()) text += string_of(delta.at("content"));
          if (delta.contains("tool_calls")) {
            const bj::value& call = delta.at("tool_calls").at(0);
            const size_t index = call.at("index").to_number<size_t>();
            if (index == calls.size()) {
              calls.push_back(call);
              EXPECT_EQ(call.at("type").as_string(), "function");
            } else {
              bj::string& arguments = calls[index].at("function").at("arguments").as_string();
              arguments += call.at("function").at("arguments").as_string();
              EXPECT_FALSE(call.as_object().contains("id"));
            }
          }
          if (choice.at("finish_reason").is_string()) finish = string_of(choice.at("finish_reason"));
        }
        const bj::value& whole = answer.at("choices").at(i);
        EXPECT_EQ(finish, string_of(whole.at("finish_reason")));
        const bj::object& message = whole.at("message").as_object();
        EXPECT_EQ(text, message.at("content").is_null() ? "" : string_of(message.at("content")));
        if (message.contains("tool_calls")) {
          ASSERT_EQ(calls.size(), message.at("tool_calls").as_array().size());
          for (size_t c = 0; c < calls.size(); ++c) {
            calls[c].as_object().erase("index");
            EXPECT_EQ(calls[c], message.at("tool_calls").at(c));
          }
        } else {
          EXPECT_TRUE(calls.empty());
        }
      }
    }
  }
}

TEST(OpenaiChatWriter, UsageOnlyWhereAskedForAndLogprobsForEveryToken) {
  Scenario scenario{.surface = {.api = Api::openai, .operation = Operation::chat, .object = {}},
                    .request = user_says("Hi")};
  Outcome outcome = run(scenario);
  EXPECT_EQ(outcome.stream.find("\"usage\""), std::string::npos);
  EXPECT_NE(outcome.stream.find("\"obfuscation\""), std::string::npos);
  scenario.request.logprobs = true;
  scenario.request.top_logprobs = 2;
  scenario.request.include_obfuscation = false;
  outcome = run(scenario);
  EXPECT_EQ(outcome.stream.find("\"obfuscation\""), std::string::npos);
  const bj::value logprobs = bj::parse(outcome.answer).at("choices").at(0).at("logprobs").at("content");
  EXPECT_EQ(logprobs.as_array().size(), outcome.plan.steps);
  EXPECT_EQ(logprobs.at(0).at("top_logprobs").as_array().size(), 2u);
  EXPECT_LE(logprobs.at(0).at("logprob").to_number<double>(), 0);
}

TEST(OpenaiCompletionsWriter, TheStreamSaysWhatTheAnswerSays) {
  for (Scenario& scenario : scenarios({.api = Api::openai, .operation = Operation::completions, .object = {}})) {
    scenario.request.tools.clear();
    scenario.request.include_usage = true;
    const Outcome outcome = run(scenario);
    const bj::value answer = bj::parse(outcome.answer);
    auto events = split(outcome.stream);
    ASSERT_EQ(events.back().data, "[DONE]");
    events.pop_back();
    EXPECT_EQ(bj::parse(events.back().data).at("usage"), answer.at("usage"));
    events.pop_back();
    std::string text, finish;
    for (const Event& event : events) {
      const bj::value chunk = bj::parse(event.data);
      EXPECT_EQ(chunk.at("object").as_string(), "text_completion");
      text += string_of(chunk.at("choices").at(0).at("text"));
      const bj::value& reason = chunk.at("choices").at(0).at("finish_reason");
      if (reason.is_string()) finish = string_of(reason);
    }
    if (!scenario.request.reasoning) {
      EXPECT_EQ(text, string_of(answer.at("choices").at(0).at("text")));
    }
    EXPECT_EQ(finish, string_of(answer.at("choices").at(0).at("finish_reason")));
  }
}

TEST(OpenaiResponsesWriter, EventsAreInOrderAndTheLastHoldsTheWholeAnswer) {
  for (Scenario& scenario : scenarios({.api = Api::openai, .operation = Operation::responses, .object = {}})) {
    scenario.request.repeated = {{"temperature", "1.0"}};
    const Outcome outcome = run(scenario);
    const bj::value answer = bj::parse(outcome.answer);
    const auto events = split(outcome.stream);
    std::vector<bj::value> items;
    std::string deltas;
    bool item_open = false, part_open = false;
    for (size_t i = 0; i < events.size(); ++i) {
      const bj::value event = bj::parse(events[i].data);
      const std::string type = string_of(event.at("type"));
      EXPECT_EQ(events[i].name, type);
      EXPECT_EQ(event.at("sequence_number").to_number<size_t>(), i);
      if (type == "response.output_item.added") {
        EXPECT_FALSE(std::exchange(item_open, true));
        EXPECT_EQ(event.at("output_index").to_number<size_t>(), items.size());
        deltas.clear();
      } else if (type.ends_with("_part.added")) {
        EXPECT_TRUE(item_open);
        EXPECT_FALSE(std::exchange(part_open, true));
      } else if (type.ends_with(".delta")) {
        EXPECT_TRUE(item_open);
        EXPECT_TRUE(part_open || type == "response.function_call_arguments.delta");
        deltas += string_of(event.at("delta"));
      } else if (type.ends_with("_text.done")) {
        EXPECT_EQ(string_of(event.at("text")), deltas);
      } else if (type == "response.function_call_arguments.done") {
        EXPECT_EQ(string_of(event.at("arguments")), deltas);
      } else if (type.ends_with("_part.done")) {
        EXPECT_TRUE(std::exchange(part_open, false));
      } else if (type == "response.output_item.done") {
        EXPECT_TRUE(std::exchange(item_open, false));
        items.push_back(event.at("item"));
      }
    }
    EXPECT_EQ(events[0].name, "response.created");
    EXPECT_EQ(events[1].name, "response.in_progress");
    EXPECT_FALSE(item_open || part_open);
    const bj::value last = bj::parse(events.back().data);
    EXPECT_EQ(last.at("response"), answer);
    EXPECT_EQ(string_of(last.at("type")), "response." + string_of(answer.at("status")));
    EXPECT_EQ(bj::value(bj::array(items.begin(), items.end())), answer.at("output"));
    EXPECT_EQ(answer.at("temperature").to_number<double>(), 1);
  }
}

TEST(OpenaiResponsesWriter, ALimitMakesItIncomplete) {
  Scenario scenario{.surface = {.api = Api::openai, .operation = Operation::responses, .object = {}},
                    .request = user_says("Hi")};
  scenario.request.max_tokens = 3;
  const bj::value answer = bj::parse(run(scenario).answer);
  EXPECT_EQ(answer.at("status").as_string(), "incomplete");
  EXPECT_EQ(answer.at("incomplete_details").at("reason").as_string(), "max_output_tokens");
}

TEST(AnthropicWriter, BlocksAreSequentialAndAddUpToTheAnswer) {
  for (Scenario& scenario : scenarios({.api = Api::anthropic, .operation = Operation::messages, .object = {}})) {
    scenario.request.reasoning_shown = scenario.request.reasoning;
    scenario.request.cache_marks = true;
    const Outcome outcome = run(scenario);
    const bj::value answer = bj::parse(outcome.answer);
    bj::array blocks;
    std::string arguments;
    bool open = false;
    const auto events = split(outcome.stream);
    for (const Event& raw : events) {
      const bj::value event = bj::parse(raw.data);
      EXPECT_EQ(raw.name, string_of(event.at("type")));
      if (raw.name == "content_block_start") {
        EXPECT_FALSE(std::exchange(open, true));
        EXPECT_EQ(event.at("index").to_number<size_t>(), blocks.size());
        blocks.push_back(event.at("content_block"));
        arguments.clear();
      } else if (raw.name == "content_block_delta") {
        EXPECT_TRUE(open);
        bj::object& block = blocks.back().as_object();
        const bj::object& delta = event.at("delta").as_object();
        const std::string type = string_of(delta.at("type"));
        if (type == "text_delta") block.at("text").as_string() += delta.at("text").as_string();
        if (type == "thinking_delta") block.at("thinking").as_string() += delta.at("thinking").as_string();
        if (type == "signature_delta") block.at("signature") = delta.at("signature");
        if (type == "input_json_delta") arguments += string_of(delta.at("partial_json"));
      } else if (raw.name == "content_block_stop") {
        EXPECT_TRUE(std::exchange(open, false));
        boost::system::error_code broken;
        if (!arguments.empty()) {
          const bj::value input = bj::parse(arguments, broken);
          if (!broken) blocks.back().as_object().at("input") = input;
        }
      }
    }
    EXPECT_FALSE(open);
    EXPECT_EQ(events.front().name, "message_start");
    EXPECT_EQ(events[events.size() - 2].name, "message_delta");
    EXPECT_EQ(events.back().name, "message_stop");
    if (events.size() > 4) {
      EXPECT_EQ(events[2].name, "ping");
    }
    EXPECT_EQ(bj::value(blocks), answer.at("content"));
    const bj::value delta = bj::parse(events[events.size() - 2].data);
    EXPECT_EQ(delta.at("delta").at("stop_reason"), answer.at("stop_reason"));
    EXPECT_EQ(delta.at("usage").at("output_tokens"), answer.at("usage").at("output_tokens"));
    const auto count = [&](const char* name) { return answer.at("usage").at(name).to_number<size_t>(); };
    EXPECT_EQ(count("cache_read_input_tokens"), 2u);
    EXPECT_EQ(count("input_tokens") + count("cache_read_input_tokens") + count("cache_creation_input_tokens"),
              outcome.plan.prompt_tokens);
  }
}

TEST(AnthropicWriter, NamesTheStopSequence) {
  Scenario scenario{.surface = {.api = Api::anthropic, .operation = Operation::messages, .object = {}},
                    .request = user_says("one STOP two")};
  scenario.options.mode = AnswerMode::echo;
  scenario.request.stop = {"STOP"};
  const bj::value answer = bj::parse(run(scenario).answer);
  EXPECT_EQ(answer.at("stop_reason").as_string(), "stop_sequence");
  EXPECT_EQ(answer.at("stop_sequence").as_string(), "STOP");
}

bj::array gemini_chunks(const Outcome& outcome, bool sse) {
  if (!sse) return bj::parse(outcome.stream).as_array();
  bj::array chunks;
  for (const Event& event : split(outcome.stream, "\r\n")) chunks.push_back(bj::parse(event.data));
  return chunks;
}

TEST(GeminiWriter, BothFramingsSayWhatTheAnswerSays) {
  for (const bool sse : {true, false}) {
    Surface surface{.api = Api::gemini, .operation = Operation::stream_generate, .object = "m"};
    surface.sse = sse;
    for (Scenario& scenario : scenarios(surface)) {
      const Outcome outcome = run(scenario);
      const bj::value answer = bj::parse(outcome.answer);
      const bj::array chunks = gemini_chunks(outcome, sse);
      std::string text, thoughts;
      bj::array calls;
      for (size_t i = 0; i < chunks.size(); ++i) {
        const bj::value& candidate = chunks[i].at("candidates").at(0);
        EXPECT_EQ(candidate.as_object().contains("finishReason"), i + 1 == chunks.size());
        for (const bj::value& part : candidate.at("content").at("parts").as_array()) {
          if (part.as_object().contains("functionCall")) {
            calls.push_back(part);
          } else {
            (part.as_object().contains("thought") ? thoughts : text) += string_of(part.at("text"));
          }
        }
      }
      EXPECT_EQ(chunks.back().at("usageMetadata"), answer.at("usageMetadata"));
      std::string whole_text, whole_thoughts;
      bj::array whole_calls;
      for (const bj::value& part : answer.at("candidates").at(0).at("content").at("parts").as_array()) {
        if (part.as_object().contains("functionCall")) {
          whole_calls.push_back(part);
        } else {
          (part.as_object().contains("thought") ? whole_thoughts : whole_text) += string_of(part.at("text"));
        }
      }
      EXPECT_EQ(text, whole_text);
      EXPECT_EQ(thoughts, whole_thoughts);
      EXPECT_EQ(bj::value(calls), bj::value(whole_calls));
      const auto count = [&](const char* name) {
        const bj::object& usage = answer.at("usageMetadata").as_object();
        return usage.contains(name) ? usage.at(name).to_number<size_t>() : 0;
      };
      EXPECT_EQ(count("totalTokenCount"),
                count("promptTokenCount") + count("candidatesTokenCount") + count("thoughtsTokenCount"));
    }
  }
}

TEST(GeminiWriter, WritesEnumsAsIntegersWhereAsked) {
  Surface surface{.api = Api::gemini, .operation = Operation::generate, .object = "m"};
  surface.integer_enums = true;
  const bj::value answer = bj::parse(run({.surface = surface, .request = user_says("Hi")}).answer);
  EXPECT_EQ(answer.at("candidates").at(0).at("finishReason").as_int64(), 1);
}

TEST(Writers, FailInTheFormOfTheirApi) {
  const auto failed = [](Api api, Operation operation, bool sse = true) {
    Scenario scenario{
        .surface = {.api = api, .operation = operation, .object = "m"}, .request = user_says("Hi"), .fail_after = 2};
    scenario.surface.sse = sse;
    return run(scenario).stream;
  };
  const auto chat = split(failed(Api::openai, Operation::chat));
  EXPECT_TRUE(bj::parse(chat.back().data).as_object().contains("error"));
  const auto messages = split(failed(Api::anthropic, Operation::messages));
  EXPECT_EQ(messages.back().name, "error");
  EXPECT_EQ(bj::parse(messages.back().data).at("error").at("type").as_string(), "overloaded_error");
  const auto responses = split(failed(Api::openai, Operation::responses));
  EXPECT_EQ(responses[responses.size() - 2].name, "error");
  EXPECT_EQ(responses.back().name, "response.failed");
  EXPECT_EQ(bj::parse(responses.back().data).at("response").at("status").as_string(), "failed");
  const std::string bare = failed(Api::gemini, Operation::stream_generate);
  EXPECT_NE(bare.find("\r\n\r\n{\"error\":"), std::string::npos);
  const bj::value array = bj::parse(failed(Api::gemini, Operation::stream_generate, false));
  EXPECT_EQ(array.as_array().size(), 3u);
  EXPECT_EQ(array.as_array().back().at("error").at("code").as_int64(), 503);
}

}  // namespace
}  // namespace llmgw::simulator
