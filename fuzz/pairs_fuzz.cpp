// links: dialects chat json base
// A provider's stream in any of six dialects becomes a client's in any of six. The first byte chooses the pair ('A' and
// up: provider * 6 + client), the second what the client asked for; then one event a line ("name data", or "!name data"
// for an exception). Whatever comes, the client's stream keeps its dialect's order, ends, and can be read again.
#include <array>
#include <cstdint>

#include "codec_input.h"
#include "wire_grammar.h"

using namespace llmgw;

namespace {

using chat::Dialect;

constexpr std::array kDialects{Dialect::openai_chat, Dialect::openai_responses, Dialect::anthropic,
                               Dialect::gemini,      Dialect::bedrock,          Dialect::cohere};

// Both into the client's events and into memory.
class Client final : public chat::EventSink, public chat::WireSink {
 public:
  Client(dialects::StreamWriter& writer, fuzz::WireGrammar& grammar, base::Arena& arena)
      : said(arena), writer_(writer), grammar_(grammar) {}

  void event(const chat::StreamEvent& event) override {
    failed = failed || event.kind == chat::EventKind::error;
    said.event(event);
    // Before the first byte it is an HTTP error.
    if (event.kind == chat::EventKind::error && names.empty()) return;
    writer_.write(event, *this);
  }
  void event(const chat::WireEvent& event) override {
    grammar_.take(event);
    names.emplace_back(event.name);
    data.emplace_back(event.data);
  }

  chat::Collector said;
  std::vector<std::string> names;
  std::vector<std::string> data;
  bool failed = false;

 private:
  dialects::StreamWriter& writer_;
  fuzz::WireGrammar& grammar_;
};

std::string text_of(const chat::Answer& answer) {
  std::string text;
  if (answer.choices.empty()) return text;
  for (const chat::Part& part : answer.choices.front().parts) {
    if (part.kind == chat::PartKind::text) text += part.text;
  }
  return text;
}

// What the client asked, as far as streams depend on it.
chat::Request request_of(uint8_t choice) {
  chat::Request request;
  request.stream = true;
  request.include_usage = (choice & 1) == 0;
  request.legacy_functions = (choice & 2) != 0;
  request.reasoning.visible = (choice & 4) != 0;
  if ((choice & 8) != 0) {
    request.format = {.kind = chat::FormatKind::json_schema, .name = "x", .schema = R"({"type":"object"})"};
  }
  return request;
}

void run(std::string_view input) {
  if (input.size() < 2) return;
  const auto pair = static_cast<size_t>(static_cast<unsigned char>(input[0])) - 'A';
  const dialects::Codec& provider = *dialects::find_codec(kDialects[pair / kDialects.size() % kDialects.size()]);
  const dialects::Codec& client = *dialects::find_codec(kDialects[pair % kDialects.size()]);
  json::Parser parser;
  json::Parser writer_parser;
  base::Arena arena;
  chat::Request request = request_of(static_cast<uint8_t>(input[1]));
  request.from = client.dialect;
  const dialects::ReadContext reading{.parser = parser,
                                      .arena = arena,
                                      .minter = chat::native_minter(provider.dialect),
                                      .model = "model",
                                      .id_seed = "seed"};
  const dialects::AnswerContext writing{
      .parser = writer_parser,
      .arena = arena,
      .request_id = "req1",
      .model = "alias",
      .request = &request,
      .framing = client.dialect == Dialect::bedrock ? chat::Framing::event_stream : chat::Framing::sse};
  const auto reader = provider.make_stream_reader(reading);
  const auto writer = client.make_stream_writer(writing);
  const auto grammar = fuzz::grammar_of(client.dialect);
  Client events(*writer, *grammar, arena);
  chat::Sequencer sequencer(events);
  fuzz::read_lines(input.substr(2), *reader, sequencer);
  fuzz::require(sequencer.over(), "every stream ends");
  if (events.failed) return;
  grammar->finish();

  const auto again = client.make_stream_reader(reading);
  chat::Collector collector(arena);
  chat::Sequencer check(collector);
  for (size_t i = 0; i < events.data.size(); ++i) again->read({.name = events.names[i], .data = events.data[i]}, check);
  again->transport_ended(check);
  check.transport_ended();
  fuzz::require(!check.failed(), "the client's stream can be read");
  const std::string said = text_of(events.said.answer());
  const std::string heard = text_of(collector.answer());
  if (said.empty() || events.said.error() || collector.error()) return;
  fuzz::require(heard.find(said) != std::string::npos || client.dialect == Dialect::openai_chat,
                "the client's stream says the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<char> bytes(data, data + size);
  run({bytes.data(), bytes.size()});
  return 0;
}
