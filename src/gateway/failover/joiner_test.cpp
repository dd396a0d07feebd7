#include "gateway/failover/joiner.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "chat/sequencer.h"

namespace llmgw::gateway {
namespace {

using chat::EventKind;
using chat::Part;
using chat::PartKind;

// What a writer gets, as text; the order is checked.
class Client final : public chat::EventSink {
 public:
  void event(const chat::StreamEvent& event) override {
    switch (event.kind) {
      case EventKind::start: EXPECT_EQ(starts++, 0); break;
      case EventKind::part_start:
        EXPECT_FALSE(open);
        open = event.part;
        said += event.head->kind == PartKind::text       ? "[text "
                : event.head->kind == PartKind::thinking ? "[thinks "
                                                         : "[tool ";
        break;
      case EventKind::delta:
        EXPECT_EQ(open, event.part);
        said += event.text;
        break;
      case EventKind::part_stop:
        EXPECT_EQ(open, event.part);
        open.reset();
        said += "]";
        break;
      case EventKind::usage: output = event.answer->usage.output.value_or(0); break;
      case EventKind::finish: EXPECT_FALSE(open); break;
      case EventKind::end: EXPECT_EQ(ends++, 0); break;
      case EventKind::error: ++errors; break;
      default: break;
    }
  }
  std::string said;
  std::optional<uint32_t> open;
  int starts = 0;
  int ends = 0;
  int errors = 0;
  uint64_t output = 0;
};

// One instance's events.
class Instance {
 public:
  explicit Instance(Joiner& joiner) : sequencer_(joiner) {
    sequencer_.event({.kind = EventKind::start, .answer = &answer_});
  }
  Instance& part(PartKind kind, uint32_t number, std::initializer_list<std::string_view> texts, bool stop = true) {
    const Part head{.kind = kind};
    sequencer_.event({.kind = EventKind::part_start, .part = number, .head = &head});
    for (const std::string_view text : texts) {
      sequencer_.event({.kind = EventKind::delta, .part = number, .text = text});
    }
    if (stop) sequencer_.event({.kind = EventKind::part_stop, .part = number});
    return *this;
  }
  void end(uint64_t output) {
    chat::Answer answer;
    answer.usage.output = output;
    sequencer_.event({.kind = EventKind::usage, .answer = &answer});
    sequencer_.event({.kind = EventKind::end});
  }

 private:
  chat::Answer answer_;
  chat::Sequencer sequencer_;
};

TEST(Joiner, OneInstanceIsPassedOn) {
  Client client;
  Joiner joiner(client);
  Instance(joiner).part(PartKind::thinking, 0, {"Hm."}).part(PartKind::text, 1, {"Hello ", "world."}).end(7);
  EXPECT_EQ(client.said, "[thinks Hm.][text Hello world.]");
  EXPECT_EQ(client.output, 7u);
  EXPECT_EQ(client.ends, 1);
}

TEST(Joiner, AnotherGoesOn) {
  Client client;
  Joiner joiner(client);
  Instance(joiner).part(PartKind::text, 0, {"Hello ", "wor"}, false);
  ASSERT_TRUE(joiner.can_continue());
  EXPECT_EQ(joiner.beginning(), "Hello wor");
  chat::Usage used;
  used.output = 3;
  joiner.resume(used);
  Instance(joiner).part(PartKind::text, 0, {"ld", "."}).end(2);
  EXPECT_EQ(client.said, "[text Hello world.]");
  EXPECT_EQ(client.output, 5u);
  EXPECT_EQ(client.starts, 1);
}

TEST(Joiner, WhiteSpaceIsNeitherLostNorRepeated) {
  for (const auto& [said, more] : {std::pair("Hello \n", " \nworld"), std::pair("Hello \n", "world"),
                                   std::pair("Hello", " \nworld"), std::pair("Hello ", " \nworld")}) {
    Client client;
    Joiner joiner(client);
    Instance(joiner).part(PartKind::text, 0, {said}, false);
    EXPECT_EQ(joiner.beginning(), "Hello");
    joiner.resume({});
    Instance(joiner).part(PartKind::text, 0, {more}).end(1);
    EXPECT_EQ(client.said, "[text Hello \nworld]") << said << "|" << more;
  }
}

TEST(Joiner, ThoughtsThoughtAgainAreNotShown) {
  Client client;
  Joiner joiner(client);
  Instance(joiner).part(PartKind::thinking, 0, {"Hm."}).part(PartKind::text, 1, {"Hel"}, false);
  joiner.resume({});
  Instance(joiner).part(PartKind::thinking, 0, {"Hm, hm."}).part(PartKind::text, 1, {"lo"}).end(1);
  EXPECT_EQ(client.said, "[thinks Hm.][text Hello]");
}

TEST(Joiner, AToolCallMayFollowTheText) {
  Client client;
  Joiner joiner(client);
  Instance(joiner).part(PartKind::text, 0, {"Let me"}, false);
  joiner.resume({});
  Instance(joiner).part(PartKind::text, 0, {" look."}).part(PartKind::tool_call, 1, {"{}"}).end(1);
  EXPECT_EQ(client.said, "[text Let me look.][tool {}]");
  EXPECT_FALSE(joiner.can_continue());
}

TEST(Joiner, TheNextMayHaveNothingToAdd) {
  Client client;
  Joiner joiner(client);
  Instance(joiner).part(PartKind::text, 0, {"Done."}, false);
  joiner.resume({});
  Instance(joiner).end(0);
  EXPECT_EQ(client.said, "[text Done.]");
  EXPECT_EQ(client.ends, 1);
}

TEST(Joiner, WhatCannotBeGoneOnFrom) {
  Client client;
  Joiner thinks(client);
  Instance(thinks).part(PartKind::thinking, 0, {"Hm"}, false);
  EXPECT_FALSE(thinks.can_continue());
  Client other;
  Joiner calls(other);
  Instance(calls).part(PartKind::tool_call, 0, {"{\"a"}, false);
  EXPECT_FALSE(calls.can_continue());
  Client third;
  Joiner closed(third);
  Instance(closed).part(PartKind::text, 0, {"Said."});
  EXPECT_FALSE(closed.can_continue());
  Client fourth;
  Joiner longs(fourth);
  Instance(longs).part(PartKind::text, 0, {std::string(kJoinedTextBytesMax + 1, 'x')}, false);
  EXPECT_FALSE(longs.can_continue());
}

// Any text, cut anywhere, any number of times, goes out whole and once.
TEST(Joiner, NoTextIsLostOrRepeatedWhateverTheCuts) {
  for (uint64_t seed = 0; seed < 5000; ++seed) {
    base::Rng rng(seed);
    std::string text;
    for (size_t i = 0, size = 1 + rng.below(60); i < size; ++i) text += "ab \n"[rng.below(4)];
    Client client;
    Joiner joiner(client);
    size_t at = 0;  // of the text, where the instance at hand is
    for (bool whole = false; !whole;) {
      const size_t end = rng.chance(0.3) ? text.size() : at + rng.below(text.size() - at + 1);
      whole = end == text.size();
      Instance instance(joiner);
      instance.part(PartKind::text, 0, {std::string_view(text).substr(at, end - at)}, whole);
      if (whole) instance.end(1);
      if (whole) break;
      ASSERT_TRUE(joiner.can_continue()) << seed;
      ASSERT_TRUE(text.starts_with(joiner.beginning())) << seed;
      at = joiner.beginning().size();
      joiner.resume({});
    }
    ASSERT_EQ(client.said, "[text " + text + "]") << seed;
  }
}

}  // namespace
}  // namespace llmgw::gateway
