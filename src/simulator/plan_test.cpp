#include "simulator/plan.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace llmgw::simulator {
namespace {

ChatRequest request(std::string_view user = "Hello") {
  ChatRequest made;
  made.conversation.begin_message(Role::user);
  made.conversation.text(user);
  made.conversation.end();
  return made;
}

std::string text_of(const Choice& choice) {
  std::string text;
  for (const Part& part : choice.parts) {
    if (part.kind == PartKind::text) text += part.text;
  }
  return text;
}

TEST(Plan, IsTheSameForTheSameRequestAndSeed) {
  const AnswerOptions options{.tokens_min = 10, .tokens_max = 20};
  const Plan plan = make_plan(request(), options);
  ASSERT_EQ(plan.choices.size(), 1u);
  EXPECT_EQ(text_of(plan.choices[0]), text_of(make_plan(request(), options).choices[0]));
  EXPECT_NE(text_of(plan.choices[0]), text_of(make_plan(request("Other"), options).choices[0]));
  EXPECT_NE(text_of(plan.choices[0]), text_of(make_plan(request(), {.seed = 2}).choices[0]));
  EXPECT_GE(plan.steps, 10u);
  EXPECT_LE(plan.steps, 20u);
  EXPECT_EQ(plan.choices[0].finish, Finish::stop);
  EXPECT_EQ(plan.prompt_tokens, 4u);
}

TEST(Plan, EndsByLengthAtMaxTokens) {
  ChatRequest limited = request();
  limited.max_tokens = 5;
  const Plan plan = make_plan(limited, {});
  EXPECT_EQ(plan.steps, 5u);
  EXPECT_EQ(plan.choices[0].finish, Finish::length);
  EXPECT_EQ(text_of(plan.choices[0]).size(), 20u);
}

TEST(Plan, EndsAsItIsToldWhereverThatIs) {
  ChatRequest limited = request();
  limited.max_tokens = 5;
  limited.stop = {" "};
  Plan plan = make_plan(limited, {}, {.tokens = {}, .finish = Finish::content_filter});
  EXPECT_EQ(plan.choices[0].finish, Finish::content_filter);
  EXPECT_EQ(plan.choices[0].stop_sequence, "");
  limited.stop.clear();
  plan = make_plan(limited, {}, {.tokens = {}, .finish = Finish::content_filter});
  EXPECT_EQ(plan.steps, 5u);
  EXPECT_EQ(plan.choices[0].finish, Finish::content_filter) << "at max_tokens";
  cut_short(plan, 3);
  EXPECT_EQ(plan.steps, 3u);
  EXPECT_EQ(plan.choices[0].finish, Finish::content_filter) << "at the end of the context";
}

TEST(Plan, GoesOnFromItsOwnBeginning) {
  const std::string whole = text_of(make_plan(request(), {}).choices[0]);
  for (const size_t cut : {size_t{3}, size_t{7}, whole.size() - 1, whole.size()}) {
    ChatRequest made = request();
    made.conversation.answer_begins(std::string_view(whole).substr(0, cut));
    EXPECT_EQ(text_of(make_plan(made, {}).choices[0]), whole.substr(cut)) << cut;
  }
  ChatRequest other = request();
  other.conversation.answer_begins("nothing it would say");
  EXPECT_EQ(text_of(make_plan(other, {}).choices[0]), whole);
}

TEST(Plan, StopsBeforeAStopSequence) {
  ChatRequest made = request("one two three");
  made.stop = {"three", "two"};
  const Plan plan = make_plan(made, {.mode = AnswerMode::echo});
  EXPECT_EQ(text_of(plan.choices[0]), "one ");
  EXPECT_EQ(plan.choices[0].finish, Finish::stop_sequence);
  EXPECT_EQ(plan.choices[0].stop_sequence, "two");
}

TEST(Plan, CallsTheToolItMust) {
  ChatRequest made = request();
  made.tools = {{"a", "{}"}, {"b", R"({"type":"object","properties":{"x":{"type":"integer"}}})"}};
  made.tool_mode = ToolMode::required;
  made.allowed_tools = {"b"};
  const Plan plan = make_plan(made, {});
  ASSERT_EQ(plan.choices[0].parts.size(), 1u);
  EXPECT_EQ(plan.choices[0].parts[0].name, "b");
  EXPECT_TRUE(boost::json::parse(plan.choices[0].parts[0].text).at("x").is_int64());
  EXPECT_EQ(plan.choices[0].finish, Finish::tool_calls);
  EXPECT_EQ(plan.choices[0].parts[0].id.size(), 24u);
}

TEST(Plan, CallsAutomaticallyTheToolsTheUserNames) {
  ChatRequest made = request("use get_time and get_weather");
  made.tools = {{"get_weather", "{}"}, {"get_time", "{}"}, {"other", "{}"}};
  EXPECT_EQ(make_plan(made, {}).choices[0].parts.size(), 2u);
  made.parallel_tools = false;
  EXPECT_EQ(make_plan(made, {}).choices[0].parts.size(), 1u);
  made.tool_mode = ToolMode::none;
  EXPECT_EQ(make_plan(made, {}).choices[0].finish, Finish::stop);
  ChatRequest answered = request("use get_time");
  answered.tools = made.tools;
  answered.conversation = Conversation();
  answered.conversation.begin_message(Role::user);
  answered.conversation.text("use get_time");
  answered.conversation.begin_message(Role::tool);
  answered.conversation.tool_result("12:00");
  answered.conversation.end();
  EXPECT_EQ(make_plan(answered, {}).choices[0].finish, Finish::stop) << "a result has just come";
}

TEST(Plan, AnswersInJsonWhereAsked) {
  ChatRequest made = request();
  made.json_mode = JsonMode::object;
  EXPECT_TRUE(boost::json::parse(text_of(make_plan(made, {}).choices[0])).is_object());
  made.json_mode = JsonMode::schema;
  made.json_schema = R"({"type":"array","items":{"type":"integer"}})";
  EXPECT_TRUE(boost::json::parse(text_of(make_plan(made, {}).choices[0])).is_array());
}

TEST(Plan, ThinksFirstAndCountsIt) {
  ChatRequest made = request();
  made.reasoning = true;
  const Plan plan = make_plan(made, {});
  EXPECT_EQ(plan.choices[0].parts[0].kind, PartKind::reasoning);
  const UsageCount usage = usage_of(plan, 3);
  EXPECT_GT(usage.reasoning, 0u);
  EXPECT_GT(usage.output, usage.reasoning);
  EXPECT_EQ(usage.cached, 3u);
}

TEST(Plan, CutShortKeepsWhatWasDecoded) {
  ChatRequest made = request();
  made.choices = 2;
  Plan plan = make_plan(made, {.tokens_min = 10, .tokens_max = 10});
  cut_short(plan, 4);
  EXPECT_EQ(plan.steps, 4u);
  EXPECT_EQ(plan.choices[1].finish, Finish::length);
  EXPECT_EQ(usage_of(plan, 0).output, 8u);
}

TEST(ChoiceCursor, GivesEveryByteOnce) {
  ChatRequest made = request("say it: né 日本語 🚀 end");
  made.reasoning = true;
  const Plan plan = make_plan(made, {.mode = AnswerMode::echo});
  ChoiceCursor cursor(plan.choices[0]);
  std::vector<std::string> parts(plan.choices[0].parts.size());
  size_t tokens = 0;
  while (const auto piece = cursor.next()) {
    EXPECT_EQ(piece->begins_part, parts[piece->part].empty());
    parts[piece->part] += piece->text;
    EXPECT_EQ(piece->ends_part, parts[piece->part] == plan.choices[0].parts[piece->part].text);
    ++tokens;
  }
  EXPECT_EQ(tokens, plan.choices[0].tokens);
}

}  // namespace
}  // namespace llmgw::simulator
