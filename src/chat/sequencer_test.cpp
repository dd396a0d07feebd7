#include "chat/sequencer.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/rng.h"
#include "chat/collector.h"

namespace llmgw::chat {
namespace {

// Writes down what comes, and checks that it is legal.
class Script final : public EventSink {
 public:
  std::string text;
  bool over = false;

  void event(const StreamEvent& event) override {
    EXPECT_FALSE(over) << "an event behind the last one";
    if (event.kind != EventKind::keep_alive && event.kind != EventKind::error) {
      EXPECT_EQ(event.kind == EventKind::start, !started_);
    }
    const std::string at = std::to_string(event.choice) + "." + std::to_string(event.part);
    switch (event.kind) {
      case EventKind::start:
        started_ = true;
        text += "start ";
        break;
      case EventKind::part_start:
        EXPECT_FALSE(open_.contains(event.choice));
        open_[event.choice] = event.part;
        text += "+" + at + ":" + std::string(event.head->name) + " ";
        break;
      case EventKind::delta:
        expect_open(event);
        text += at + "'" + std::string(event.text) + "' ";
        break;
      case EventKind::signature:
        expect_open(event);
        text += at + "!" + std::string(event.head->signature->data) + " ";
        break;
      case EventKind::citations:
        expect_open(event);
        text += at + std::string(event.text) + " ";
        break;
      case EventKind::part_stop:
        expect_open(event);
        open_.erase(event.choice);
        text += "-" + at + " ";
        break;
      case EventKind::finish:
        EXPECT_TRUE(open_.empty());
        text += std::string(to_string(event.answer->choices.front().finish)) + " ";
        break;
      case EventKind::usage: text += "usage=" + std::to_string(event.answer->usage.output.value_or(0)) + " "; break;
      case EventKind::end:
        text += "end";
        over = true;
        break;
      case EventKind::error:
        text += "error: " + std::string(event.error->message);
        over = true;
        break;
      case EventKind::keep_alive: text += "~ "; break;
    }
  }

 private:
  void expect_open(const StreamEvent& event) {
    ASSERT_TRUE(open_.contains(event.choice));
    EXPECT_EQ(open_[event.choice], event.part);
  }
  std::map<uint32_t, uint32_t> open_;
  bool started_ = false;
};

class Feed {
 public:
  explicit Feed(Sequencer& sequencer) : sequencer_(sequencer) {}
  Feed& start_part(uint32_t part, PartKind kind = PartKind::text, std::string_view name = {}, uint32_t choice = 0) {
    const Part head{.kind = kind, .name = name};
    return send({.kind = EventKind::part_start, .choice = choice, .part = part, .head = &head});
  }
  Feed& delta(uint32_t part, std::string_view text, uint32_t choice = 0) {
    return send({.kind = EventKind::delta, .choice = choice, .part = part, .text = text});
  }
  Feed& stop(uint32_t part, uint32_t choice = 0) {
    return send({.kind = EventKind::part_stop, .choice = choice, .part = part});
  }
  Feed& cite(uint32_t part, std::string_view citations) {
    const Part head{.origin = Dialect::anthropic};
    return send({.kind = EventKind::citations, .part = part, .text = citations, .head = &head});
  }
  Feed& sign(uint32_t part, std::string_view data) {
    const Signature signature{.minter = Minter::gemini, .data = data};
    const Part head{.signature = &signature};
    return send({.kind = EventKind::signature, .part = part, .head = &head});
  }
  Feed& finish(Finish why, uint32_t choice = 0) {
    Choice said{.index = choice, .finish = why};
    Answer answer;
    answer.choices = List<Choice>::of(&said, 1);
    return send({.kind = EventKind::finish, .choice = choice, .answer = &answer});
  }
  Feed& usage(uint64_t output) {
    Answer answer;
    answer.usage.output = output;
    return send({.kind = EventKind::usage, .answer = &answer});
  }
  Feed& send(const StreamEvent& event) {
    sequencer_.event(event);
    return *this;
  }
  Feed& end() { return send({.kind = EventKind::end}); }

 private:
  Sequencer& sequencer_;
};

TEST(Sequencer, PassesALegalStream) {
  Script script;
  Sequencer sequencer(script);
  Feed(sequencer)
      .start_part(0)
      .delta(0, "a")
      .delta(0, "")
      .delta(0, "b")
      .sign(0, "s")
      .stop(0)
      .finish(Finish::stop)
      .usage(7)
      .end();
  EXPECT_EQ(script.text, "start +0.0: 0.0'a' 0.0'b' 0.0!s -0.0 stop usage=7 end");
}

TEST(Sequencer, InterleavedCallsComeOneAfterTheOther) {
  Script script;
  Sequencer sequencer(script);
  Feed(sequencer)
      .start_part(0, PartKind::tool_call, "one")
      .start_part(1, PartKind::tool_call, "two")
      .delta(1, "{")
      .delta(0, "[")
      .start_part(2, PartKind::tool_call, "three")
      .delta(1, "}")
      .sign(1, "sig")
      .stop(1)
      .delta(0, "]")
      .stop(0)
      .delta(2, "x")
      .finish(Finish::stop)
      .end();
  EXPECT_EQ(script.text,
            "start +0.0:one 0.0'[' 0.0']' -0.0 +0.1:two 0.1'{}' 0.1!sig -0.1 +0.2:three 0.2'x' -0.2 tool usage=0 end");
}

TEST(Sequencer, TheFirstChoiceEndsThoughItSaidNothing) {
  Script script;
  Sequencer sequencer(script);
  Feed(sequencer).start_part(0, PartKind::text, {}, 1).delta(0, "b", 1).finish(Finish::length, 1).end();
  EXPECT_EQ(script.text, "start +1.0: 1.0'b' -1.0 unknown length usage=0 end");
}

TEST(Sequencer, CitationsOfAPartThatWaitsAddUp) {
  Script script;
  Sequencer sequencer(script);
  Feed(sequencer).start_part(0).start_part(1).cite(1, "[1]").cite(1, "[]").cite(1, "[2]").end();
  EXPECT_EQ(script.text, "start +0.0: -0.0 +0.1: 0.1[1,2] -0.1 unknown usage=0 end");
}

TEST(Sequencer, ChoicesInterleaveFreely) {
  Script script;
  Sequencer sequencer(script);
  Feed(sequencer)
      .start_part(0)
      .start_part(0, PartKind::text, {}, 1)
      .delta(0, "a")
      .delta(0, "b", 1)
      .delta(0, "c")
      .finish(Finish::length, 1)
      .finish(Finish::stop)
      .end();
  EXPECT_EQ(script.text, "start +0.0: +1.0: 0.0'a' 1.0'b' 0.0'c' -0.0 -1.0 stop length usage=0 end");
}

TEST(Sequencer, MendsWhatIsMissingAndDropsWhatIsTooMuch) {
  Script script;
  Sequencer sequencer(script);
  Feed(sequencer)
      .delta(3, "loose")
      .stop(9)
      .stop(3)
      .stop(3)
      .delta(3, "late")
      .start_part(4)
      .start_part(4)
      .finish(Finish::filter)
      .finish(Finish::unknown)
      .end()
      .delta(5, "after")
      .end();
  sequencer.transport_ended();
  EXPECT_EQ(script.text, "start +0.3: 0.3'loose' -0.3 +0.4: -0.4 filter usage=0 end");
}

TEST(Sequencer, ACutStreamIsAnError) {
  Script script;
  Sequencer sequencer(script);
  Feed(sequencer).start_part(0).delta(0, "half").finish(Finish::stop);
  sequencer.transport_ended();
  EXPECT_EQ(script.text, "start +0.0: 0.0'half' error: the provider's answer ended before it was complete");
  EXPECT_TRUE(sequencer.failed());
}

TEST(Sequencer, AChoiceThatDoesNotEndIsAnError) {
  Script script;
  Sequencer sequencer(script);
  Feed(sequencer).start_part(0).delta(0, "half").start_part(0, PartKind::text, {}, 1).finish(Finish::stop, 1).end();
  EXPECT_EQ(script.text, "start +0.0: 0.0'half' +1.0: error: the provider's answer ended before it was complete");
}

TEST(Sequencer, BoundsPartsChoicesAndWhatWaits) {
  const auto run = [](auto fill) {
    Script script;
    Sequencer sequencer(script);
    fill(sequencer);
    return sequencer.failed();
  };
  EXPECT_TRUE(run([](Sequencer& s) {
    for (uint32_t i = 0; i <= Sequencer::kPartsMax; ++i) Feed(s).start_part(i).stop(i);
  }));
  EXPECT_TRUE(run([](Sequencer& s) {
    for (uint32_t i = 0; i <= Sequencer::kChoicesMax; ++i) Feed(s).start_part(0, PartKind::text, {}, i);
  }));
  EXPECT_TRUE(run([](Sequencer& s) {
    const std::string piece(1 << 20, 'x');
    Feed feed(s);
    feed.start_part(0).start_part(1);
    for (int i = 0; i < 17; ++i) feed.delta(1, piece);
  }));
}

// Whatever comes, what leaves is legal (Script checks), and ends.
TEST(Sequencer, AnySequenceBecomesALegalOne) {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    base::Rng rng(seed);
    Script script;
    Sequencer sequencer(script);
    Feed feed(sequencer);
    const uint64_t steps = rng.below(60);
    for (uint64_t i = 0; i < steps; ++i) {
      const auto part = static_cast<uint32_t>(rng.below(4));
      const auto choice = static_cast<uint32_t>(rng.below(2));
      switch (rng.below(9)) {
        case 0:
        case 1: feed.start_part(part, rng.below(2) == 0 ? PartKind::text : PartKind::tool_call, "n", choice); break;
        case 2:
        case 3: feed.delta(part, "d", choice); break;
        case 4: feed.stop(part, choice); break;
        case 5: feed.sign(part, "s"); break;
        case 6: feed.usage(i); break;
        case 7: feed.finish(Finish::stop, choice); break;
        default:
          if (rng.below(10) == 0) feed.end();
          if (rng.below(10) == 0) feed.send({.kind = EventKind::start});
      }
    }
    sequencer.transport_ended();
    EXPECT_TRUE(script.over) << seed;
  }
}

TEST(Collector, IsTheInverseOfExplode) {
  base::Arena arena;
  const Signature signature{.minter = Minter::anthropic, .model = "m", .id = "i", .data = "sig"};
  Choice choice{.finish = Finish::tool, .native_finish = "tool_use", .logprobs = R"([{"token":"a"}])"};
  choice.parts.push(arena, {.kind = PartKind::thinking, .text = "hm", .signature = &signature});
  choice.parts.push(arena,
                    {.kind = PartKind::text, .origin = Dialect::anthropic, .text = "hello", .citations = "[1,2]"});
  choice.parts.push(arena, {.kind = PartKind::tool_call, .text = "{}", .id = "call_1", .name = "f"});
  choice.parts.push(arena, {.kind = PartKind::opaque, .origin = Dialect::anthropic, .text = R"({"type":"x"})"});
  Answer answer{.id = "a1", .model = "m1", .created = 5, .service_tier = "default"};
  answer.usage.input = 3;
  answer.usage.output = 4;
  answer.choices.push(arena, choice);

  Collector collector(arena);
  Sequencer sequencer(collector);
  explode(answer, sequencer);
  ASSERT_TRUE(collector.ended());
  const Answer& again = collector.answer();
  EXPECT_EQ(again.id, "a1");
  EXPECT_EQ(again.model, "m1");
  EXPECT_EQ(again.created, 5);
  EXPECT_EQ(again.usage, answer.usage);
  ASSERT_EQ(again.choices.size(), 1U);
  EXPECT_EQ(again.choices[0].finish, Finish::tool);
  EXPECT_EQ(again.choices[0].native_finish, "tool_use");
  EXPECT_EQ(again.choices[0].logprobs, choice.logprobs);
  ASSERT_EQ(again.choices[0].parts.size(), 4U);
  for (size_t i = 0; i < 4; ++i) {
    const Part& before = choice.parts[i];
    const Part& after = again.choices[0].parts[i];
    EXPECT_EQ(after.kind, before.kind);
    EXPECT_EQ(after.text, before.text);
    EXPECT_EQ(after.id, before.id);
    EXPECT_EQ(after.name, before.name);
    EXPECT_EQ(after.citations, before.citations);
    EXPECT_EQ(after.has_signature(), before.has_signature());
  }
  EXPECT_EQ(again.choices[0].parts[0].signature->data, "sig");
}

// A picture that comes while another part is open waits with its bytes, which do not live longer than the event.
TEST(Sequencer, MediaWaitWithTheirBytes) {
  base::Arena arena;
  Collector collector(arena);
  Sequencer sequencer(collector);
  const Part words{.kind = PartKind::text};
  sequencer.event({.kind = EventKind::part_start, .part = 0, .head = &words});
  {
    const std::string data = "QUJD";
    const Media media{.data = data, .media_type = "image/png"};
    const Part picture{.kind = PartKind::image, .media = &media};
    sequencer.event({.kind = EventKind::part_start, .part = 1, .head = &picture});
  }
  sequencer.event({.kind = EventKind::part_stop, .part = 1});
  sequencer.event({.kind = EventKind::delta, .part = 0, .text = "a"});
  sequencer.event({.kind = EventKind::end});
  const auto& parts = collector.answer().choices[0].parts;
  ASSERT_EQ(parts.size(), 2U);
  ASSERT_NE(parts[1].media, nullptr);
  EXPECT_EQ(parts[1].media->data, "QUJD");
  EXPECT_EQ(parts[1].media->media_type, "image/png");
}

// Halves of a surrogate pair (WTF-8) in two deltas become one character in the second; half a character for good stays.
TEST(Sequencer, CharactersAreNotCut) {
  struct Texts final : EventSink {
    void event(const StreamEvent& event) override {
      if (event.kind == EventKind::delta) list.emplace_back(event.text);
    }
    std::vector<std::string> list;
  };
  Texts texts;
  Sequencer sequencer(texts);
  const Part words{.kind = PartKind::text};
  sequencer.event({.kind = EventKind::part_start, .part = 0, .head = &words});
  for (const std::string_view text : {"a\xED\xA0\xBD",
                                      "\xED\xB8\x80"
                                      "b",
                                      "\xED\xA0\xBD", "c", "\xED\xA0\xBD"}) {
    sequencer.event({.kind = EventKind::delta, .part = 0, .text = text});
  }
  sequencer.event({.kind = EventKind::part_stop, .part = 0});
  const std::vector<std::string> wanted{"a",
                                        "\xED\xA0\xBD\xED\xB8\x80"
                                        "b",
                                        "\xED\xA0\xBD"
                                        "c",
                                        "\xED\xA0\xBD"};
  EXPECT_EQ(texts.list, wanted);
}

}  // namespace
}  // namespace llmgw::chat
