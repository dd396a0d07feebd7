// One provider's stream as each of the six clients gets it. The first byte says what the clients asked for; then one
// event a line, as in codec_input.h. The stream is read once and written six times, so every input tries every pair of
// this reader. Whatever comes, each client's stream keeps its dialect's order, ends, and can be read again.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "codec_input.h"
#include "wire_grammar.h"

namespace llmgw::fuzz {

// What the clients asked, as far as streams depend on it.
inline chat::Request request_of(uint8_t choice) {
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

inline std::string text_of(const chat::Answer& answer) {
  std::string text;
  if (answer.choices.empty()) return text;
  for (const chat::Part& part : answer.choices.front().parts) {
    if (part.kind == chat::PartKind::text) text += part.text;
  }
  return text;
}

// One client: its writer, what it wrote, and the judge of its order.
class PairClient final : public chat::WireSink {
 public:
  PairClient(const dialects::Codec& codec, const chat::Request& request, json::Parser& parser, base::Arena& arena)
      : codec_(codec), request_(request), arena_(arena), grammar_(grammar_of(codec.dialect)) {
    request_.from = codec.dialect;
    writer_ = codec.make_stream_writer(
        {.parser = parser,
         .arena = arena,
         .request_id = "req1",
         .model = "alias",
         .request = &request_,
         .framing = codec.dialect == chat::Dialect::bedrock ? chat::Framing::event_stream : chat::Framing::sse});
  }
  PairClient(const PairClient&) = delete;
  PairClient& operator=(const PairClient&) = delete;

  void write(const chat::StreamEvent& event) {
    // Before the first byte it is an HTTP error.
    if (event.kind == chat::EventKind::error && names_.empty()) return;
    writer_->write(event, *this);
  }
  void event(const chat::WireEvent& event) override {
    grammar_->take(event);
    names_.emplace_back(event.name);
    data_.emplace_back(event.data);
  }

  // The provider's stream has ended without an error.
  void finish(const dialects::ReadContext& reading, const chat::Collector& said) {
    grammar_->finish();
    const auto reader = codec_.make_stream_reader(reading);
    chat::Collector collector(arena_);
    chat::Sequencer sequencer(collector);
    for (size_t i = 0; i < data_.size(); ++i) reader->read({.name = names_[i], .data = data_[i]}, sequencer);
    reader->transport_ended(sequencer);
    sequencer.transport_ended();
    require(!sequencer.failed(), "the client's stream can be read");
    const std::string text = text_of(said.answer());
    if (text.empty() || said.error() || collector.error()) return;
    require(text_of(collector.answer()).find(text) != std::string::npos || codec_.dialect == chat::Dialect::openai_chat,
            "the client's stream says the same");
  }

 private:
  const dialects::Codec& codec_;
  chat::Request request_;
  base::Arena& arena_;
  std::unique_ptr<WireGrammar> grammar_;
  std::unique_ptr<dialects::StreamWriter> writer_;
  std::vector<std::string> names_;
  std::vector<std::string> data_;
};

// The reader's events: into memory, and to all six clients.
class PairClients final : public chat::EventSink {
 public:
  PairClients(const chat::Request& request, std::array<json::Parser, dialects::kCodecDialects.size()>& parsers,
              base::Arena& arena)
      : said_(arena) {
    for (size_t i = 0; i < dialects::kCodecDialects.size(); ++i) {
      clients_.at(i).emplace(*dialects::find_codec(dialects::kCodecDialects.at(i)), request, parsers.at(i), arena);
    }
  }

  void event(const chat::StreamEvent& event) override {
    failed_ = failed_ || event.kind == chat::EventKind::error;
    said_.event(event);
    for (auto& client : clients_) client->write(event);
  }
  void finish(const dialects::ReadContext& reading) {
    if (failed_) return;
    for (auto& client : clients_) client->finish(reading, said_);
  }

 private:
  chat::Collector said_;
  bool failed_ = false;
  std::array<std::optional<PairClient>, dialects::kCodecDialects.size()> clients_;
};

inline int run_pairs(chat::Dialect provider, const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::vector<char> bytes(data, data + size);
  // A parser's buffers outlive an input: making them anew would be most of the work.
  static json::Parser parser;
  static std::array<json::Parser, dialects::kCodecDialects.size()> writer_parsers;
  base::Arena arena;
  const dialects::ReadContext reading{.parser = parser,
                                      .arena = arena,
                                      .minter = chat::native_minter(provider),
                                      .model = "model",
                                      .id_seed = "seed",
                                      .format_tool = chat::kFormatToolName};
  const auto reader = dialects::find_codec(provider)->make_stream_reader(reading);
  PairClients clients(request_of(data[0]), writer_parsers, arena);
  chat::Sequencer sequencer(clients);
  read_lines(std::string_view(bytes.data(), bytes.size()).substr(1), *reader, sequencer);
  require(sequencer.over(), "every stream ends");
  clients.finish(reading);
  return 0;
}

}  // namespace llmgw::fuzz
