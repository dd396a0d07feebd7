#include <optional>

#include "dialects/cohere/citations.h"
#include "dialects/cohere/error.h"
#include "dialects/cohere/functions.h"
#include "dialects/cohere/words.h"

namespace llmgw::dialects::cohere {
namespace {

using chat::EventKind;
using chat::Part;
using chat::PartKind;
using chat::StreamEvent;
using chat::WireSink;

class CohereStreamWriter final : public StreamWriter {
 public:
  explicit CohereStreamWriter(const AnswerContext& context) : context_(context) {}

  void write(const StreamEvent& event, WireSink& sink) override {
    if (over_) return;
    // Cohere answers once a call: there is no place for a second choice.
    if (event.choice != 0) return;
    switch (event.kind) {
      case EventKind::start: return start(*event.answer, sink);
      case EventKind::part_start: return start_part(*event.head, sink);
      case EventKind::delta: return delta(event, sink);
      case EventKind::signature: return signature(*event.head, sink);
      case EventKind::citations: return citations(event, sink);
      case EventKind::part_stop: return stop_part(sink);
      case EventKind::finish: finish_word_ = finish_word(event.answer->choices[0]); return;
      case EventKind::usage: usage_ = event.answer->usage; return;
      case EventKind::end: return end(sink);
      case EventKind::error: return error(*event.error, sink);
      case EventKind::keep_alive: return;
    }
  }

 private:
  enum class Open : uint8_t { nothing, content, call };

  // Its own: the reader in front holds the other one's document.
  json::Parser& parser() {
    if (!parser_) parser_.emplace();
    return *parser_;
  }

  json::Writer begin(std::string_view type) {
    buffer_.clear();
    json::Writer w(buffer_);
    w.begin_object().member("type", type);
    type_ = type;
    return w;
  }
  void send(json::Writer& w, WireSink& sink) {
    w.end_object();
    sink.event({.name = type_, .data = buffer_});
  }

  void start(const chat::Answer& answer, WireSink& sink) {
    json::Writer w = begin("message-start");
    w.member("id", answer_id(answer.id, context_.request_id)).key("delta").begin_object();
    w.key("message").begin_object().member("role", "assistant").key("content").begin_array().end_array();
    w.member("tool_plan", "").key("tool_calls").begin_array().end_array();
    w.key("citations").begin_array().end_array().end_object().end_object();
    send(w, sink);
  }

  // {"type", "index", "delta":{"message":{<member>: ...}}}
  json::Writer begin_delta(std::string_view type, uint32_t index, std::string_view member) {
    json::Writer w = begin(type);
    w.member("index", index).key("delta").begin_object().key("message").begin_object().key(member);
    return w;
  }
  void send_delta(json::Writer& w, WireSink& sink) {
    w.end_object().end_object();
    send(w, sink);
  }

  void start_part(const Part& head, WireSink& sink) {
    thinking_ = head.kind == PartKind::thinking;
    any_arguments_ = false;
    if (head.kind == PartKind::tool_call) {
      open_ = Open::call;
      json::Writer w = begin_delta("tool-call-start", calls_, "tool_calls");
      w.begin_object().member("id", head.id).member("type", "function").key("function").begin_object();
      w.member("name", head.name).member("arguments", "").end_object().end_object();
      return send_delta(w, sink);
    }
    // Pictures, sound and what only another provider understands have no place here.
    if (head.kind != PartKind::text && head.kind != PartKind::refusal && !thinking_) return;
    open_ = Open::content;
    said_.start_part();
    json::Writer w = begin_delta("content-start", contents_, "content");
    w.begin_object().member("type", thinking_ ? "thinking" : "text").member(thinking_ ? "thinking" : "text", "");
    w.end_object();
    send_delta(w, sink);
  }

  void delta(const StreamEvent& event, WireSink& sink) {
    if (open_ == Open::call) return arguments(event.text, sink);
    if (open_ != Open::content) return;
    if (!thinking_) said_.add(event.text);
    json::Writer w = begin_delta("content-delta", contents_, "content");
    w.begin_object().member(thinking_ ? "thinking" : "text", event.text).end_object();
    w.end_object().end_object();
    if (!event.logprobs.empty()) logprobs(w, event.logprobs);
    send(w, sink);
  }

  // An event has one item: the tokens of a delta are one.
  void logprobs(json::Writer& w, std::string_view list) {
    scratch_.reset();
    const auto root = json::parse_tree(parser(), list, scratch_);
    if (!root) return;
    std::string text;
    for (const json::Value token : root->elements()) text += token["token"].string(scratch_);
    w.key("logprobs").begin_object().member("text", text).key("token_ids").begin_array().end_array();
    w.key("logprobs").begin_array();
    for (const json::Value token : root->elements()) {
      if (token["logprob"].is_number()) w.raw(token["logprob"].raw());
    }
    w.end_array().end_object();
  }

  void arguments(std::string_view text, WireSink& sink) {
    if (text.empty()) return;
    any_arguments_ = true;
    json::Writer w = begin_delta("tool-call-delta", calls_, "tool_calls");
    w.begin_object().key("function").begin_object().member("arguments", text).end_object().end_object();
    send_delta(w, sink);
  }

  void signature(const Part& head, WireSink& sink) {
    if (open_ == Open::nothing) return;
    const bool call = open_ == Open::call;
    json::Writer w = begin_delta(call ? "tool-call-delta" : "content-delta", call ? calls_ : contents_,
                                 call ? "tool_calls" : "content");
    w.begin_object();
    if (call) {
      w.key("function").begin_object().member("arguments", "").end_object();
    } else {
      w.member(thinking_ ? "thinking" : "text", "");
    }
    write_signature(w, head, context_.arena);
    w.end_object();
    send_delta(w, sink);
  }

  void citations(const StreamEvent& event, WireSink& sink) {
    base::Arena arena;
    const std::string elements =
        citations_from(event.text, event.head->origin, said_, context_.cited(), parser(), arena);
    const std::string list = "[" + elements + "]";
    scratch_.reset();
    const auto root = json::parse_tree(parser(), list, scratch_);
    if (!root) return;
    for (const json::Value citation : root->elements()) {
      json::Writer start = begin_delta("citation-start", citations_, "citations");
      start.raw(citation.raw());
      send_delta(start, sink);
      json::Writer end = begin("citation-end");
      end.member("index", citations_++);
      send(end, sink);
    }
  }

  void stop_part(WireSink& sink) {
    if (open_ == Open::nothing) return;
    const bool call = open_ == Open::call;
    // Arguments must be JSON, also where there are none.
    if (call && !any_arguments_) arguments("{}", sink);
    json::Writer w = begin(call ? "tool-call-end" : "content-end");
    w.member("index", call ? calls_++ : contents_++);
    send(w, sink);
    open_ = Open::nothing;
  }

  void end(WireSink& sink) {
    json::Writer w = begin("message-end");
    w.key("delta").begin_object().member("finish_reason", finish_word_);
    if (usage_.known()) {
      w.key("usage");
      write_usage(w, usage_);
    }
    w.end_object();
    send(w, sink);
    over_ = true;
  }

  void error(const chat::ClientError& error, WireSink& sink) {
    buffer_.clear();
    json::Writer w(buffer_);
    write_last_event(w, error);
    sink.event({.name = "message-end", .data = buffer_});
    over_ = true;
  }

  AnswerContext context_;
  std::optional<json::Parser> parser_;
  base::Arena scratch_;
  std::string buffer_;
  std::string_view type_;
  std::string_view finish_word_ = "COMPLETE";
  chat::Usage usage_;
  Open open_ = Open::nothing;
  bool thinking_ = false;
  bool any_arguments_ = false;
  bool over_ = false;
  uint32_t contents_ = 0;
  uint32_t calls_ = 0;
  uint32_t citations_ = 0;
  SaidText said_;  // visible text
};

}  // namespace

std::unique_ptr<StreamWriter> make_stream_writer(const AnswerContext& context) {
  return std::make_unique<CohereStreamWriter>(context);
}

}  // namespace llmgw::dialects::cohere
