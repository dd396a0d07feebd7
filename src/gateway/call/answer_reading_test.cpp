#include "gateway/call/answer_reading.h"

#include <gtest/gtest.h>

namespace llmgw::gateway {
namespace {

TEST(AnswerReading, FindsTheIdOfADocumentInItsFirstBytes) {
  AnswerReading reading;
  reading.wants_id = true;
  reading.feed("");  // a coding's head, of which nothing can be read yet
  reading.feed(R"({"object":"response","id":"resp_1","output":[)");
  reading.feed(R"({"id":"msg_1"}]})");
  EXPECT_EQ(reading.response_id(), "resp_1");
  reading.begin_anew();
  EXPECT_EQ(reading.response_id(), "");
  reading.feed(R"({"id":"resp_2"})");
  EXPECT_EQ(reading.response_id(), "") << "nobody asked";
}

TEST(AnswerReading, TakesNoPieceFromTheMiddleForADocument) {
  AnswerReading reading;
  reading.wants_id = true;
  reading.feed(R"({"output":[)");
  reading.feed(R"({"id":"msg_1"}],"id":"resp_1"})");
  EXPECT_EQ(reading.response_id(), "");
}

TEST(AnswerReading, FindsTheIdOfAStream) {
  AnswerReading reading;
  reading.cursor.emplace();
  reading.feed("data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\n");
  EXPECT_EQ(reading.response_id(), "resp_1");
}

}  // namespace
}  // namespace llmgw::gateway
