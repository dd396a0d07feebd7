// Recorded traffic of Chat Completions (OpenAI, Azure, compatible vendors), where the machine has some: what is read is
// what was said, and what is written again reads the same.
#include <cstdlib>
#include <fstream>

#include "dialects/codec_test_support.h"
#include "dialects/openai_chat/codec.h"

namespace llmgw::dialects::openai_chat {
namespace {

using namespace testing_support;

// Samples for the check against OpenAI's schemas: a line each, the schema's name and the JSON.
class Samples {
 public:
  Samples() {
    if (const char* const file = std::getenv("LLMGW_SCHEMA_SAMPLES")) file_.open(file, std::ios::app);
  }
  void add(std::string_view schema, std::string_view id, std::string_view json) {
    if (!file_.is_open()) return;
    std::string line;
    json::Writer w(line);
    w.begin_object().member("schema", schema).member("id", id).raw_member("value", canonical(json)).end_object();
    file_ << line << '\n';
  }

 private:
  std::ofstream file_;
};

chat::Target everything() {
  return {.dialect = chat::Dialect::openai_chat,
          .minter = chat::Minter::openai,
          .model = "remote-model",
          .top_k = true,
          .developer_role = true,
          .metadata = true,
          .store = true,
          .verbosity = true,
          .prompt_cache_key = true,
          .custom_tools = true,
          .strict_tools = true,
          .allowed_tools = true,
          .tool_result_images = true,
          .document_urls = true,
          .audio = true,
          .video = true,
          .reasoning = chat::ReasoningStyle::effort,
          .effort_min = chat::Effort::minimal,
          .effort_max = chat::Effort::max,
          .effort_none = true,
          .reasoning_member = "reasoning_content"};
}

class OpenaiChatRecorded : public testing::Test {
 protected:
  void SetUp() override {
    cases_ = recorded_cases("openai_chat");
    if (cases_.empty()) GTEST_SKIP() << "no recorded traffic: set LLMGW_CASES";
  }
  std::vector<Case> cases_;
};

// The collection's reading, in this model's terms.
Reading expected_of(const Case& one, const Reading& like) {
  Reading reading = expected_reading(one.expected, like);
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, one.expected, arena);
  if (!root) return reading;
  reading.refusal = (*root)["refusal"].string(arena);
  // Ids that nobody gave are made up here.
  for (size_t i = 0; i < reading.calls.size() && i < like.calls.size(); ++i) {
    if (reading.calls[i].starts_with(' ')) {
      reading.calls[i].insert(0, like.calls[i].substr(0, like.calls[i].find(' ')));
    }
  }
  if (reading.finish == "unknown" && !reading.calls.empty()) reading.finish = "tool";
  if (reading.finish == "unknown") reading.finish = like.finish == "stop" ? "stop" : "unknown";
  // xAI counts reasoning beside what is said.
  const json::Value native = (*root)["usage"]["native"];
  const uint64_t total = native["total_tokens"].unsigned_integer().value_or(0);
  const uint64_t input = native["prompt_tokens"].unsigned_integer().value_or(0);
  if (reading.usage.output && reading.usage.reasoning &&
      total == input + *reading.usage.output + *reading.usage.reasoning) {
    *reading.usage.output += *reading.usage.reasoning;
  }
  // Grok on Azure reports more tokens from the cache than there are: no reading of that is right.
  if (native["prompt_tokens_details"]["cached_tokens"].unsigned_integer().value_or(0) > input) {
    reading.usage.input = like.usage.input;
    reading.usage.cache_read = like.usage.cache_read;
  }
  return reading;
}

bool is_answer(const Case& one) {
  return one.status == 200 && one.expected.find("\"choices\": 0") == std::string::npos;
}

TEST_F(OpenaiChatRecorded, AnswersReadAsTheyWereMeant) {
  Samples samples;
  size_t count = 0;
  for (const Case& one : cases_) {
    if (!is_answer(one) || one.streaming) continue;
    SCOPED_TRACE(one.id);
    ++count;
    World world(codec());
    if (!one.request.empty()) {
      ASSERT_TRUE(world.read_request(one.request));
    }
    world.request.include_usage = true;
    const auto answer = world.read_answer(one.response);
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    const Reading reading = reading_of(*answer);
    EXPECT_EQ(reading, expected_of(one, reading));
    EXPECT_EQ(answer->usage.total_input().has_value(), answer->usage.known());
    const std::string written = world.write_answer(*answer);
    samples.add("CreateChatCompletionResponse", one.id, written);
    const auto again = world.read_answer(written);
    ASSERT_TRUE(again.has_value()) << written;
    EXPECT_EQ(reading_of(*again).finish == "stop", reading.finish == "stop" || reading.finish == "unknown");
    Reading same = reading_of(*again);
    same.finish = reading.finish;
    // The old form has no ids.
    if (world.request.legacy_functions) same.calls = reading.calls;
    EXPECT_EQ(same, reading) << written;
    const auto events = world.explode(*answer);
    for (const WireText& event : events) {
      if (event.data != "[DONE]") samples.add("CreateChatCompletionStreamResponse", one.id, event.data);
    }
    const World::Streamed streamed = world.stream(events);
    ASSERT_FALSE(streamed.error.has_value()) << streamed.error->message;
    same = reading_of(streamed.answer);
    same.finish = reading.finish;
    if (world.request.legacy_functions) same.calls = reading.calls;
    EXPECT_EQ(same, reading);
  }
  EXPECT_GT(count, 50U);
}

TEST_F(OpenaiChatRecorded, StreamsReadAsTheyWereMeant) {
  Samples samples;
  size_t count = 0;
  for (const Case& one : cases_) {
    if (one.status != 200 || !one.streaming) continue;
    SCOPED_TRACE(one.id);
    ++count;
    World world(codec());
    const World::Streamed streamed = world.stream(sse_events(one.response));
    if (one.expected.find("mid_stream_error") != std::string::npos) {
      ASSERT_TRUE(streamed.error.has_value());
      EXPECT_NE(one.expected.find(streamed.error->code), std::string::npos);
      EXPECT_NE(streamed.wire.back().data.find("\"error\""), std::string::npos);
      continue;
    }
    ASSERT_FALSE(streamed.error.has_value()) << streamed.error->message;
    const Reading reading = reading_of(streamed.answer);
    Reading expected = expected_of(one, reading);
    // The collection counts no citations of streams, and doubles names that are said twice.
    expected.citations = reading.citations;
    if (one.provenance != "edited") EXPECT_EQ(reading, expected);
    EXPECT_EQ(streamed.wire.back().data, "[DONE]");
    for (const WireText& event : streamed.wire) {
      EXPECT_TRUE(event.name.empty());
      if (event.data != "[DONE]") samples.add("CreateChatCompletionStreamResponse", one.id, event.data);
    }
    const World::Streamed again = world.stream(streamed.wire);
    ASSERT_FALSE(again.error.has_value()) << again.error->message;
    Reading same = reading_of(again.answer);
    if (reading.finish == "unknown") same.finish = "unknown";
    EXPECT_EQ(same, reading);
    const auto document = world.read_answer(world.write_answer(streamed.answer));
    ASSERT_TRUE(document.has_value()) << document.error().message;
    same = reading_of(*document);
    if (reading.finish == "unknown") same.finish = "unknown";
    EXPECT_EQ(same, reading);
  }
  EXPECT_GT(count, 30U);
}

TEST_F(OpenaiChatRecorded, RequestsSurviveTheirOwnDialect) {
  Samples samples;
  size_t count = 0;
  for (const Case& one : cases_) {
    if (one.request.empty()) continue;
    SCOPED_TRACE(one.id);
    ++count;
    World world(codec());
    const auto read = world.read_request(one.request);
    ASSERT_TRUE(read.has_value()) << read.error().param << ": " << read.error().message;
    const std::string first = world.write_request(everything());
    ASSERT_FALSE(first.starts_with("error:")) << first;
    samples.add("CreateChatCompletionRequest", one.id, first);
    World second(codec());
    ASSERT_TRUE(second.read_request(first).has_value()) << first;
    EXPECT_EQ(canonical(second.write_request(everything())), canonical(first));
    // What a provider refused may be an empty turn.
    if (one.status == 200) EXPECT_EQ(second.request.messages.size(), world.request.messages.size());
    EXPECT_EQ(second.request.tools.size(), world.request.tools.size());
    EXPECT_EQ(second.request.extras.size(), world.request.extras.size());
  }
  EXPECT_GT(count, 100U);
}

TEST_F(OpenaiChatRecorded, ErrorsSayWhatTheProviderSaid) {
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
    const json::Value expected = (*root)["error"];
    EXPECT_EQ(error.message, expected["message"].string(arena));
    EXPECT_EQ(error.param, expected["param"].string(arena));
    const chat::ErrorKind kind = one.status == 401   ? chat::ErrorKind::authentication
                                 : one.status == 404 ? chat::ErrorKind::model_not_found
                                                     : chat::ErrorKind::invalid_request;
    EXPECT_EQ(error.kind, kind);
  }
  EXPECT_GT(count, 5U);
}

}  // namespace
}  // namespace llmgw::dialects::openai_chat
