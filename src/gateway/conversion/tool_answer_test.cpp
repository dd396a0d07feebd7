#include "gateway/conversion/tool_answer.h"

#include <gtest/gtest.h>

namespace llmgw::gateway {
namespace {

using chat::EventKind;
using chat::Part;
using chat::PartKind;

// Events as a line: "0[" begins text in choice 0, "0(" a call, "0]" ends a part, "." the stream.
class Line final : public chat::EventSink {
 public:
  void event(const chat::StreamEvent& event) override {
    switch (event.kind) {
      case EventKind::part_start:
        said += std::to_string(event.choice) + (event.head->kind == PartKind::text ? "[" : "(") +
                std::string(event.head->name);
        break;
      case EventKind::delta: said += event.text; break;
      case EventKind::part_stop: said += "]"; break;
      case EventKind::finish: said += "!"; break;
      case EventKind::end: said += "."; break;
      default: said += "?";
    }
  }
  std::string said;
};

class ToolAnswerTest : public testing::Test {
 protected:
  void part(const Part& head, std::string_view text, uint32_t choice = 0) {
    filter_.event({.kind = EventKind::part_start, .choice = choice, .part = number_, .head = &head});
    filter_.event({.kind = EventKind::delta, .choice = choice, .part = number_, .text = text});
    filter_.event({.kind = EventKind::part_stop, .choice = choice, .part = number_++});
  }
  void end() {
    filter_.event({.kind = EventKind::finish});
    filter_.event({.kind = EventKind::end});
  }

  const Part text_{.kind = PartKind::text};
  const Part answer_{.kind = PartKind::text, .name = chat::kFormatToolName};
  const Part call_{.kind = PartKind::tool_call, .name = "f"};
  Line line_;
  ToolAnswer filter_;
  uint32_t number_ = 0;
};

TEST_F(ToolAnswerTest, TextAroundTheCallIsLeftOut) {
  filter_.start(line_, true);
  part(text_, "Here it is:");
  EXPECT_EQ(line_.said, "");
  part(answer_, "{}");
  part(text_, "That was it.");
  end();
  EXPECT_EQ(line_.said, "0[{}]!.");
}

TEST_F(ToolAnswerTest, WithoutTheCallTextIsTheAnswer) {
  filter_.start(line_, true);
  part(text_, "a");
  part(text_, "b");
  end();
  EXPECT_EQ(line_.said, "0[a]0[b]!.");
}

TEST_F(ToolAnswerTest, BeforeTheClientsOwnToolTextStays) {
  filter_.start(line_, true);
  part(text_, "a");
  part(call_, "{}");
  part(text_, "b");
  end();
  EXPECT_EQ(line_.said, "0[a]0(f{}]0[b]!.");
}

TEST_F(ToolAnswerTest, ChoicesWaitForThemselves) {
  filter_.start(line_, true);
  part(text_, "a", 0);
  part(text_, "b", 1);
  part(answer_, "{}", 1);
  end();
  EXPECT_EQ(line_.said, "1[{}]0[a]!.");  // the end is choice 0's
}

TEST_F(ToolAnswerTest, NothingWaitsThatWasNotAskedFor) {
  filter_.start(line_, false);
  part(text_, "a");
  EXPECT_EQ(line_.said, "0[a]");
  part(answer_, "{}");
  EXPECT_EQ(line_.said, "0[a]0[{}]");
}

TEST_F(ToolAnswerTest, MoreThanItHoldsGoesOn) {
  filter_.start(line_, true);
  const std::string large(ToolAnswer::kHeldBytesMax + 1, 'x');
  part(text_, large);
  EXPECT_EQ(line_.said, "0[" + large + "]");
}

// A stream that ends without an end, too.
TEST_F(ToolAnswerTest, WhatWaitsComesInTheMiddleOfAPart) {
  filter_.start(line_, true);
  filter_.event({.kind = EventKind::part_start, .head = &text_});
  filter_.event({.kind = EventKind::delta, .text = "a"});
  filter_.flush();
  filter_.event({.kind = EventKind::delta, .text = "b"});
  EXPECT_EQ(line_.said, "0[ab");
}

}  // namespace
}  // namespace llmgw::gateway
