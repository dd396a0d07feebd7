#include "dialects/stream_end.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace llmgw::dialects {
namespace {

struct Case {
  std::string_view stream;
  StreamMark mark;
};

constexpr Case kCases[] = {
    {"data: {\"choices\":[]}\n\ndata: [DONE]\n\n", StreamMark::end},
    {"data: {\"choices\":[]}\n\ndata: [DONE]", StreamMark::end},
    {"data: {\"choices\":[]}\r\n\r\ndata:[DONE]\r\n\r\n", StreamMark::end},
    {"data: {\"choices\":[]}\r\rdata:[DONE]\r\r", StreamMark::end},
    {"data: {\"choices\":[]}\n\n", StreamMark::none},
    {"data: {\"text\":\"data: [DONE]\"}\n\n", StreamMark::none},
    {": data: [DONE]\n\n", StreamMark::none},
    {"", StreamMark::none},
    {"event: response.created\ndata: {}\n\nevent: response.completed\ndata: {}\n\n", StreamMark::end},
    {"event: response.incomplete\ndata: {}\n\n", StreamMark::end},
    {"data: { \"type\": \"response.incomplete\", \"response\": {}}\n\n", StreamMark::end},
    {"event: response.in_progress\ndata: {}\n\n", StreamMark::none},
    {"event: response.completed_by_nobody\ndata: {}\n\n", StreamMark::none},
    {"event: response.failed\ndata: {}\n\n", StreamMark::error},
    {"event: message_delta\ndata: {}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", StreamMark::end},
    {"data: {\"type\":\"message_stop\"}\n\n", StreamMark::end},
    {"event: content_block_stop\ndata: {}\n\n", StreamMark::none},
    {"event: error\ndata: {}\n\n", StreamMark::error},
    {"event: errors\ndata: {}\n\n", StreamMark::none},
    {"event: message-end\ndata: {}\n\n", StreamMark::end},
    {"data: {\"type\":\"message-end\",\"delta\":{}}\n\n", StreamMark::end},
};

TEST(StreamEnd, IsSeenWhateverTheCuts) {
  for (const Case& c : kCases) {
    for (size_t step : {size_t{1}, size_t{2}, size_t{7}, size_t{39}, size_t{63}, size_t{65}, size_t{1000}}) {
      StreamEnd end;
      for (size_t at = 0; at < c.stream.size(); at += step) end.feed(c.stream.substr(at, step));
      EXPECT_EQ(end.mark(), c.mark) << c.stream << " in steps of " << step;
    }
  }
}

}  // namespace
}  // namespace llmgw::dialects
