// Random conversations and answers through every pair of dialects: what both can say must come out as it went in.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/rng.h"
#include "chat/collector.h"
#include "chat/sequencer.h"
#include "dialects/codec.h"
#include "json/text.h"
#include "json/tree.h"

namespace llmgw::dialects {
namespace {

using chat::Dialect;
using chat::Part;
using chat::PartKind;
using chat::Role;

// A target that takes everything its dialect can say.
chat::Target generous(Dialect dialect) {
  chat::Target target;
  target.dialect = dialect;
  target.model = "target-model";
  target.minter = chat::native_minter(dialect);
  target.tool_result_images = true;
  target.requires_max_tokens = dialect == Dialect::anthropic;
  target.default_max_tokens = 1000;
  if (dialect == Dialect::gemini) target.tool_schema = target.output_schema = chat::SchemaSubset::gemini_json;
  if (dialect == Dialect::anthropic || dialect == Dialect::bedrock)
    target.output_schema = chat::SchemaSubset::anthropic;
  target.mid_system = false;
  return target;
}

class World {
 public:
  explicit World(uint64_t seed) : rng_(seed) {}

  std::string_view word() {
    static constexpr std::array<std::string_view, 8> kWords{
        "plain",           "two words", "line\nbreak", "quote \" and \\ slash", "caf\xc3\xa9 \xf0\x9f\x98\x80",
        "{\"json\": [1]}", "  edge ",   "data: [DONE]"};
    return kWords[rng_.below(kWords.size())];
  }
  std::string_view json_object() {
    static constexpr std::array<std::string_view, 4> kObjects{
        "{}", R"({"a":1})", R"({"n":9007199254740993,"f":1.0,"t":"\u00e9\n"})", R"({"deep":{"list":[1,null,true]}})"};
    return kObjects[rng_.below(kObjects.size())];
  }

  // A conversation with the features all six dialects have.
  chat::Request request() {
    chat::Request request{.from = Dialect::openai_chat, .model = "client-model"};
    request.max_tokens = 16 + rng_.below(4000);  // OpenAI takes no less than 16
    if (rng_.below(2) == 0) say(request, Role::system, "system words");
    const uint64_t rounds = 1 + rng_.below(3);
    for (uint64_t i = 0; i < rounds; ++i) {
      say(request, Role::user, word());
      if (rng_.below(2) == 0) tool_round(request);
      say(request, Role::assistant, "answer");
    }
    say(request, Role::user, "last");
    request.tools.push(arena, {.name = "look_up",
                               .description = "Looks things up",
                               .schema = R"({"type":"object","properties":{"a":{"type":"integer"}}})"});
    return request;
  }

  chat::Answer answer() {
    chat::Answer answer{.id = "answer-1", .model = "target-model", .created = 1700000000};
    chat::Choice choice;
    choice.parts.push(arena, {.kind = PartKind::text, .text = word()});
    const uint64_t calls = rng_.below(3);
    for (uint64_t i = 0; i < calls; ++i) {
      choice.parts.push(arena, {.kind = PartKind::tool_call,
                                .text = json_object(),
                                .id = arena.copy("call_" + std::to_string(seed_id_++)),
                                .name = "look_up"});
    }
    choice.finish = calls > 0 ? chat::Finish::tool : rng_.below(2) == 0 ? chat::Finish::stop : chat::Finish::length;
    answer.usage.input = 1 + rng_.below(1000);
    answer.usage.output = 1 + rng_.below(1000);
    answer.choices.push(arena, choice);
    return answer;
  }

  base::Arena arena;
  json::Parser parser;

 private:
  void say(chat::Request& request, Role role, std::string_view text) {
    chat::Message message{.role = role};
    message.parts.push(arena, {.kind = PartKind::text, .text = text});
    request.messages.push(arena, message);
  }
  void tool_round(chat::Request& request) {
    chat::Message calls{.role = Role::assistant};
    chat::Message results{.role = Role::tool};
    const uint64_t count = 1 + rng_.below(3);
    for (uint64_t i = 0; i < count; ++i) {
      const std::string_view id = arena.copy("call_" + std::to_string(seed_id_++));
      calls.parts.push(arena, {.kind = PartKind::tool_call, .text = json_object(), .id = id, .name = "look_up"});
      Part result{.kind = PartKind::tool_result, .id = id, .name = "look_up"};
      result.content.push(arena, {.kind = PartKind::text, .text = word()});
      results.parts.push(arena, result);
    }
    request.messages.push(arena, calls);
    request.messages.push(arena, results);
  }

  base::Rng rng_;
  int seed_id_ = 0;
};

// JSON as one line without white space outside strings, so that equal values have equal text.
std::string canonical(World& world, std::string_view text) {
  const auto root = json::parse_tree(world.parser, text, world.arena);
  if (!root) return "not JSON: " + std::string(text);
  std::string out;
  const auto write = [&](auto& self, json::Value value) -> void {
    if (value.is_object()) {
      out += '{';
      for (const json::Member member : value.members()) {
        json::append_quoted(out, member.key(world.arena));
        out += ':';
        self(self, member.value);
        out += ',';
      }
      out += '}';
    } else if (value.is_array()) {
      out += '[';
      for (const json::Value element : value.elements()) {
        self(self, element);
        out += ',';
      }
      out += ']';
    } else if (value.is_string()) {
      json::append_quoted(out, value.string(world.arena));
    } else {
      out += value.raw();
    }
  };
  write(write, *root);
  return out;
}

// What a conversation says, roles merged and ids left out: dialects may group and rename.
std::vector<std::string> meaning(World& world, const chat::List<chat::Message>& messages) {
  std::vector<std::string> out;
  for (const chat::Message& message : messages) {
    for (const Part& part : message.parts) {
      switch (part.kind) {
        case PartKind::text: out.push_back(std::string(to_string(message.role)) + ": " + std::string(part.text)); break;
        case PartKind::tool_call: out.push_back("call " + std::string(part.name) + canonical(world, part.text)); break;
        case PartKind::tool_result: {
          std::string text;
          for (const Part& inner : part.content) text += inner.text;
          // Gemini's results are objects: a text comes back in one.
          const auto wrapped = json::parse_tree(world.parser, text, world.arena);
          if (wrapped && (*wrapped)["result"].is_string()) text = (*wrapped)["result"].string(world.arena);
          out.push_back("result: " + text);
          break;
        }
        default: out.push_back("?");
      }
    }
  }
  return out;
}

std::string meaning(World& world, const chat::Answer& answer) {
  std::string text;
  std::string calls;
  if (answer.choices.empty()) return "no choice";
  for (const Part& part : answer.choices[0].parts) {
    if (part.kind == PartKind::text) text += part.text;
    if (part.kind == PartKind::tool_call) calls += " " + std::string(part.name) + canonical(world, part.text);
  }
  return text + "|" + calls + "|" + std::string(to_string(answer.choices[0].finish)) + "|" +
         std::to_string(answer.usage.total_input().value_or(0)) + "+" + std::to_string(answer.usage.output.value_or(0));
}

ReadContext reading(World& world, Dialect dialect) {
  return {.parser = world.parser, .arena = world.arena, .minter = chat::native_minter(dialect), .id_seed = "seed"};
}

AnswerContext answering(World& world, const chat::Request& request, chat::Framing framing) {
  return {.parser = world.parser,
          .arena = world.arena,
          .request_id = "0123456789abcdef",
          .model = "client-model",
          .now = 1700000000,
          .started_ms = 1700000000000,
          .request = &request,
          .framing = framing};
}

chat::Framing stream_framing(Dialect dialect) {
  return dialect == Dialect::bedrock ? chat::Framing::event_stream : chat::Framing::sse;
}

// An answer's stream in one dialect, as its writer frames the events.
class Wire final : public chat::WireSink {
 public:
  struct Event {
    std::string name;
    std::string data;
    bool exception;
  };
  void event(const chat::WireEvent& event) override {
    events.push_back({std::string(event.name), std::string(event.data), event.exception});
  }
  std::vector<Event> events;
};

class ToWriter final : public chat::EventSink {
 public:
  ToWriter(StreamWriter& writer, chat::WireSink& wire) : writer_(writer), wire_(wire) {}
  void event(const chat::StreamEvent& event) override { writer_.write(event, wire_); }

 private:
  StreamWriter& writer_;
  chat::WireSink& wire_;
};

std::vector<Wire::Event> write_stream(World& world, const Codec& codec, const chat::Request& request, auto&& feed) {
  const auto writer = codec.make_stream_writer(answering(world, request, stream_framing(codec.dialect)));
  Wire wire;
  ToWriter to_writer(*writer, wire);
  chat::Sequencer sequencer(to_writer);
  feed(sequencer);
  sequencer.transport_ended();
  return wire.events;
}

void read_stream(World& world, const Codec& codec, const std::vector<Wire::Event>& events, chat::EventSink& sink) {
  const auto reader = codec.make_stream_reader(reading(world, codec.dialect));
  for (const Wire::Event& event : events) {
    reader->read({.name = event.name, .data = event.data, .exception = event.exception}, sink);
  }
  reader->transport_ended(sink);
}

constexpr uint64_t kSeeds = 60;

TEST(Pairs, ConversationsSurviveEveryDialect) {
  for (const Dialect dialect : kCodecDialects) {
    const Codec* const codec = find_codec(dialect);
    ASSERT_NE(codec, nullptr);
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      World world(seed);
      const chat::Request request = world.request();
      chat::Warnings warnings(world.arena);
      WriteContext context{.parser = world.parser, .arena = world.arena, .warnings = warnings};
      std::string body;
      const auto written = codec->write_request(request, generous(dialect), context, body);
      ASSERT_TRUE(written) << to_string(dialect) << " " << written.error().message;
      chat::Request again{.from = dialect};
      const auto read = codec->read_request(body, reading(world, dialect), again);
      ASSERT_TRUE(read) << to_string(dialect) << " " << read.error().message << "\n" << body;
      EXPECT_EQ(meaning(world, again.messages), meaning(world, request.messages))
          << to_string(dialect) << " seed " << seed << "\n"
          << body;
      EXPECT_EQ(again.max_tokens, request.max_tokens) << to_string(dialect);
      ASSERT_EQ(again.tools.size(), 1U) << to_string(dialect);
      EXPECT_EQ(again.tools[0].name, "look_up");
      EXPECT_EQ(again.tools[0].description, "Looks things up");
    }
  }
}

TEST(Pairs, AnswersSurviveEveryPair) {
  for (const Dialect provider : kCodecDialects) {
    for (const Dialect client : kCodecDialects) {
      for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
        World world(seed);
        const chat::Request request = world.request();
        const chat::Answer answer = world.answer();
        const Codec& from = *find_codec(provider);
        const Codec& to = *find_codec(client);
        std::string upstream;
        from.write_answer(answer, answering(world, request, chat::Framing::json), upstream);
        chat::Answer neutral;
        auto read = from.read_answer(upstream, reading(world, provider), neutral);
        ASSERT_TRUE(read) << to_string(provider) << " " << read.error().message << "\n" << upstream;
        std::string downstream;
        to.write_answer(neutral, answering(world, request, chat::Framing::json), downstream);
        chat::Answer seen;
        read = to.read_answer(downstream, reading(world, client), seen);
        ASSERT_TRUE(read) << to_string(client) << " " << read.error().message << "\n" << downstream;
        EXPECT_EQ(meaning(world, seen), meaning(world, answer))
            << to_string(provider) << " to " << to_string(client) << " seed " << seed << "\n"
            << upstream << "\n"
            << downstream;
      }
    }
  }
}

TEST(Pairs, StreamsSurviveEveryPair) {
  for (const Dialect provider : kCodecDialects) {
    for (const Dialect client : kCodecDialects) {
      for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
        World world(seed);
        chat::Request request = world.request();
        request.stream = true;
        const chat::Answer answer = world.answer();
        const Codec& from = *find_codec(provider);
        const Codec& to = *find_codec(client);
        const auto upstream =
            write_stream(world, from, request, [&](chat::EventSink& sink) { chat::explode(answer, sink); });
        const auto downstream =
            write_stream(world, to, request, [&](chat::EventSink& sink) { read_stream(world, from, upstream, sink); });
        chat::Collector collector(world.arena);
        chat::Sequencer sequencer(collector);
        read_stream(world, to, downstream, sequencer);
        sequencer.transport_ended();
        ASSERT_TRUE(collector.ended()) << to_string(provider) << " to " << to_string(client) << " seed " << seed
                                       << (collector.error() ? collector.error()->message : "");
        EXPECT_EQ(meaning(world, collector.answer()), meaning(world, answer))
            << to_string(provider) << " to " << to_string(client) << " seed " << seed;
      }
    }
  }
}

// Three dialects have a word for it; which sequence it was, Cohere and Bedrock need not say.
TEST(Pairs, AStopAtASequenceStaysOne) {
  constexpr std::array kHaveAWord{Dialect::anthropic, Dialect::bedrock, Dialect::cohere};
  World world(1);
  const chat::Request request;
  chat::Choice choice{.finish = chat::Finish::stop, .at_sequence = true};
  choice.parts.push(world.arena, {.kind = PartKind::text, .text = "ended"});
  chat::Answer answer;
  answer.choices.push(world.arena, choice);
  for (const Dialect provider : kHaveAWord) {
    for (const Dialect client : kHaveAWord) {
      const Codec& from = *find_codec(provider);
      const Codec& to = *find_codec(client);
      chat::Answer seen;
      std::string wire;
      from.write_answer(answer, answering(world, request, chat::Framing::json), wire);
      ASSERT_TRUE(from.read_answer(world.arena.copy(wire), reading(world, provider), seen)) << wire;
      wire.clear();
      to.write_answer(seen, answering(world, request, chat::Framing::json), wire);
      chat::Answer again;
      ASSERT_TRUE(to.read_answer(world.arena.copy(wire), reading(world, client), again)) << wire;
      EXPECT_TRUE(again.choices.front().at_sequence) << to_string(provider) << " to " << to_string(client) << wire;

      const auto upstream =
          write_stream(world, from, request, [&](chat::EventSink& sink) { chat::explode(answer, sink); });
      const auto downstream =
          write_stream(world, to, request, [&](chat::EventSink& sink) { read_stream(world, from, upstream, sink); });
      chat::Collector collector(world.arena);
      chat::Sequencer sequencer(collector);
      read_stream(world, to, downstream, sequencer);
      sequencer.transport_ended();
      ASSERT_TRUE(collector.ended()) << to_string(provider) << " to " << to_string(client);
      EXPECT_TRUE(collector.answer().choices.front().at_sequence) << to_string(provider) << " to " << to_string(client);
    }
  }
}

// A stream that is cut anywhere is an error at the other end, or nothing that looks like an end.
TEST(Pairs, ACutStreamNeverLooksFinished) {
  for (const Dialect provider : kCodecDialects) {
    for (const Dialect client : kCodecDialects) {
      for (uint64_t seed = 1; seed <= 8; ++seed) {
        World world(seed);
        chat::Request request = world.request();
        request.stream = true;
        const chat::Answer answer = world.answer();
        const Codec& from = *find_codec(provider);
        const Codec& to = *find_codec(client);
        const auto upstream =
            write_stream(world, from, request, [&](chat::EventSink& sink) { chat::explode(answer, sink); });
        for (size_t kept = 0; kept < upstream.size(); ++kept) {
          const std::vector<Wire::Event> cut(upstream.begin(), upstream.begin() + static_cast<std::ptrdiff_t>(kept));
          // What is left may be complete already: usage that comes behind the end is no part of the answer.
          chat::Collector direct(world.arena);
          chat::Sequencer whole(direct);
          read_stream(world, from, cut, whole);
          whole.transport_ended();
          if (direct.ended()) continue;
          const auto downstream =
              write_stream(world, to, request, [&](chat::EventSink& sink) { read_stream(world, from, cut, sink); });
          chat::Collector collector(world.arena);
          chat::Sequencer sequencer(collector);
          read_stream(world, to, downstream, sequencer);
          sequencer.transport_ended();
          EXPECT_TRUE(collector.error()) << to_string(provider) << " to " << to_string(client) << " cut after " << kept;
        }
      }
    }
  }
}

}  // namespace
}  // namespace llmgw::dialects
