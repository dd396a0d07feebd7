// For tests of codecs: calls with everything they need, answers and requests as comparable values, and recorded traffic
// of providers, where the machine has some. Not thread-safe.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "chat/collector.h"
#include "chat/sequencer.h"
#include "dialects/codec.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::testing_support {

// JSON with sorted members and without white space: equal texts for equal values. The text itself if it is no JSON.
inline void append_canonical(std::string& out, json::Value value, base::Arena& arena) {
  if (value.is_object()) {
    std::map<std::string, std::string> members;
    for (const json::Member member : value.members()) {
      std::string text;
      append_canonical(text, member.value, arena);
      members[std::string(member.key(arena))] = text;
    }
    json::Writer writer(out);
    writer.begin_object();
    for (const auto& [key, text] : members) writer.raw_member(key, text);
    writer.end_object();
  } else if (value.is_array()) {
    json::Writer writer(out);
    writer.begin_array();
    for (const json::Value element : value.elements()) {
      std::string text;
      append_canonical(text, element, arena);
      writer.raw(text);
    }
    writer.end_array();
  } else if (value.is_string()) {
    json::append_quoted(out, value.string(arena));
  } else {
    out += value.raw();
  }
}

inline std::string canonical(std::string_view text) {
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, text, arena);
  if (!root) return std::string(text);
  std::string out;
  append_canonical(out, *root, arena);
  return out;
}

// What a judge compares of an answer.
struct Reading {
  std::string text;
  std::string reasoning;
  std::string refusal;
  std::vector<std::string> calls;       // id, name and canonical arguments
  std::vector<std::string> signatures;  // data of those on any part
  std::vector<std::string> opaque;      // canonical JSON
  std::string finish;
  std::string stop_sequence;
  size_t citations = 0;
  chat::Usage usage;

  bool operator==(const Reading&) const = default;
};

inline std::string describe(const Reading& reading) {
  std::ostringstream out;
  out << "text: " << reading.text << "\nreasoning: " << reading.reasoning << "\nrefusal: " << reading.refusal;
  for (const auto& call : reading.calls) out << "\ncall: " << call;
  for (const auto& signature : reading.signatures) out << "\nsignature: " << signature.substr(0, 60);
  for (const auto& json : reading.opaque) out << "\nopaque: " << json.substr(0, 200);
  const auto count = [](const std::optional<uint64_t>& n) { return n ? std::to_string(*n) : std::string("-"); };
  const chat::Usage& u = reading.usage;
  out << "\nfinish: " << reading.finish << " " << reading.stop_sequence << "\ncitations: " << reading.citations
      << "\nusage: " << count(u.input) << " " << count(u.cache_read) << " " << count(u.cache_write) << " "
      << count(u.cache_write_1h) << " " << count(u.output) << " " << count(u.reasoning) << "\n";
  return out.str();
}

inline void PrintTo(const Reading& reading, std::ostream* out) {
  *out << "\n" << describe(reading);
}

inline size_t element_count(std::string_view json) {
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, json, arena);
  return root ? root->size() : 0;
}

inline Reading reading_of(const chat::Answer& answer) {
  Reading reading;
  reading.usage = answer.usage;
  if (answer.choices.empty()) return reading;
  const chat::Choice& choice = answer.choices.front();
  reading.finish = chat::to_string(choice.finish);
  reading.stop_sequence = choice.stop_sequence;
  for (const chat::Part& part : choice.parts) {
    if (part.has_signature()) reading.signatures.emplace_back(part.signature->data);
    switch (part.kind) {
      case chat::PartKind::text:
        reading.text += part.text;
        if (!part.citations.empty()) reading.citations += element_count(part.citations);
        break;
      case chat::PartKind::thinking: reading.reasoning += part.text; break;
      case chat::PartKind::refusal: reading.refusal += part.text; break;
      case chat::PartKind::tool_call: {
        const std::string arguments = canonical(part.text.empty() ? std::string_view("{}") : part.text);
        reading.calls.push_back(std::string(part.id) + " " + std::string(part.name) + " " + arguments);
        break;
      }
      case chat::PartKind::opaque: reading.opaque.push_back(canonical(part.text)); break;
      default: break;
    }
  }
  return reading;
}

struct WireText {
  std::string name;
  std::string data;
  bool exception = false;
  bool operator==(const WireText&) const = default;
};

inline void PrintTo(const WireText& event, std::ostream* out) {
  *out << event.name << ": " << event.data;
}

class WireLog final : public chat::WireSink {
 public:
  void event(const chat::WireEvent& event) override {
    events.push_back({std::string(event.name), std::string(event.data), event.exception});
  }
  std::vector<WireText> events;
};

// Sends what passes to two sinks.
class Tee final : public chat::EventSink {
 public:
  Tee(chat::EventSink& a, chat::EventSink& b) : a_(a), b_(b) {}
  void event(const chat::StreamEvent& event) override {
    a_.event(event);
    b_.event(event);
  }

 private:
  chat::EventSink& a_;
  chat::EventSink& b_;
};

class Feed final : public chat::EventSink {
 public:
  Feed(StreamWriter& writer, chat::WireSink& wire) : writer_(writer), wire_(wire) {}
  void event(const chat::StreamEvent& event) override { writer_.write(event, wire_); }

 private:
  StreamWriter& writer_;
  chat::WireSink& wire_;
};

// Everything calls of one codec need; what they return lives as long as this.
class World {
 public:
  explicit World(const Codec& codec) : codec_(codec) {}

  ReadContext client() { return {.parser = parser, .arena = arena, .minter = chat::native_minter(codec_.dialect)}; }
  ReadContext provider() {
    return {.parser = parser,
            .arena = arena,
            .minter = chat::native_minter(codec_.dialect),
            .model = "remote-model",
            .id_seed = "req-1",
            .format_tool = format_tool};
  }
  WriteContext write_context() { return {.parser = parser, .arena = arena, .warnings = warnings}; }
  AnswerContext answer_context() {
    return {.parser = parser,
            .arena = arena,
            .request_id = "req-0123abc",
            .model = "alias",
            .now = 1'760'000'000,
            .request = &request};
  }

  Outcome<void> read_request(std::string_view body) {
    request = {};
    return codec_.read_request(arena.copy(body), client(), request);
  }
  // The body, or "error: param: message".
  std::string write_request(const chat::Target& target) {
    std::string out;
    WriteContext context = write_context();
    const auto written = codec_.write_request(request, target, context, out);
    if (!written) {
      return "error: " + std::string(written.error().param) + ": " + std::string(written.error().message);
    }
    return out;
  }
  Outcome<chat::Answer> read_answer(std::string_view body) {
    chat::Answer answer;
    TRY_VOID(codec_.read_answer(arena.copy(body), provider(), answer));
    return answer;
  }
  std::string write_answer(const chat::Answer& answer) {
    std::string out;
    codec_.write_answer(answer, answer_context(), out);
    return out;
  }

  struct Streamed {
    chat::Answer answer;
    std::optional<chat::ClientError> error;
    std::vector<WireText> wire;  // as this codec writes it again
  };
  // The events read, made legal and collected; and written again.
  Streamed stream(const std::vector<WireText>& events) {
    const auto reader = codec_.make_stream_reader(provider());
    const auto writer = codec_.make_stream_writer(answer_context());
    WireLog wire;
    Feed feed(*writer, wire);
    chat::Collector collector(arena);
    Tee tee(collector, feed);
    chat::Sequencer sequencer(tee);
    for (const WireText& event : events) {
      reader->read({.name = event.name, .data = event.data, .exception = event.exception}, sequencer);
    }
    reader->transport_ended(sequencer);
    sequencer.transport_ended();
    return {collector.error() ? chat::Answer{} : collector.answer(), collector.error(), wire.events};
  }
  std::vector<WireText> explode(const chat::Answer& answer) {
    const auto writer = codec_.make_stream_writer(answer_context());
    WireLog wire;
    Feed feed(*writer, wire);
    chat::Sequencer sequencer(feed);
    chat::explode(answer, sequencer);
    return wire.events;
  }

  std::vector<std::string> warned() const {
    std::vector<std::string> list;
    for (const chat::Warning& warning : warnings.list()) {
      list.push_back(std::string(chat::to_string(warning.kind)) + " " + std::string(warning.field));
    }
    return list;
  }

  json::Parser parser;
  base::Arena arena;
  chat::Warnings warnings{arena};
  chat::Request request;
  std::string_view format_tool = {};  // as the request was written

 private:
  const Codec& codec_;
};

// One recorded exchange.
struct Case {
  std::string id;
  std::string endpoint;
  std::string provenance;
  std::string model;
  int status = 200;
  bool streaming = false;
  std::string request;  // empty if none was recorded
  std::string response;
  std::string events;  // AWS frames, decoded: a JSON object a line
  std::string expected;
};

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::filesystem::path cases_folder() {
  const char* const set = std::getenv("LLMGW_CASES");
  return set != nullptr ? std::filesystem::path(set) : std::filesystem::path("../shared/cases");
}

// The recorded exchanges of a dialect, in the collection's words for it; none if there is no collection.
inline std::vector<Case> recorded_cases(std::string_view dialect) {
  std::vector<Case> cases;
  const std::string index = read_file(cases_folder() / "index.json");
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, index, arena);
  if (!root) return cases;
  for (const json::Value entry : (*root)["cases"].elements()) {
    if (!entry["dialect"].equals(dialect)) continue;
    const std::filesystem::path folder = cases_folder() / std::string(entry["dir"].string(arena));
    Case one;
    one.id = entry["id"].string(arena);
    one.endpoint = entry["endpoint"].string(arena);
    one.provenance = entry["provenance"].string(arena);
    one.model = entry["model"].string(arena);
    one.status = static_cast<int>(entry["status"].integer().value_or(200));
    one.streaming = entry["streaming"].is_true();
    one.request = read_file(folder / "request.json");
    one.response = read_file(folder / std::string(entry["response_file"].string(arena)));
    one.events = read_file(folder / "response.events.jsonl");
    one.expected = read_file(folder / "expected.json");
    cases.push_back(std::move(one));
  }
  return cases;
}

// The events of a text/event-stream with LF ends of lines and one data line an event, which recordings have.
inline std::vector<WireText> sse_events(std::string_view text) {
  std::vector<WireText> events;
  WireText event;
  const auto flush = [&] {
    if (!event.data.empty()) events.push_back(event);
    event = {};
  };
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) flush();
    if (line.starts_with("event: ")) event.name = line.substr(7);
    if (line.starts_with("data: ")) event.data = line.substr(6);
  }
  flush();
  return events;
}

// The collection's own reading of an answer, without what it does not say (`like` fills that).
inline Reading expected_reading(std::string_view expected, const Reading& like) {
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, expected, arena);
  Reading reading = like;
  if (!root) return reading;
  reading.text = (*root)["text"].string(arena);
  reading.reasoning = (*root)["reasoning_text"].string(arena);
  reading.citations = (*root)["citations"].unsigned_integer().value_or(0);
  reading.calls.clear();
  for (const json::Value call : (*root)["tool_calls"].elements()) {
    std::string arguments;
    append_canonical(arguments, call["args"], arena);
    reading.calls.push_back(std::string(call["id"].string(arena)) + " " + std::string(call["name"].string(arena)) +
                            " " + arguments);
  }
  static const std::map<std::string, std::string, std::less<>> kFinish{
      {"stop", "stop"},   {"length", "length"},        {"tool_calls", "tool"}, {"content_filter", "refusal"},
      {"pause", "pause"}, {"error", "malformed_tool"}, {"", "unknown"}};
  const std::string finish(((*root)["finish"]["canonical"]).string(arena));
  reading.finish = kFinish.at(finish);
  if (reading.finish == "refusal" && like.finish == "filter") reading.finish = "filter";
  const json::Value usage = (*root)["usage"];
  const auto take = [&usage](const char* name, std::optional<uint64_t>& count) {
    // The collection has zero for what was not said.
    const auto value = usage[name].unsigned_integer();
    if (value && (*value != 0 || count)) count = value;
  };
  take("input_uncached", reading.usage.input);
  take("input_cached", reading.usage.cache_read);
  take("input_cache_write", reading.usage.cache_write);
  take("output_total", reading.usage.output);
  take("output_reasoning", reading.usage.reasoning);
  return reading;
}

}  // namespace llmgw::dialects::testing_support
