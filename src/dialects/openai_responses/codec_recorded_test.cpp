// Recorded traffic of the Responses API, where the machine has some: what is read is what was said, streamed or not,
// and what is written again reads the same.
#include "dialects/codec_test_support.h"
#include "dialects/openai_responses/codec.h"
#include "dialects/openai_responses/test_support.h"

namespace llmgw::dialects {
namespace {

using namespace testing_support;
using openai_responses::openai_target;
using openai_responses::Samples;

class Recorded : public testing::Test {
 protected:
  void SetUp() override {
    cases_ = recorded_cases("openai_responses");
    if (cases_.empty()) GTEST_SKIP() << "no recorded traffic: set LLMGW_CASES";
  }
  std::vector<Case> cases_;
};

// The schema has no way to say that a count is unknown: it is written as zero.
Reading written_form(Reading reading) {
  if (!reading.usage.known()) return reading;
  for (auto* const count : {&reading.usage.cache_read, &reading.usage.cache_write, &reading.usage.reasoning}) {
    *count = count->value_or(0);
  }
  return reading;
}

bool is_answer(const Case& one) {
  return one.status == 200 && one.endpoint == "responses" && !one.expected.starts_with("{\n \"error\"") &&
         one.expected.find("\"finish\"") != std::string::npos;
}

Reading expected_of(const Case& one, const Reading& like) {
  Reading reading = expected_reading(one.expected, like);
  if (like.finish == "refusal" && reading.finish == "stop") reading.finish = "refusal";
  // The collection has the text of a free-text tool as a JSON string.
  for (std::string& call : reading.calls) {
    if (!call.ends_with('"')) continue;
    const size_t quote = call.find('"');
    json::Parser parser;
    base::Arena arena;
    const auto text = json::parse_tree(parser, std::string_view(call).substr(quote), arena);
    if (text) call = call.substr(0, quote) + std::string(text->string(arena));
  }
  return reading;
}

TEST_F(Recorded, AnswersReadAsTheyWereMeant) {
  Samples samples;
  for (const Case& one : cases_) {
    if (!is_answer(one) || one.streaming) continue;
    SCOPED_TRACE(one.id);
    World world(openai_responses::codec());
    const auto answer = world.read_answer(one.response);
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    const Reading reading = reading_of(*answer);
    EXPECT_EQ(reading, expected_of(one, reading));
    if (!one.request.empty()) {
      const auto read = world.read_request(one.request);
      if (!read) world.request = {};
    }
    const std::string written = world.write_answer(*answer);
    samples.add("Response", one.id, written);
    const auto again = world.read_answer(written);
    ASSERT_TRUE(again.has_value()) << again.error().message << written;
    EXPECT_EQ(written_form(reading_of(*again)), written_form(reading));
    // The same as a stream.
    const auto events = world.explode(*answer);
    for (const WireText& event : events) samples.add("ResponseStreamEvent", one.id, event.data);
    const World::Streamed streamed = world.stream(events);
    ASSERT_FALSE(streamed.error.has_value()) << streamed.error->message;
    EXPECT_EQ(written_form(reading_of(streamed.answer)), written_form(reading));
  }
}

TEST_F(Recorded, StreamsReadAsTheyWereMeant) {
  Samples samples;
  for (const Case& one : cases_) {
    if (!is_answer(one) || !one.streaming) continue;
    SCOPED_TRACE(one.id);
    World world(openai_responses::codec());
    const World::Streamed streamed = world.stream(sse_events(one.response));
    if (one.expected.find("no_terminal_event") != std::string::npos) {
      EXPECT_TRUE(streamed.error.has_value());
      continue;
    }
    ASSERT_FALSE(streamed.error.has_value()) << streamed.error->message;
    const Reading reading = reading_of(streamed.answer);
    EXPECT_EQ(reading, expected_of(one, reading));
    for (const WireText& event : streamed.wire) {
      samples.add("ResponseStreamEvent", one.id, event.data);
      EXPECT_EQ(event.data.find('\n'), std::string::npos);
    }
    const World::Streamed again = world.stream(streamed.wire);
    ASSERT_FALSE(again.error.has_value()) << again.error->message;
    EXPECT_EQ(written_form(reading_of(again.answer)), written_form(reading));
    // And as the document that the same writer makes of it.
    const auto document = world.read_answer(world.write_answer(streamed.answer));
    ASSERT_TRUE(document.has_value()) << document.error().message;
    EXPECT_EQ(written_form(reading_of(*document)), written_form(reading));
  }
}

TEST_F(Recorded, RequestsAreWrittenAgainAsTheyWereRead) {
  Samples samples;
  size_t count = 0;
  for (const Case& one : cases_) {
    if (one.request.empty() || one.endpoint != "responses" || one.status != 200) continue;
    SCOPED_TRACE(one.id);
    World world(openai_responses::codec());
    const auto read = world.read_request(one.request);
    ASSERT_TRUE(read.has_value()) << read.error().param << ": " << read.error().message;
    const std::string first = world.write_request(openai_target());
    ASSERT_FALSE(first.starts_with("error:")) << first;
    samples.add("CreateResponse", one.id, first);
    const auto again = world.read_request(first);
    ASSERT_TRUE(again.has_value()) << again.error().param << ": " << again.error().message;
    EXPECT_EQ(canonical(world.write_request(openai_target())), canonical(first));
    ++count;
  }
  EXPECT_GT(count, 0U);
}

TEST_F(Recorded, ErrorsAreErrors) {
  for (const Case& one : cases_) {
    if (one.status < 400) continue;
    SCOPED_TRACE(one.id);
    World world(openai_responses::codec());
    const chat::ClientError error =
        openai_responses::codec().read_error(one.status, one.response, {}, world.provider());
    EXPECT_FALSE(error.message.empty());
    EXPECT_EQ(error.status, one.status);
  }
}

}  // namespace
}  // namespace llmgw::dialects
