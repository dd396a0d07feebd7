// Every recorded exchange of Converse: what is read is what the collection says it means, and survives being written
// and read again.
#include <gtest/gtest.h>

#include <utility>

#include "dialects/bedrock/codec.h"
#include "dialects/codec_test_support.h"

namespace llmgw::dialects::bedrock {
namespace {

using namespace testing_support;

class BedrockRecorded : public ::testing::Test {
 protected:
  void SetUp() override {
    cases_ = recorded_cases("bedrock_converse");
    if (cases_.empty()) GTEST_SKIP() << "no recorded traffic: set LLMGW_CASES";
  }
  std::vector<Case> cases_;
};

// The collection's decoded frames.
std::vector<WireText> frames(std::string_view lines) {
  std::vector<WireText> events;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    json::Parser parser;
    base::Arena arena;
    const auto root = json::parse_tree(parser, lines.substr(0, end), arena);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (!root) continue;
    const json::Value headers = (*root)["headers"];
    const json::Value exception = headers[":exception-type"];
    const json::Value name = exception.present() ? exception : headers[":event-type"];
    events.push_back({.name = std::string(name.string(arena)),
                      .data = std::string((*root)["payload"].raw()),
                      .exception = exception.present()});
  }
  return events;
}

TEST_F(BedrockRecorded, Answers) {
  size_t count = 0;
  for (const Case& one : cases_) {
    if (one.endpoint != "converse" || one.status != 200) continue;
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
  EXPECT_GT(count, 30U);
}

// messageStart, blocks one after the other, messageStop, metadata.
void expect_legal(const std::vector<WireText>& wire) {
  ASSERT_GE(wire.size(), 3U);
  EXPECT_EQ(wire.front().name, "messageStart");
  EXPECT_EQ(wire.back().name, "metadata");
  EXPECT_EQ(wire[wire.size() - 2].name, "messageStop");
  uint64_t next = 0;
  for (const WireText& event : wire) {
    json::Parser parser;
    base::Arena arena;
    const auto root = json::parse_tree(parser, event.data, arena);
    ASSERT_TRUE(root) << event.data;
    if (event.name.starts_with("contentBlock")) {
      EXPECT_EQ((*root)["contentBlockIndex"].unsigned_integer(), next);
    }
    if (event.name == "contentBlockStop") ++next;
  }
}

TEST_F(BedrockRecorded, Streams) {
  size_t count = 0;
  for (const Case& one : cases_) {
    if (one.endpoint != "converse-stream" || one.status != 200) continue;
    SCOPED_TRACE(one.id);
    ++count;
    World world(codec());
    const auto streamed = world.stream(frames(one.events));
    ASSERT_FALSE(streamed.error) << streamed.error->message;
    const Reading reading = reading_of(streamed.answer);
    EXPECT_EQ(reading, expected_reading(one.expected, reading));
    expect_legal(streamed.wire);
    const auto again = world.stream(streamed.wire);
    ASSERT_FALSE(again.error) << again.error->message;
    Reading wanted = reading;
    // Two counts must be there: what is unknown is written as 0.
    if (!reading.usage.known()) wanted.usage = again.answer.usage;
    EXPECT_EQ(reading_of(again.answer), wanted);
  }
  EXPECT_GT(count, 5U);
}

chat::BedrockFamily family_of(std::string_view model) {
  for (const auto& [word, family] : std::initializer_list<std::pair<std::string_view, chat::BedrockFamily>>{
           {"anthropic", chat::BedrockFamily::claude},
           {"nova", chat::BedrockFamily::nova},
           {"qwen", chat::BedrockFamily::qwen}}) {
    if (model.find(word) != std::string_view::npos) return family;
  }
  return chat::BedrockFamily::other;
}

chat::Target target_of(std::string_view model, const chat::Request& request) {
  chat::Target target{
      .dialect = chat::Dialect::bedrock,
      .minter = chat::Minter::bedrock,
      .model = "remote-model",
      .temperature_max = 1.0,
      .top_k = true,
      .stop_max = 255,
      .metadata = true,
      .strict_tools = true,
      .tool_result_images = true,
      .tools_needed_by_history = true,
      .tool_id_rule = chat::ToolIdRule::bedrock,
      .video = true,
      .bedrock = family_of(model),
      .cache_marks = true,
  };
  using chat::ReasoningStyle;
  const bool budget = request.reasoning.mode == chat::ReasoningMode::on;
  target.reasoning = target.bedrock == chat::BedrockFamily::claude
                         ? (budget ? ReasoningStyle::anthropic_budget : ReasoningStyle::anthropic_adaptive)
                         : ReasoningStyle::effort;
  target.effort_max = chat::Effort::max;
  return target;
}

// The conversation flattened: turns may be merged.
std::string flattened(const chat::Request& request) {
  std::ostringstream out;
  const auto parts = [&out](const auto& self, const chat::List<chat::Part>& list, std::string_view who) -> void {
    for (const chat::Part& part : list) {
      if (part.kind == chat::PartKind::text && part.text.find_first_not_of(" \n") == std::string_view::npos) continue;
      out << who << " " << static_cast<int>(part.kind) << " " << static_cast<int>(part.cache) << " " << part.id << " "
          << canonical(part.text) << " " << part.is_error << " " << element_count(part.citations);
      if (part.media != nullptr) out << " " << part.media->data << part.media->media_type << part.media->citations;
      if (part.has_signature()) out << " " << part.signature->data;
      out << "\n";
      self(self, part.content, "in");
    }
  };
  for (const chat::Message& message : request.messages) parts(parts, message.parts, chat::to_string(message.role));
  for (const chat::Tool& tool : request.tools) {
    out << "tool " << tool.name << " " << tool.description << " " << canonical(tool.schema) << " "
        << static_cast<int>(tool.cache) << "\n";
  }
  out << static_cast<int>(request.tool_choice.mode) << " " << request.tool_choice.name << " "
      << request.parallel_tool_calls.value_or(true) << " " << canonical(request.format.schema) << "\n";
  out << request.max_tokens.value_or(0) << " " << request.temperature << " " << request.top_p << " " << request.top_k
      << " " << request.metadata << " " << request.service_tier << "\n";
  for (const std::string_view stop : request.stop) out << "stop " << stop << "\n";
  for (const chat::Extra& extra : request.extras) out << extra.name << " " << canonical(extra.value) << "\n";
  const chat::Reasoning& r = request.reasoning;
  out << static_cast<int>(r.mode) << " " << chat::to_string(r.effort) << " " << r.budget_tokens.value_or(-1) << "\n";
  return out.str();
}

TEST_F(BedrockRecorded, Requests) {
  size_t count = 0;
  for (const Case& one : cases_) {
    if (one.request.empty() || !one.endpoint.starts_with("converse")) continue;
    SCOPED_TRACE(one.id);
    ++count;
    World world(codec());
    const auto read = world.read_request(one.request);
    ASSERT_TRUE(read) << read.error().param << read.error().message;
    const std::string before = flattened(world.request);
    const std::string written = world.write_request(target_of(one.model, world.request));
    ASSERT_TRUE(world.read_request(written)) << written.substr(0, 500);
    EXPECT_EQ(flattened(world.request), before);
  }
  EXPECT_GT(count, 40U);
}

}  // namespace
}  // namespace llmgw::dialects::bedrock
