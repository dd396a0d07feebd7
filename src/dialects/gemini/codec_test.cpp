// Recorded traffic of Gemini and Vertex AI, where the machine has some: what is read is what was said, and what is
// written again reads the same.
#include "dialects/gemini/codec.h"
#include "dialects/codec_test_support.h"
#include "json/array_splitter.h"

namespace llmgw::dialects::gemini {
namespace {

using namespace testing_support;

chat::Target everything(chat::Dialect dialect) {
  return {.dialect = dialect,
          .minter = chat::native_minter(dialect),
          .model = "remote-model",
          .top_k = true,
          .metadata = true,
          .tool_result_images = true,
          .tool_schema = chat::SchemaSubset::gemini_json,
          .output_schema = chat::SchemaSubset::gemini_json,
          .document_urls = true,
          .audio = true,
          .video = true,
          .reasoning = chat::ReasoningStyle::gemini_level,
          .effort_min = chat::Effort::minimal};
}

class Elements final : public json::ElementSink {
 public:
  void element(std::string_view json) override { events.push_back({.name = {}, .data = std::string(json)}); }
  std::vector<WireText> events;
};

std::vector<WireText> events_of(const std::string& response) {
  if (!response.starts_with('[')) return sse_events(response);
  Elements elements;
  json::ArraySplitter splitter;
  EXPECT_TRUE(splitter.feed(response, elements));
  EXPECT_TRUE(splitter.finish());
  return elements.events;
}

class GeminiRecorded : public testing::Test {
 protected:
  void SetUp() override {
    for (const Case& one : recorded_cases("gemini"))
      if (one.endpoint.find("enerateContent") != std::string::npos) cases_.push_back(one);
    if (cases_.empty()) GTEST_SKIP() << "no recorded traffic: set LLMGW_CASES";
  }
  std::vector<Case> cases_;
};

// The collection's reading, in this model's terms.
Reading expected_of(const Case& one, const Reading& like) {
  Reading reading = expected_reading(one.expected, like);
  reading.citations = like.citations;  // the collection counts sources, we keep them whole
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, one.expected, arena);
  if (!root) return reading;
  for (size_t i = 0; i < reading.calls.size() && i < like.calls.size(); ++i) {
    if (reading.calls[i].starts_with(' ')) reading.calls[i].insert(0, like.calls[i].substr(0, like.calls[i].find(' ')));
  }
  const json::Value usage = (*root)["usage"];
  if (const auto total = usage["input_total"].unsigned_integer(); total && like.usage.input) {
    reading.usage.input = *total - usage["input_cached"].unsigned_integer().value_or(0);
  }
  // A message why the prompt was blocked is a block, also without a reason.
  if (like.finish == "filter" && reading.finish == "unknown") reading.finish = "filter";
  // OTHER says nothing, and no reason is none.
  if (like.finish == "unknown" && reading.finish == "stop") reading.finish = "unknown";
  return reading;
}

size_t signature_count(const Case& one) {
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, one.expected, arena);
  return root ? (*root)["reasoning_signatures"].size() : 0;
}

bool is_answer(const Case& one) {
  return one.status == 200 && one.id.find("failure-invalid-response") == std::string::npos;
}

// STOP stands for an unknown reason when it is written.
Reading without_finish(Reading reading, const Reading& like) {
  if (like.finish == "unknown" || like.finish == "pause") reading.finish = like.finish;
  return reading;
}

TEST_F(GeminiRecorded, AnswersReadAsTheyWereMeant) {
  size_t count = 0;
  for (const Case& one : cases_) {
    if (!is_answer(one) || one.streaming) continue;
    SCOPED_TRACE(one.id);
    ++count;
    World world(codec());
    const auto answer = world.read_answer(one.response);
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    const Reading reading = reading_of(*answer);
    EXPECT_EQ(reading, expected_of(one, reading));
    EXPECT_EQ(reading.signatures.size(), signature_count(one));
    world.request.from = chat::Dialect::gemini;
    const std::string written = world.write_answer(*answer);
    const auto again = world.read_answer(written);
    ASSERT_TRUE(again.has_value()) << written;
    EXPECT_EQ(without_finish(reading_of(*again), reading), reading) << written;
    const chat::Choice& first = answer->choices.front();
    EXPECT_EQ(again->choices.front().finish == chat::Finish::unknown,
              first.finish == chat::Finish::unknown && !first.native_finish.empty());
    const World::Streamed streamed = world.stream(world.explode(*answer));
    ASSERT_FALSE(streamed.error.has_value()) << streamed.error->message;
    EXPECT_EQ(without_finish(reading_of(streamed.answer), reading), reading);
  }
  EXPECT_GT(count, 50U);
}

TEST_F(GeminiRecorded, StreamsReadAsTheyWereMeant) {
  size_t count = 0;
  for (const Case& one : cases_) {
    if (one.status != 200 || !one.streaming) continue;
    SCOPED_TRACE(one.id);
    ++count;
    World world(codec());
    world.request.from = chat::Dialect::gemini;
    const World::Streamed streamed = world.stream(events_of(one.response));
    if (one.id.find("failure-empty-content") != std::string::npos ||
        one.id.find("failure-malformed-content") != std::string::npos) {
      EXPECT_TRUE(streamed.error.has_value()) << "it said no reason to end";
      continue;
    }
    ASSERT_FALSE(streamed.error.has_value()) << streamed.error->message;
    const Reading reading = reading_of(streamed.answer);
    EXPECT_EQ(reading, expected_of(one, reading));
    EXPECT_EQ(reading.signatures.size(), signature_count(one));
    const World::Streamed again = world.stream(streamed.wire);
    ASSERT_FALSE(again.error.has_value()) << again.error->message;
    EXPECT_EQ(without_finish(reading_of(again.answer), reading), reading);
    const auto document = world.read_answer(world.write_answer(streamed.answer));
    ASSERT_TRUE(document.has_value()) << document.error().message;
    EXPECT_EQ(without_finish(reading_of(*document), reading), reading);
  }
  EXPECT_GT(count, 30U);
}

TEST_F(GeminiRecorded, RequestsSurviveTheirOwnDialect) {
  size_t count = 0;
  for (const Case& one : cases_) {
    if (one.request.empty()) continue;
    SCOPED_TRACE(one.id);
    ++count;
    const chat::Dialect dialect = one.id.starts_with("vertex") ? chat::Dialect::vertex : chat::Dialect::gemini;
    World world(codec());
    const auto read = world.read_request(one.request);
    ASSERT_TRUE(read.has_value()) << read.error().param << ": " << read.error().message;
    const std::string first = world.write_request(everything(dialect));
    ASSERT_FALSE(first.starts_with("error:")) << first;
    World second(codec());
    ASSERT_TRUE(second.read_request(first).has_value()) << first;
    EXPECT_EQ(canonical(second.write_request(everything(dialect))), canonical(first));
    EXPECT_EQ(second.request.tools.size(), world.request.tools.size());
    // A mode without functions it could apply to is not sent.
    if (world.request.tool_choice.mode != chat::ToolChoiceMode::automatic)
      EXPECT_EQ(second.request.tool_choice.mode, world.request.tool_choice.mode);
    EXPECT_EQ(second.request.max_tokens, world.request.max_tokens);
    EXPECT_EQ(second.request.format.kind, world.request.format.kind);
  }
  EXPECT_GT(count, 100U);
}

TEST_F(GeminiRecorded, ErrorsSayWhatTheProviderSaid) {
  size_t count = 0;
  for (const Case& one : cases_) {
    if (one.status < 400) continue;
    SCOPED_TRACE(one.id);
    ++count;
    World world(codec());
    const chat::ClientError error = codec().read_error(one.status, one.response, {}, world.provider());
    EXPECT_EQ(error.status, one.status);
    json::Parser parser;
    base::Arena arena;
    const auto root = json::parse_tree(parser, one.expected, arena);
    ASSERT_TRUE(root.has_value());
    EXPECT_EQ(error.message, (*root)["error"]["message"].string(arena));
    const bool key = one.id.find("api-key") != std::string::npos;
    if (key) EXPECT_EQ(error.kind, chat::ErrorKind::authentication);
    if (one.status == 400 && !key) EXPECT_EQ(error.kind, chat::ErrorKind::invalid_request);
  }
  EXPECT_GT(count, 5U);
}

}  // namespace
}  // namespace llmgw::dialects::gemini
