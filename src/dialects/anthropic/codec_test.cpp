// Every recorded exchange of the Messages API: what is read is what the collection says it means, and survives being
// written and read again.
#include <gtest/gtest.h>

#include "dialects/anthropic/codec.h"
#include "dialects/codec_test_support.h"

namespace llmgw::dialects::anthropic {
namespace {

using namespace testing_support;

class AnthropicRecorded : public ::testing::Test {
 protected:
  void SetUp() override {
    cases_ = recorded_cases("anthropic_messages");
    if (cases_.empty()) GTEST_SKIP() << "no recorded traffic: set LLMGW_CASES";
  }
  std::vector<Case> cases_;
};

bool is_message(const Case& one) {
  return one.endpoint == "messages" && one.status == 200 && one.provenance != "edited";
}

TEST_F(AnthropicRecorded, Answers) {
  size_t count = 0;
  for (const Case& one : cases_) {
    if (!is_message(one) || one.streaming) continue;
    SCOPED_TRACE(one.id);
    ++count;
    World world(codec());
    const auto answer = world.read_answer(one.response);
    ASSERT_TRUE(answer) << answer.error().message;
    const Reading reading = reading_of(*answer);
    EXPECT_EQ(reading, expected_reading(one.expected, reading));
    const std::string written = world.write_answer(*answer);
    const auto again = world.read_answer(written);
    ASSERT_TRUE(again) << written;
    EXPECT_EQ(reading_of(*again), reading);
    const auto streamed = world.stream(world.explode(*answer));
    ASSERT_FALSE(streamed.error) << streamed.error->message;
    EXPECT_EQ(reading_of(streamed.answer), reading);
  }
  EXPECT_GT(count, 50U);
}

// Blocks nested and numbered, one start, one stop.
void expect_legal(const std::vector<WireText>& wire) {
  ASSERT_GE(wire.size(), 3U);
  EXPECT_EQ(wire.front().name, "message_start");
  EXPECT_EQ(wire.back().name, "message_stop");
  EXPECT_EQ(wire[wire.size() - 2].name, "message_delta");
  bool open = false;
  uint64_t next = 0;
  for (const WireText& event : wire) {
    json::Parser parser;
    base::Arena arena;
    const auto root = json::parse_tree(parser, event.data, arena);
    ASSERT_TRUE(root) << event.data;
    EXPECT_TRUE((*root)["type"].equals(event.name));
    const auto index = (*root)["index"].unsigned_integer();
    if (event.name == "content_block_start") {
      EXPECT_FALSE(open);
      EXPECT_EQ(index, next);
      open = true;
    } else if (event.name == "content_block_delta") {
      EXPECT_TRUE(open);
      EXPECT_EQ(index, next);
    } else if (event.name == "content_block_stop") {
      EXPECT_TRUE(open);
      EXPECT_EQ(index, next++);
      open = false;
    }
  }
  EXPECT_FALSE(open);
}

TEST_F(AnthropicRecorded, Streams) {
  size_t count = 0;
  for (const Case& one : cases_) {
    if (!is_message(one) || !one.streaming) continue;
    SCOPED_TRACE(one.id);
    ++count;
    World world(codec());
    const auto streamed = world.stream(sse_events(one.response));
    ASSERT_FALSE(streamed.error) << streamed.error->message;
    const Reading reading = reading_of(streamed.answer);
    EXPECT_EQ(reading, expected_reading(one.expected, reading));
    expect_legal(streamed.wire);
    const auto again = world.stream(streamed.wire);
    ASSERT_FALSE(again.error) << again.error->message;
    EXPECT_EQ(reading_of(again.answer), reading);
  }
  EXPECT_GT(count, 20U);
}

chat::Target permissive() {
  return {
      .dialect = chat::Dialect::anthropic,
      .minter = chat::Minter::anthropic,
      .model = "remote-model",
      .requires_max_tokens = true,
      .temperature_max = 1.0,
      .top_k = true,
      .stop_max = 255,
      .strict_tools = true,
      .tool_result_images = true,
      .tool_id_rule = chat::ToolIdRule::word,
      .document_urls = true,
      .cache_marks = true,
  };
}

// The conversation flattened: turns may be merged.
std::string flattened(const chat::Request& request) {
  std::ostringstream out;
  const auto parts = [&out](const auto& self, const chat::List<chat::Part>& list, std::string_view who) -> void {
    for (const chat::Part& part : list) {
      if (part.kind == chat::PartKind::text && part.text.find_first_not_of(" \n") == std::string_view::npos) continue;
      out << who << " " << static_cast<int>(part.kind) << " " << static_cast<int>(part.cache) << " " << part.id << " "
          << part.name << " " << canonical(part.text) << " " << part.is_error;
      if (part.media != nullptr) out << " " << part.media->data << " " << part.media->citations;
      if (part.has_signature()) out << " " << part.signature->data;
      out << "\n";
      self(self, part.content, "in");
    }
  };
  for (const chat::Message& message : request.messages) parts(parts, message.parts, chat::to_string(message.role));
  for (const chat::Tool& tool : request.tools) {
    out << "tool " << tool.name << " " << tool.description << " " << canonical(tool.schema) << " "
        << (tool.kind == chat::ToolKind::opaque ? canonical(tool.raw) : std::to_string(tool.raw.empty())) << " "
        << static_cast<int>(tool.cache) << " " << tool.strict.value_or(false) << "\n";
  }
  out << static_cast<int>(request.tool_choice.mode) << " " << request.tool_choice.name << " "
      << request.parallel_tool_calls.value_or(true) << "\n"
      << canonical(request.format.schema) << "\n";
  out << request.max_tokens.value_or(0) << " " << request.temperature << " " << request.top_p << " " << request.top_k
      << " " << request.user << " " << request.stream << " " << static_cast<int>(request.cache) << "\n";
  for (const std::string_view stop : request.stop) out << "stop " << stop << "\n";
  for (const chat::Extra& extra : request.extras) out << extra.name << " " << canonical(extra.value) << "\n";
  const chat::Reasoning& r = request.reasoning;
  out << static_cast<int>(r.mode) << " " << chat::to_string(r.effort) << " " << r.budget_tokens.value_or(-1) << " "
      << static_cast<int>(r.visible.value_or(false)) << "\n";
  return out.str();
}

TEST_F(AnthropicRecorded, Requests) {
  size_t count = 0;
  for (const Case& one : cases_) {
    if (one.request.empty() || one.endpoint != "messages") continue;
    SCOPED_TRACE(one.id);
    ++count;
    World world(codec());
    const auto read = world.read_request(one.request);
    ASSERT_TRUE(read) << read.error().param << read.error().message;
    const std::string before = flattened(world.request);
    chat::Target target = permissive();
    using chat::ReasoningMode;
    const bool budget = world.request.reasoning.mode == ReasoningMode::on;
    target.reasoning = budget ? chat::ReasoningStyle::anthropic_budget : chat::ReasoningStyle::anthropic_adaptive;
    target.effort_max = chat::Effort::max;
    const std::string written = world.write_request(target);
    ASSERT_TRUE(world.read_request(written)) << written.substr(0, 500);
    EXPECT_EQ(flattened(world.request), before);
    EXPECT_EQ(world.request.model, "remote-model");
  }
  EXPECT_GT(count, 80U);
}

}  // namespace
}  // namespace llmgw::dialects::anthropic
