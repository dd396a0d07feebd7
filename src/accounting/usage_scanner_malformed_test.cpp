// Which events of a stream cannot be JSON, as UsageScanner sees it in passing.
#include <gtest/gtest.h>

#include <string>

#include "accounting/usage_scanner.h"

namespace llmgw::accounting {
namespace {

struct Case {
  std::string_view name;
  std::string_view events;
  bool malformed;
};

const Case kCases[] = {
    {"chunks and an end",
     "data: {\"a\":[1,{\"b\":\"}\\\"{\"}]}\n\ndata: {\"usage\":{\"total_tokens\":3}}\n\ndata: [DONE]\n\n", false},
    {"CRLF", "data: {\"a\":1}\r\n\r\ndata: {\"usage\":null}\r\n\r\n", false},
    {"comments, names, empty data", ": ping {\n\nevent: a{b\ndata: {}\n\ndata:\n\ndata: \n\nid: \"\n\n", false},
    {"an object over several lines", "data: {\"a\":\ndata: 1}\n\n", false},
    {"two objects of an event", "data: {\"a\":1}\ndata: [DONE]\n\n", false},
    {"a list", "data: [{\"a\":1}]\n\n", false},
    {"Google's error, which is no data", "{\n\"error\": {\n\"code\": 400\n}\n}\n\n", false},
    {"an object that is still open", "data: {\"broken\": \n\n", true},
    {"one with its usage open", "data: {\"usage\":{\"total_tokens\":3\n\n", true},
    {"one behind good ones", "data: {\"a\":1}\n\ndata: {\"a\":[1}\n\n", true},
    {"a string that is still open", "data: {\"a\":\"b}\n\n", true},
    {"one brace too many", "data: {\"a\":1}}\n\n", true},
    {"no JSON at all", "data: <html>\n\n", true},
    {"a bare text", "data: upstream timed out\n\n", true},
    {"two that were mixed", "data: {\"a\":\"bdata: {\"a\":\"b\"}\n\n", true},
};

TEST(MalformedEvent, IsSeenWhateverTheCuts) {
  for (const Case& c : kCases) {
    for (const chat::Dialect dialect : {chat::Dialect::openai_chat, chat::Dialect::anthropic, chat::Dialect::gemini}) {
      for (size_t cut = 0; cut <= c.events.size(); ++cut) {
        UsageScanner scanner(dialect, chat::Framing::sse);
        scanner.feed(c.events.substr(0, cut));
        scanner.feed(c.events.substr(cut));
        ASSERT_EQ(scanner.malformed(), c.malformed) << c.name << ", cut at " << cut;
      }
    }
  }
}

TEST(MalformedEvent, AnEventThatIsNotOverIsNone) {
  UsageScanner scanner(chat::Dialect::openai_chat, chat::Framing::sse);
  scanner.feed("data: {\"a\":\"half of a te");
  EXPECT_FALSE(scanner.malformed());
  scanner.feed("xt\"}\n\n");
  EXPECT_FALSE(scanner.malformed());
}

}  // namespace
}  // namespace llmgw::accounting
