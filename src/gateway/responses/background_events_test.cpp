#include "gateway/responses/background_events.h"

#include <gmock/gmock.h>

namespace llmgw::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

const dialects::openai_responses::BackgroundResponse kResponse{
    .id = "resp_given", .previous_response_id = "resp_before", .conversation_id = {}, .created_at = 7};
const std::string kPending = R"({"id":"resp_given","status":"in_progress","error":null,"output":[]})";

constexpr std::string_view kStream =
    "event: response.created\ndata: "
    "{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"x\"}}\n\n"
    ": a comment\n\n"
    "event: response.in_progress\ndata: "
    "{\"type\":\"response.in_progress\",\"sequence_number\":1,\"response\":{\"id\":\"x\",\"store\":false}}\n\n"
    "event: response.output_text.delta\ndata: "
    "{\"type\":\"response.output_text.delta\",\"sequence_number\":9,\"item_id\":\"i\",\"delta\":\"a\\nb\"}\n\n"
    "event: response.completed\ndata: "
    "{\"type\":\"response.completed\",\"response\":{\"id\":\"x\",\"status\":\"completed\"},\"sequence_number\":10}\n\n";

// Everything a client gets, the stream fed in pieces of that size.
std::string told(size_t piece, BackgroundEvents& events) {
  std::string out;
  events.open(out);
  for (size_t at = 0; at < kStream.size(); at += piece) events.feed(kStream.substr(at, piece), out);
  events.close({}, false, out);
  return out;
}

TEST(BackgroundEvents, AreNumberedAndCarryTheGivenId) {
  BackgroundEvents whole(kResponse, kPending);
  const std::string out = told(kStream.size(), whole);
  EXPECT_EQ(count_events(out), 4U);
  EXPECT_EQ(whole.next(), 4U);
  EXPECT_THAT(out, HasSubstr(R"({"type":"response.created","sequence_number":0,"response":)" + kPending + "}"));
  EXPECT_THAT(out, HasSubstr(R"("sequence_number":2,"item_id":"i","delta":"a\nb"})"));
  EXPECT_THAT(out, HasSubstr(R"({"type":"response.completed","sequence_number":3,"response":{"id":"resp_given")"));
  EXPECT_THAT(out, Not(HasSubstr(R"("id":"x")")));
  EXPECT_THAT(out, Not(HasSubstr(R"("store":false)")));
  EXPECT_THAT(whole.final_response(), HasSubstr(R"("previous_response_id":"resp_before")"));
  for (const size_t piece : {1, 2, 3, 7, 50}) {
    BackgroundEvents split(kResponse, kPending);
    EXPECT_EQ(told(piece, split), out) << piece;
  }
}

TEST(BackgroundEvents, TheLastWaitsForTheClose) {
  BackgroundEvents events(kResponse, kPending);
  std::string out;
  events.open(out);
  events.feed(kStream, out);
  EXPECT_THAT(out, Not(HasSubstr("response.completed")));
  EXPECT_THAT(events.final_response(), HasSubstr("completed"));
  events.close("ignored", true, out);
  EXPECT_THAT(out, HasSubstr("response.completed"));
  EXPECT_THAT(out, Not(HasSubstr("cancelled")));
}

TEST(BackgroundEvents, WithoutAnEndTheyFail) {
  BackgroundEvents events(kResponse, kPending);
  std::string out;
  events.open(out);
  events.feed(kStream.substr(0, kStream.find("event: response.completed")), out);
  events.close(R"({"error":{"message":"gone","type":"server_error"}})", false, out);
  EXPECT_THAT(out, HasSubstr(R"(event: response.failed)"));
  EXPECT_THAT(events.final_response(), HasSubstr(R"("message":"gone")"));
  EXPECT_EQ(events.next(), 4U);
}

TEST(BackgroundEvents, ACancelledStreamEndsWhereItIs) {
  BackgroundEvents events(kResponse, kPending);
  std::string out;
  events.open(out);
  events.close({}, true, out);
  EXPECT_THAT(out, HasSubstr("event: response.incomplete"));
  EXPECT_THAT(events.final_response(), HasSubstr(R"("status":"cancelled")"));
}

TEST(BackgroundEvents, AreFoundByTheirNumbers) {
  const std::string_view events = "event: a\ndata: 5\n\nevent: b\ndata: 6\n\n";
  EXPECT_EQ(events_from(events, 5, 0), events);
  EXPECT_EQ(events_from(events, 5, 5), events);
  EXPECT_EQ(events_from(events, 5, 6), "event: b\ndata: 6\n\n");
  EXPECT_EQ(events_from(events, 5, 7), "");
  EXPECT_EQ(events_from(events, 5, 70), "");
}

}  // namespace
}  // namespace llmgw::gateway
