#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dialects/anthropic/codec.h"
#include "dialects/codec_test_support.h"

namespace llmgw::dialects::anthropic {
namespace {

using namespace testing_support;
using chat::EventKind;
using chat::Part;
using chat::PartKind;
using testing::ElementsAre;
using testing::HasSubstr;

chat::Usage usage_of(uint64_t input, std::optional<uint64_t> output) {
  chat::Usage usage;
  usage.input = input;
  usage.output = output;
  return usage;
}

// Neutral events through a Sequencer into the writer.
class Stream {
 public:
  Stream() : writer_(codec().make_stream_writer(world_.answer_context())), feed_(*writer_, log_), sequencer_(feed_) {
    const chat::Answer answer{.id = "resp_1", .usage = usage_of(3, std::nullopt)};
    sequencer_.event({.kind = EventKind::start, .answer = &answer});
  }
  Stream& part(const Part& head, std::initializer_list<std::string_view> deltas) {
    start(head);
    for (const std::string_view text : deltas) delta(text);
    return stop();
  }
  Stream& start(const Part& head) {
    sequencer_.event({.kind = EventKind::part_start, .part = ++number_, .head = &head});
    return *this;
  }
  Stream& delta(std::string_view text) {
    sequencer_.event({.kind = EventKind::delta, .part = number_, .text = text});
    return *this;
  }
  Stream& sign(chat::Minter minter, std::string_view data) {
    const chat::Signature signature{.minter = minter, .data = data};
    const Part head{.signature = &signature};
    sequencer_.event({.kind = EventKind::signature, .part = number_, .head = &head});
    return *this;
  }
  Stream& stop() {
    sequencer_.event({.kind = EventKind::part_stop, .part = number_});
    return *this;
  }
  std::vector<std::string> end(chat::Finish finish) {
    chat::Choice choice{.finish = finish};
    const chat::Answer answer{.choices = chat::List<chat::Choice>::of(&choice, 1), .usage = usage_of(3, 4)};
    sequencer_.event({.kind = EventKind::finish, .answer = &answer});
    sequencer_.event({.kind = EventKind::usage, .answer = &answer});
    sequencer_.event({.kind = EventKind::end});
    return data();
  }
  chat::Sequencer& events() { return sequencer_; }
  // Without message_start, and the closing events cut to what tells them apart.
  std::vector<std::string> data() {
    std::vector<std::string> list;
    for (const WireText& event : log_.events) {
      EXPECT_THAT(event.data, HasSubstr("{\"type\":\"" + event.name + "\""));
      if (event.name != "message_start") list.push_back(event.data);
    }
    return list;
  }
  const WireLog& log() const { return log_; }

 private:
  World world_{codec()};
  WireLog log_;
  std::unique_ptr<StreamWriter> writer_;
  Feed feed_;
  chat::Sequencer sequencer_;
  uint32_t number_ = 0;
};

std::string block_start(int index, std::string_view block) {
  return R"({"type":"content_block_start","index":)" + std::to_string(index) + R"(,"content_block":)" +
         std::string(block) + "}";
}
std::string block_delta(int index, std::string_view delta) {
  return R"({"type":"content_block_delta","index":)" + std::to_string(index) + R"(,"delta":)" + std::string(delta) +
         "}";
}
std::string block_stop(int index) {
  return R"({"type":"content_block_stop","index":)" + std::to_string(index) + "}";
}
std::string message_delta(std::string_view stop) {
  return R"({"type":"message_delta","delta":{)" + std::string(stop) +
         R"(},"usage":{"input_tokens":3,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,)"
         R"("output_tokens":4}})";
}
constexpr std::string_view kMessageStop = R"({"type":"message_stop"})";
constexpr std::string_view kThinking = R"({"type":"thinking","thinking":"","signature":""})";

TEST(AnthropicStreamWriter, BlocksAreNumberedWithoutGaps) {
  Stream s;
  s.part({.kind = PartKind::thinking}, {"h", "m"});
  s.part({.kind = PartKind::text}, {});  // nothing came: nothing is opened
  s.part({.kind = PartKind::text}, {"a\"", "b"});
  s.part({.kind = PartKind::image}, {});
  s.part({.kind = PartKind::tool_call, .id = "t", .name = "f"}, {"{\"x\":", "1}"});
  s.part({.kind = PartKind::tool_call, .id = "u", .name = "g"}, {});
  s.part({.kind = PartKind::opaque, .origin = chat::Dialect::anthropic, .text = R"({"type":"x"})"}, {});
  EXPECT_THAT(s.end(chat::Finish::tool),
              ElementsAre(block_start(0, kThinking), block_delta(0, R"({"type":"thinking_delta","thinking":"h"})"),
                          block_delta(0, R"({"type":"thinking_delta","thinking":"m"})"), block_stop(0),
                          block_start(1, R"({"type":"text","text":""})"),
                          block_delta(1, R"({"type":"text_delta","text":"a\""})"),
                          block_delta(1, R"({"type":"text_delta","text":"b"})"), block_stop(1),
                          block_start(2, R"({"type":"tool_use","id":"t","name":"f","input":{}})"),
                          block_delta(2, R"({"type":"input_json_delta","partial_json":"{\"x\":"})"),
                          block_delta(2, R"({"type":"input_json_delta","partial_json":"1}"})"), block_stop(2),
                          block_start(3, R"({"type":"tool_use","id":"u","name":"g","input":{}})"), block_stop(3),
                          block_start(4, R"({"type":"x"})"), block_stop(4),
                          message_delta(R"("stop_reason":"tool_use","stop_sequence":null)"), kMessageStop));
  EXPECT_EQ(s.log().events.front().data,
            R"({"type":"message_start","message":{"id":"msg_req0123abc","type":"message","role":"assistant",)"
            R"("model":"alias","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,)"
            R"("cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens":0}}})");
}

TEST(AnthropicStreamWriter, Signatures) {
  Stream s;
  s.start({.kind = PartKind::thinking}).sign(chat::Minter::anthropic, "own").delta("t").stop();
  s.start({.kind = PartKind::thinking, .redacted = true}).sign(chat::Minter::anthropic, "red").stop();
  s.start({.kind = PartKind::tool_call, .id = "t", .name = "f"}).sign(chat::Minter::gemini, "g1").delta("{}").stop();
  s.start({.kind = PartKind::text}).delta("a").sign(chat::Minter::gemini, "late").stop();
  const auto signature = [](std::string_view text) {
    return R"({"type":"signature_delta","signature":")" + std::string(text) + R"("})";
  };
  EXPECT_THAT(
      s.end(chat::Finish::stop),
      ElementsAre(block_start(0, kThinking), block_delta(0, R"({"type":"thinking_delta","thinking":"t"})"),
                  block_delta(0, signature("own")), block_stop(0),
                  block_start(1, R"({"type":"redacted_thinking","data":"red"})"), block_stop(1),
                  block_start(2, kThinking), block_delta(2, signature("lgw1:gemini:n:0:0:g1")), block_stop(2),
                  block_start(3, R"({"type":"tool_use","id":"t","name":"f","input":{}})"),
                  block_delta(3, R"({"type":"input_json_delta","partial_json":"{}"})"), block_stop(3),
                  block_start(4, R"({"type":"text","text":""})"), block_delta(4, R"({"type":"text_delta","text":"a"})"),
                  block_stop(4), block_start(5, kThinking), block_delta(5, signature("lgw1:gemini:o:0:0:late")),
                  block_stop(5), message_delta(R"("stop_reason":"tool_use","stop_sequence":null)"), kMessageStop));
}

TEST(AnthropicStreamWriter, RefusalsErrorsAndPings) {
  Stream refused;
  refused.part({.kind = PartKind::refusal}, {"I will", " not."});
  EXPECT_THAT(refused.end(chat::Finish::stop),
              ElementsAre(message_delta(R"("stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":)"
                                        R"("refusal","category":null,"explanation":"I will not."})"),
                          kMessageStop));
  Stream broken;
  broken.events().event({.kind = EventKind::keep_alive});
  const chat::ClientError error{.kind = chat::ErrorKind::overloaded, .message = "Busy"};
  broken.events().event({.kind = EventKind::error, .error = &error});
  EXPECT_THAT(broken.data(), ElementsAre(R"({"type":"ping"})",
                                         R"({"type":"error","error":{"type":"overloaded_error","message":"Busy"},)"
                                         R"("request_id":"req-0123abc"})"));
}

WireText wire(std::string_view data) {
  return {.name = {}, .data = std::string(data)};
}

TEST(AnthropicStreamReader, PutsBlocksTogether) {
  World world(codec());
  const auto streamed = world.stream({
      wire(R"({"type":"message_start","message":{"id":"msg_1","model":"m","content":[{"type":"tool_use","id":"t0",)"
           R"("name":"f","input":{"a":1}}],"usage":{"input_tokens":9,"output_tokens":1}}})"),
      wire(R"({"type":"ping"})"),
      wire(
          R"({"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"n","input":{}}})"),
      wire(R"({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"q\":"}})"),
      wire(R"({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"2}"}})"),
      wire(R"({"type":"content_block_stop","index":0})"),
      wire(
          R"({"type":"content_block_start","index":1,"content_block":{"type":"text","text":"He","citations":[{"c":1}]}})"),
      wire(R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"y"}})"),
      wire(R"({"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"c":2}}})"),
      wire(R"({"type":"content_block_delta","index":7,"delta":{"type":"text_delta","text":"lost"}})"),
      wire(R"({"type":"content_block_stop","index":1})"),
      wire(
          R"({"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t1","name":"g","input":{"b":2}}})"),
      wire(R"({"type":"content_block_stop","index":2})"),
      wire(R"({"type":"content_block_start","index":3,"content_block":{"type":"compaction","content":null}})"),
      wire(R"({"type":"content_block_delta","index":3,"delta":{"type":"compaction_delta","content":"sum"}})"),
      wire(R"({"type":"content_block_stop","index":3})"),
      wire(R"({"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}})"),
      wire(R"({"type":"message_stop"})"),
  });
  ASSERT_FALSE(streamed.error);
  const Reading reading = reading_of(streamed.answer);
  EXPECT_EQ(reading.text, "Hey");
  EXPECT_EQ(reading.citations, 2U);
  EXPECT_THAT(reading.calls, ElementsAre(R"(t0 f {"a":1})", R"(t1 g {"b":2})"));
  EXPECT_THAT(reading.opaque, ElementsAre(R"({"id":"s","input":{"q":2},"name":"n","type":"server_tool_use"})",
                                          R"({"content":"sum","type":"compaction"})"));
  EXPECT_EQ(reading.finish, "tool");
  EXPECT_EQ(reading.usage, usage_of(9, 5));
}

TEST(AnthropicStreamReader, TheFormatToolIsText) {
  World world(codec());
  world.format_tool = "json_answer";
  const auto streamed = world.stream({
      wire(R"({"type":"message_start","message":{"id":"msg_1"}})"),
      wire(
          R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"json_answer","input":{}}})"),
      wire(
          R"({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"q\":2}"}})"),
      wire(R"({"type":"content_block_stop","index":0})"),
      wire(R"({"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}})"),
      wire(R"({"type":"message_stop"})"),
  });
  const Reading reading = reading_of(streamed.answer);
  EXPECT_EQ(reading.text, R"({"q":2})");
  EXPECT_TRUE(reading.calls.empty());
  EXPECT_EQ(reading.finish, "stop");
}

TEST(AnthropicStreamReader, WhatIsBrokenIsAnError) {
  const std::string_view start = R"({"type":"message_start","message":{"id":"msg_1"}})";
  struct Case {
    std::vector<WireText> events;
    chat::ErrorKind kind;
  };
  const Case cases[] = {
      {{wire(start)}, chat::ErrorKind::upstream_failed},  // cut
      {{wire(start), wire("{")}, chat::ErrorKind::upstream_failed},
      {{wire(start), wire(R"({"type":"error","error":{"type":"overloaded_error","message":"Busy"}})")},
       chat::ErrorKind::overloaded},
      {{wire(start), {.name = "error", .data = R"({"error":{"type":"rate_limit_error","message":"Slow"}})"}},
       chat::ErrorKind::rate_limited},
  };
  for (const Case& c : cases) {
    World world(codec());
    const auto streamed = world.stream(c.events);
    ASSERT_TRUE(streamed.error);
    EXPECT_EQ(streamed.error->kind, c.kind);
    EXPECT_EQ(streamed.wire.back().name, "error");
  }
}

}  // namespace
}  // namespace llmgw::dialects::anthropic
