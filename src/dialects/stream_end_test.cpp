#include "dialects/stream_end.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace llmgw::dialects {
namespace {

using chat::Dialect;

struct Case {
  Dialect dialect;
  std::string_view stream;
  bool ended;
};

constexpr Case kCases[] = {
    {Dialect::openai_chat, "data: {\"choices\":[]}\n\ndata: [DONE]\n\n", true},
    {Dialect::openai_chat, "data: {\"choices\":[]}\r\n\r\ndata:[DONE]\r\n\r\n", true},
    {Dialect::openai_chat, "data: {\"choices\":[]}\n\n", false},
    {Dialect::openai_chat, "data: {\"text\":\"data: [DONE]\"}\n\n", false},
    {Dialect::openai_chat, "data: {\"error\":{\"message\":\"x\"}}\n\n", true},
    {Dialect::openai_chat, "", false},
    {Dialect::openai_responses, "event: response.created\ndata: {}\n\nevent: response.completed\ndata: {}\n\n", true},
    {Dialect::openai_responses, "event: response.incomplete\ndata: {}\n\n", true},
    {Dialect::openai_responses, "event: response.in_progress\ndata: {}\n\n", false},
    {Dialect::anthropic, "event: message_delta\ndata: {}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
     true},
    {Dialect::anthropic, "event: content_block_stop\ndata: {}\n\n", false},
    {Dialect::anthropic, "event: error\ndata: {}\n\n", true},
    {Dialect::gemini, "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n", true},
    {Dialect::gemini,
     "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\\\"finishReason\\\"\"}]}}]}\r\n\r\n", false},
    {Dialect::vertex, "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\r\n\r\n", true},
};

TEST(StreamEnd, IsSeenWhateverTheCuts) {
  for (const Case& c : kCases) {
    for (size_t step : {size_t{1}, size_t{2}, size_t{7}, size_t{39}, size_t{41}, size_t{1000}}) {
      StreamEnd end(c.dialect);
      for (size_t at = 0; at < c.stream.size(); at += step) end.feed(c.stream.substr(at, step));
      EXPECT_EQ(end.seen(), c.ended) << c.stream << " in steps of " << step;
    }
  }
}

}  // namespace
}  // namespace llmgw::dialects
