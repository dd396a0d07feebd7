#include <string>
#include <utility>
#include <vector>

#include "dialects/error.h"
#include "dialects/gemini/answer_json.h"
#include "dialects/gemini/envelope.h"
#include "dialects/gemini/error.h"
#include "dialects/gemini/functions.h"

namespace llmgw::dialects::gemini {
namespace {

using chat::EventKind;
using chat::Part;
using chat::PartKind;
using chat::StreamEvent;

// Texts go out as they come; calls and opaque parts when they are whole; signatures of texts on an empty text behind
// them, as Gemini itself does: the last chunk's, if nothing follows. That one has finish reasons, sources and usage.
class Writer final : public StreamWriter {
 public:
  explicit Writer(const AnswerContext& context)
      : context_{.parser = parser_,
                 .arena = arena_,
                 .request_id = context.request_id,
                 .model = context.model,
                 .now = context.now,
                 .started_ms = context.started_ms,
                 .request = context.request,
                 .framing = context.framing,
                 .enum_numbers = context.enum_numbers},
        style_(context_) {}

  void write(const StreamEvent& event, chat::WireSink& sink) override {
    arena_.reset();
    sink_ = &sink;
    switch (event.kind) {
      case EventKind::start: start(*event.answer); break;
      case EventKind::part_start: start_part(state_of(event.choice), *event.head); break;
      case EventKind::delta: delta(state_of(event.choice), event); break;
      case EventKind::signature: state_of(event.choice).signature = signature_of(*event.head, style_); break;
      case EventKind::citations: cite(state_of(event.choice), event); break;
      case EventKind::part_stop: stop_part(state_of(event.choice)); break;
      case EventKind::usage: usage_ = event.answer->usage; break;
      case EventKind::finish: finish(state_of(event.choice), event.answer->choices.front()); break;
      case EventKind::end: end(); break;
      case EventKind::error: error(*event.error); break;
      case EventKind::keep_alive: break;
    }
  }

 private:
  struct State {
    uint32_t index = 0;
    PartKind kind = PartKind::text;
    chat::Dialect origin = chat::Dialect::gemini;
    bool custom = false;
    std::string id;
    std::string name;
    std::string text;  // of parts that are written whole
    std::string signature;
    std::string held_signature;  // of the text before, for the next empty text
    SaidText said;               // text that is shown
    Citations citations;
    bool refused = false;
    std::string native_finish;
    std::string explanation;
    chat::Choice choice;
  };

  State& state_of(uint32_t index) {
    for (State& state : states_)
      if (state.index == index) return state;
    State& state = states_.emplace_back();
    state.index = index;
    return state;
  }

  void start(const chat::Answer& answer) {
    id_ = response_id(answer.id, context_.request_id);
    created_ = answer.created;
    usage_ = answer.usage;
  }

  static bool streams(PartKind kind) {
    return kind == PartKind::text || kind == PartKind::thinking || kind == PartKind::refusal;
  }

  // The signature of a text that is over, where more comes behind it.
  void flush_signature(State& state) {
    if (state.held_signature.empty()) return;
    state.signature = std::move(state.held_signature);
    state.held_signature.clear();
    chunk(state, {.kind = PartKind::text}, {});
    state.signature.clear();
  }

  void start_part(State& state, const Part& head) {
    flush_signature(state);
    state.kind = head.kind;
    state.origin = head.origin;
    state.custom = head.custom;
    state.id = head.id;
    state.name = head.name;
    state.signature.clear();
    state.text.clear();
    state.refused |= head.kind == PartKind::refusal;
    state.said.start_part();
    if (head.kind == PartKind::opaque) state.text = head.text;
    if (head.media != nullptr) chunk(state, head, {});
  }

  void delta(State& state, const StreamEvent& event) {
    if (!streams(state.kind)) {
      state.text += event.text;
      return;
    }
    if (event.text.empty() && event.logprobs.empty()) return;
    if (is_shown(state.kind)) state.said.add(event.text);
    const Part part{.kind = state.kind, .text = event.text};
    chunk(state, part, event.logprobs);
  }

  void stop_part(State& state) {
    Part part{.kind = state.kind};
    part.origin = state.origin;
    part.custom = state.custom;
    part.id = state.id;
    part.name = state.name;
    part.text = state.text;
    if (state.kind == PartKind::thinking) {
      if (!state.signature.empty()) chunk(state, part, {});
    } else if (streams(state.kind)) {
      state.held_signature = state.signature;
    } else if (state.kind == PartKind::tool_call || state.kind == PartKind::opaque) {
      chunk(state, part, {});
    }
    state.signature.clear();
    state.text.clear();
  }

  // A chunk with one part, or none.
  void chunk(State& state, const Part& part, std::string_view logprobs) {
    if (part.kind == PartKind::opaque && !is_gemini(part.origin)) return;
    const std::string_view signature = part.text.empty() || !streams(part.kind) ? state.signature : std::string_view();
    out_.clear();
    json::Writer w(out_);
    w.begin_object().key("candidates").begin_array().begin_object();
    w.key("content").begin_object().key("parts").begin_array();
    if (!write_part(w, part, signature, style_)) return;
    w.end_array().member("role", "model").end_object();
    w.member("index", state.index);
    write_logprobs(w, logprobs, context_.parser, context_.arena);
    w.end_object().end_array();
    send(w);
  }

  void cite(State& state, const StreamEvent& event) {
    state.citations.add(event.text, event.head->origin, state.said, context_.parser, context_.arena);
  }

  static void finish(State& state, const chat::Choice& said) {
    state.choice = said;
    state.native_finish = said.native_finish;
    state.explanation = said.explanation;
    state.choice.native_finish = state.native_finish;
    state.choice.explanation = state.explanation;
  }

  void end() {
    out_.clear();
    json::Writer w(out_);
    w.begin_object();
    if (states_.size() == 1 && is_blocked_prompt(states_.front().choice)) {
      write_prompt_feedback(w, states_.front().choice, style_);
    } else {
      w.key("candidates").begin_array();
      for (State& state : states_) write_last(w, state);
      w.end_array();
    }
    write_usage(w, usage_);
    send(w);
  }

  void write_last(json::Writer& w, State& state) {
    // The views were of the event; a vector that grew may have moved the texts.
    state.choice.native_finish = state.native_finish;
    state.choice.explanation = state.explanation;
    w.begin_object().key("content").begin_object();
    // Old SDKs want a part in every chunk.
    w.key("parts").begin_array().begin_object().member("text", "");
    if (!state.held_signature.empty()) w.member("thoughtSignature", state.held_signature);
    w.end_object().end_array().member("role", "model").end_object();
    write_finish_members(w, state.choice, state.refused, style_);
    w.member("index", state.index);
    state.citations.write(w, style_.service, context_.parser, context_.arena);
    w.end_object();
  }

  void send(json::Writer& w) {
    write_names(w, id_, created_, style_);
    w.end_object();
    sink_->event({.name = {}, .data = out_});
  }

  // The data of the event that write_stream_error makes, without its framing.
  void error(const chat::ClientError& error) {
    const std::string framed = gemini::write_stream_error(style_.service, chat::Framing::sse, error);
    constexpr std::string_view kField = "data: ";
    constexpr std::string_view kEnd = "\r\n\r\n";
    std::string_view data = framed;
    if (data.starts_with(kField)) data.remove_prefix(kField.size());
    if (data.ends_with(kEnd)) data.remove_suffix(kEnd.size());
    sink_->event({.name = {}, .data = data});
  }

  json::Parser parser_;  // its own: the reader in front holds the other one's document
  base::Arena arena_;    // of the event at hand
  AnswerContext context_;
  AnswerStyle style_;
  chat::WireSink* sink_ = nullptr;
  std::string out_;
  std::string id_;
  int64_t created_ = 0;
  chat::Usage usage_;
  std::vector<State> states_;
};

}  // namespace

std::unique_ptr<StreamWriter> make_stream_writer(const AnswerContext& context) {
  return std::make_unique<Writer>(context);
}

}  // namespace llmgw::dialects::gemini
