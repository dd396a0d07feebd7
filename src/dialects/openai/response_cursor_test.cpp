#include "dialects/openai/response_cursor.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::dialects::openai {
namespace {

struct Case {
  std::string stream;
  uint64_t next;
  std::string_view id;
  int64_t created_at = 0;
};

const Case kCases[] = {
    {"", 0, ""},
    {": a comment\n\n", 0, ""},
    {"event: response.created\ndata: "
     "{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\","
     "\"object\":\"response\",\"created_at\":1700000000,\"model\":\"m\"}}\n\n",
     1, "resp_1", 1'700'000'000},
    // Another order, spaces, CRLF, and a later event without the response.
    {"data: { \"response\" : { \"created_at\" : 7 , \"id\" : \"resp_2\" } , \"sequence_number\" : 41 }\r\n\r\n"
     "data: "
     "{\"type\":\"response.output_text.delta\",\"item_id\":\"msg_1\",\"delta\":\"x\",\"sequence_number\":42}\r\n\r\n",
     43, "resp_2", 7},
    // The same names where they do not count: in texts, in items, in what the client sent, in another field.
    {"data: {\"sequence_number\":5,\"delta\":\"{\\\"sequence_number\\\":99}\",\"item\":{\"id\":\"msg_9\","
     "\"sequence_number\":98},\"id\":\"no\"}\n\nevent: {\"sequence_number\":97}\n\n"
     "data: "
     "{\"sequence_number\":6,\"response\":{\"tools\":[{\"id\":\"t\",\"default\":{\"sequence_number\":96,\"id\":\"u\"}}]"
     ","
     "\"metadata\":{\"id\":\"v\",\"response\":{\"id\":\"w\"}},\"id\":\"resp_3\"}}\n\n",
     7, "resp_3"},
    // The first id stays; one that is too long or escaped is none.
    {"data: {\"response\":{\"id\":\"resp_4\"}}\n\ndata: {\"response\":{\"id\":\"resp_5\"}}\n\n", 0, "resp_4"},
    {"data: {\"sequence_number\":1,\"response\":{\"id\":\"" + std::string(ResponseCursor::kIdBytesMax + 1, 'i') +
         "\"}}\n\n",
     2, ""},
    {"data: {\"sequence_number\":1,\"response\":{\"id\":\"re\\u0073p\"}}\n\n", 2, ""},
    // Values of other kinds, and an event that is cut off.
    {"data: {\"sequence_number\":\"3\",\"response\":null}\n\ndata: {\"sequence_number\":null}\n\n", 0, ""},
    {"data: {\"sequence_number\":3}\n\ndata: {\"sequence_number\":12", 4, ""},
    {"data: [DONE]\n\n", 0, ""},
};

TEST(ResponseCursor, KnowsWhereTheStreamStandsWhateverTheCuts) {
  for (const Case& c : kCases) {
    for (size_t step : {size_t{1}, size_t{2}, size_t{3}, size_t{17}, size_t{100}, c.stream.size() + 1}) {
      ResponseCursor cursor;
      for (size_t at = 0; at < c.stream.size(); at += step) cursor.feed(std::string_view(c.stream).substr(at, step));
      EXPECT_EQ(cursor.next_sequence_number(), c.next) << c.stream << " in steps of " << step;
      EXPECT_EQ(cursor.id(), c.id) << c.stream << " in steps of " << step;
      EXPECT_EQ(cursor.created_at(), c.created_at) << c.stream << " in steps of " << step;
    }
  }
}

TEST(ResponseCursor, SurvivesNonsense) {
  for (const std::string_view text :
       {"data: }}}]]]:::,,,\"", "data: {{{{[[[[", "data: \\\\\"\\\"", "data: {\"a\":\"\\"}) {
    ResponseCursor cursor;
    for (int i = 0; i < 3; ++i) cursor.feed(text);
    cursor.feed("\ndata: {\"sequence_number\":8}\n\n");
    EXPECT_EQ(cursor.next_sequence_number(), 9U) << text;
  }
}

}  // namespace
}  // namespace llmgw::dialects::openai
