#include "gateway/failover/first_content.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace llmgw::gateway {
namespace {

struct Row {
  const char* what;
  std::string_view prelude;
  std::string_view content;
};

constexpr Row kRows[] = {
    {"chat completions", "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
     "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"},
    {"chat completions with spaces",
     "data: {\"choices\": [{\"delta\": {\"role\": \"assistant\", \"content\": null}}]}\n\n",
     "data: {\"choices\": [{\"delta\": {\"content\": \"a\"}}]}\n\n"},
    {"a tool", "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n",
     "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}\n\n"},
    {"Responses",
     "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"tools\":[]}}\n\n"
     "event: response.in_progress\ndata: {\"type\":\"response.in_progress\"}\n\n",
     "event: response.output_text.delta\ndata: {\"delta\":\"a\"}\n\n"},
    {"Anthropic",
     "event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n",
     "event: content_block_delta\ndata: {\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n"},
    {"Gemini", ": a comment\r\n\r\n", "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\r\n\r\n"},
    {"a delta that is cut", "data: {\"choices\":[{\"delta\":{\"content\":\n\n", "data: {\"x\":1}\n\n"},
};

TEST(FirstContent, IsNotTheFirstByteWhereverTheBytesAreCut) {
  for (const Row& row : kRows) {
    const std::string stream = std::string(row.prelude) + std::string(row.content);
    for (size_t cut = 0; cut < stream.size(); ++cut) {
      FirstContent content;
      const bool early = content.feed(std::string_view(stream).substr(0, cut));
      // The CR of a blank line ends it already.
      EXPECT_TRUE(!early || stream[cut - 1] == '\r') << row.what << " cut at " << cut;
      EXPECT_TRUE(content.feed(std::string_view(stream).substr(cut))) << row.what << " cut at " << cut;
      EXPECT_TRUE(content.feed("")) << "it stays seen";
    }
    EXPECT_FALSE(FirstContent().feed(row.prelude)) << row.what;
  }
}

TEST(FirstContent, NamesOfEventsWithoutFramingStandInside) {
  struct Named {
    std::string_view json;
    std::optional<std::string_view> name;
  };
  constexpr std::optional<std::string_view> kNotYet;
  constexpr Named kNamed[] = {
      {R"({"type":"message_start","message":{}})", "message_start"},
      {"\n{ \"type\" :\t\"ping\" }", "ping"},
      {R"({"type":"content_block_delta")", "content_block_delta"},
      {R"({"messageStart":{"role":"assistant"}})", "messageStart"},
      {R"({"messageStop":{"stopReason":"end_turn"}})", "messageStop"},
      {R"({"contentBlockDelta":{}})", ""},
      {R"({"delta":{"type":"message_start"}})", ""},
      {R"({"type":7})", kNotYet},
      {R"({"type":"message_st)", kNotYet},
      {R"({"type)", kNotYet},
      {R"(["type","ping"])", kNotYet},
      {"{}", kNotYet},
      {" ", kNotYet},
      {"", kNotYet},
  };
  for (const Named& row : kNamed) EXPECT_EQ(name_inside(row.json), row.name) << row.json;
  const std::string longest = R"({ "type" : "response.content_part.added")";
  EXPECT_LE(longest.size(), kNameInsideBytes);
  EXPECT_TRUE(is_prelude_name(name_inside(longest).value_or("")));
}

TEST(FirstContent, AnEndWithoutAnyIsNone) {
  FirstContent content;
  EXPECT_FALSE(content.feed(kRows[0].prelude));
  EXPECT_FALSE(content.feed(""));
}

}  // namespace
}  // namespace llmgw::gateway
