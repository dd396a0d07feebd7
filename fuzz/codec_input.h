// One codec under any input. The first byte chooses what is read: 'r' a client's request, 'a' an answer, 'e' an error,
// anything else a stream, one event a line ("name data", or "!name data" for an exception; the name may be empty).
// What was read is written by the same codec, and its own reader must accept that, and find the same in it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "chat/collector.h"
#include "chat/sequencer.h"
#include "dialects/codec.h"

namespace llmgw::fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// A stream to its end, one event a line, as above.
inline void read_lines(std::string_view body, dialects::StreamReader& reader, chat::Sequencer& sequencer) {
  while (!body.empty()) {
    std::string_view line = body.substr(0, body.find('\n'));
    body.remove_prefix(std::min(line.size() + 1, body.size()));
    const bool exception = line.starts_with('!');
    if (exception) line.remove_prefix(1);
    const size_t space = std::min(line.find(' '), line.size());
    const std::string_view data = space < line.size() ? line.substr(space + 1) : std::string_view{};
    reader.read({.name = line.substr(0, space), .data = data, .exception = exception}, sequencer);
  }
  reader.transport_ended(sequencer);
  sequencer.transport_ended();
}

class CodecInput {
 public:
  CodecInput(const dialects::Codec& codec, const chat::Target& target) : codec_(codec), target_(target) {}

  void run(std::string_view input) {
    if (input.empty()) return;
    const std::string_view body = input.substr(1);
    switch (input.front()) {
      case 'r': return request(body);
      case 'a': return answer(body);
      case 'e': (void)codec_.read_error(400, body, {}, provider()); return;
      default: return stream(body);
    }
  }

 private:
  // What must survive: the text, the number of calls, how it ended.
  struct Seen {
    std::string text;
    std::string thinking;
    size_t calls = 0;
    bool operator==(const Seen&) const = default;
  };

  class Events final : public chat::EventSink, public chat::WireSink {
   public:
    explicit Events(dialects::StreamWriter& writer) : writer_(writer) {}
    void event(const chat::StreamEvent& event) override {
      failed = event.kind == chat::EventKind::error;
      writer_.write(event, *this);
    }
    void event(const chat::WireEvent& event) override {
      names.emplace_back(event.name);
      data.emplace_back(event.data);
    }
    std::vector<std::string> names;
    std::vector<std::string> data;
    bool failed = false;

   private:
    dialects::StreamWriter& writer_;
  };

  dialects::ReadContext provider() {
    return {.parser = parser_,
            .arena = arena_,
            .minter = target_.minter,
            .model = "model",
            .id_seed = "seed",
            .format_tool = chat::kFormatToolName};
  }
  dialects::AnswerContext client() {
    return {.parser = parser_, .arena = arena_, .request_id = "req1", .model = "alias", .request = &request_};
  }

  void request(std::string_view body) {
    const dialects::ReadContext context{
        .parser = parser_, .arena = arena_, .minter = chat::native_minter(codec_.dialect)};
    if (!codec_.read_request(body, context, request_)) return;
    chat::Warnings warnings(arena_);
    dialects::WriteContext write{.parser = parser_, .arena = arena_, .warnings = warnings};
    std::string out;
    const auto written = codec_.write_request(request_, target_, write, out);
    if (!written) {
      require(!written.error().message.empty(), "a refusal says why");
      return;
    }
    chat::Request again;
    require(codec_.read_request(out, context, again).has_value(), "a written request can be read");
    std::string twice;
    require(codec_.write_request(again, target_, write, twice).has_value(), "what was written can be written again");
  }

  static Seen seen(const chat::Answer& answer) {
    Seen seen;
    if (answer.choices.empty()) return seen;
    for (const chat::Part& part : answer.choices.front().parts) {
      if (part.kind == chat::PartKind::text) seen.text += part.text;
      if (part.kind == chat::PartKind::thinking) seen.thinking += part.text;
      if (part.kind == chat::PartKind::tool_call) ++seen.calls;
    }
    return seen;
  }

  void answer(std::string_view body) {
    chat::Answer first;
    if (!codec_.read_answer(body, provider(), first)) return;
    std::string out;
    codec_.write_answer(first, client(), out);
    chat::Answer second;
    require(codec_.read_answer(out, provider(), second).has_value(), "a written answer can be read");
    require(seen(second) == seen(first), "a written answer says the same");
  }

  void stream(std::string_view body) {
    const auto reader = codec_.make_stream_reader(provider());
    const auto writer = codec_.make_stream_writer(client());
    Events events(*writer);
    chat::Sequencer sequencer(events);
    read_lines(body, *reader, sequencer);
    require(sequencer.over(), "every stream ends");
    if (events.failed) return;
    const auto again = codec_.make_stream_reader(provider());
    chat::Collector collector(arena_);
    chat::Sequencer check(collector);
    for (size_t i = 0; i < events.data.size(); ++i) {
      again->read({.name = events.names[i], .data = events.data[i]}, check);
    }
    again->transport_ended(check);
    check.transport_ended();
    require(!check.failed(), "a written stream can be read");
  }

  const dialects::Codec& codec_;
  const chat::Target& target_;
  json::Parser parser_;
  base::Arena arena_;
  chat::Request request_;
};

}  // namespace llmgw::fuzz
