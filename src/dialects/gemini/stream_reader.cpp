#include <optional>
#include <string>
#include <vector>

#include "chat/turns.h"
#include "dialects/gemini/envelope.h"
#include "dialects/gemini/error_body.h"
#include "dialects/gemini/functions.h"
#include "dialects/gemini/partial_args.h"
#include "dialects/gemini/parts.h"

namespace llmgw::dialects::gemini {
namespace {

using chat::EventKind;
using chat::Part;
using chat::PartKind;
using json::Value;

constexpr size_t kCandidatesMax = 128;  // as a Sequencer's choices

// Every chunk is a whole GenerateContentResponse with more of the content. Texts of one kind in a row are one part;
// what is signed is a part of its own; calls come whole (or in partialArgs). Nothing says that the stream is over.
class Reader final : public StreamReader {
 public:
  explicit Reader(const ReadContext& context)
      : minter_(context.minter),
        model_(context.model),
        id_seed_(context.id_seed),
        format_tool_(context.format_tool),
        service_(context.minter == chat::Minter::vertex ? Service::vertex : Service::ai_studio),
        context_{.parser = parser_,
                 .arena = arena_,
                 .minter = minter_,
                 .model = model_,
                 .id_seed = id_seed_,
                 .format_tool = format_tool_},
        parts_{.context = context_,
               .origin = service_ == Service::vertex ? chat::Dialect::vertex : chat::Dialect::gemini} {}

  void read(const chat::WireEvent& event, chat::EventSink& sink) override {
    arena_.reset();
    sink_ = &sink;
    const auto root = json::parse_tree(context_.parser, event.data, arena_);
    const Value object = root && root->is_array() ? root->first_element() : root ? *root : Value();
    if (!object.is_object()) return fail("The provider's stream has an event that is no JSON.");
    const Envelope envelope = envelope_of(object, arena_);
    if (envelope.error.is_object() || envelope.error.is_string()) {
      const chat::ClientError error = read_error_value(envelope.error, arena_);
      failed_ = true;
      sink.event({.kind = EventKind::error, .error = &error});
      return;
    }
    counts_.merge(envelope.usage);
    start(envelope);
    for (const Value candidate : envelope.candidates.elements()) read_candidate(candidate);
    if (envelope.usage.is_object()) {
      chat::Answer answer;
      answer.usage = counts_.usage();
      if (answer.usage.known()) sink.event({.kind = EventKind::usage, .answer = &answer});
    }
    if (is_blocked(envelope.prompt_feedback, service_, arena_)) {
      chat::Choice blocked = blocked_choice(envelope.prompt_feedback, service_, arena_);
      finish(blocked);
    }
  }

  void transport_ended(chat::EventSink& sink) override {
    arena_.reset();
    sink_ = &sink;
    for (State& state : states_) close(state);
    if (finished_ && !failed_) sink.event({.kind = EventKind::end});
  }

 private:
  struct State {
    uint32_t index = 0;
    uint32_t part = 0;  // number of the open part, or of the next one
    bool open = false;
    PartKind kind = PartKind::text;
    bool said = false;                     // there has been some text
    bool ended = false;                    // the open part is whole: kept open for citations, nothing else
    std::optional<PartialArgs> call = {};  // arguments that come in pieces
  };

  void fail(std::string_view message) {
    const chat::ClientError error{.kind = chat::ErrorKind::upstream_failed, .message = message};
    failed_ = true;
    sink_->event({.kind = EventKind::error, .error = &error});
  }

  void start(const Envelope& envelope) {
    if (started_) return;
    started_ = true;
    chat::Answer answer;
    answer.id = envelope.id.string(arena_);
    answer.model = envelope.model.string(arena_);
    answer.created = read_time(envelope.create_time.string(arena_));
    answer.usage = counts_.usage();
    sink_->event({.kind = EventKind::start, .answer = &answer});
  }

  State* state_of(uint32_t index) {
    for (State& state : states_)
      if (state.index == index) return &state;
    if (states_.size() == kCandidatesMax) return nullptr;
    return &states_.emplace_back(State{.index = index});
  }

  void read_candidate(Value value) {
    const CandidateMembers candidate = candidate_of(value, arena_);
    State* const state = state_of(static_cast<uint32_t>(candidate.index.unsigned_integer().value_or(0)));
    if (state == nullptr) return fail("The provider's stream has too many candidates.");
    std::string_view citations = read_citations(candidate, arena_);
    size_t texts = citations.empty() ? 0 : text_count(candidate.parts());
    // Behind the text of their own chunk, in front of what ends it.
    if (!citations.empty() && texts == 0 && is_text(*state)) send_citations(*state, citations);
    for (const Value element : candidate.parts().elements()) {
      read_part(*state, element);
      if (!is_text_part(element) || citations.empty()) continue;
      if (--texts == 0 && is_text(*state)) send_citations(*state, citations);
    }
    if (!citations.empty()) cite_what_was_said(*state, citations);
    const std::string_view logprobs = read_logprobs(candidate.logprobs, arena_);
    if (!logprobs.empty() && is_text(*state))
      sink_->event({.kind = EventKind::delta, .choice = state->index, .part = state->part, .logprobs = logprobs});
    chat::Choice choice{.index = state->index};
    if (!read_finish(candidate, service_, arena_, choice)) return;
    if (state->call) close(*state);
    finish(choice);
  }

  void finish(chat::Choice& choice) {
    chat::Answer answer;
    answer.choices = chat::List<chat::Choice>::of(&choice, 1);
    finished_ = true;
    sink_->event({.kind = EventKind::finish, .choice = choice.index, .answer = &answer});
  }

  static bool is_text(const State& state) { return state.open && state.kind == PartKind::text && !state.call; }

  static bool is_text_part(Value element) {
    return !element["thought"].is_true() && element["text"].is_string() && !element["text"].escaped().empty();
  }
  static size_t text_count(Value parts) {
    size_t count = 0;
    for (const Value element : parts.elements()) count += is_text_part(element) ? 1 : 0;
    return count;
  }

  void send_citations(const State& state, std::string_view& citations) {
    const Part head{.kind = PartKind::text, .origin = parts_.origin};
    sink_->event(
        {.kind = EventKind::citations, .choice = state.index, .part = state.part, .text = citations, .head = &head});
    citations = {};
  }

  // The last chunk has them, when the text may be over: calls have come since, or its part ended with a signature.
  void cite_what_was_said(State& state, std::string_view& citations) {
    if (is_text(state)) return send_citations(state, citations);
    if (!state.said || state.call) return;
    open(state, {.kind = PartKind::text});
    send_citations(state, citations);
    close(state);
  }

  void read_part(State& state, Value element) {
    const Value call = element.any_of("functionCall", "function_call");
    if (call.is_object() && (state.call || is_partial(call))) return read_partial(state, element, call);
    bool skip = false;
    Part part = parts_.read(element, skip);
    if (skip) return;
    const bool text = part.kind == PartKind::text || part.kind == PartKind::thinking;
    if (text && !part.has_signature()) {
      if (part.text.empty()) return;
      if (!state.open || state.call || state.kind != part.kind || state.ended) open(state, part);
      delta(state, part.text);
      return;
    }
    if (part.kind == PartKind::thinking && part.text.empty() && state.open && state.kind == PartKind::thinking) {
      sign(state, part);  // the signature of the thought that just ended
      return close(state);
    }
    if (part.kind == PartKind::tool_call) name_call(part);
    const std::string_view content = part.kind == PartKind::opaque ? std::string_view() : part.text;
    const bool signed_first = part.kind != PartKind::thinking;
    open(state, part);
    if (signed_first) sign(state, part);
    delta(state, content);
    if (!signed_first) sign(state, part);
    if (part.kind != PartKind::text || part.text.empty()) return close(state);
    state.ended = true;
  }

  void name_call(Part& part) {
    if (context_.is_format_tool(part.name)) {
      part.kind = PartKind::text;
      part.id = {};
      part.name = chat::kFormatToolName;
    } else if (part.id.empty()) {
      part.id = chat::mint_tool_id(id_seed_, calls_++, arena_);
    }
  }

  static bool is_partial(Value call) {
    return call.any_of("willContinue", "will_continue").is_true() ||
           call.any_of("partialArgs", "partial_args").is_array();
  }

  void read_partial(State& state, Value element, Value call) {
    const bool named = call["name"].is_string() && !call["name"].escaped().empty();
    if (!state.call || named) {
      bool skip = false;
      Part part = parts_.read(element, skip);
      name_call(part);
      open(state, part);
      sign(state, part);
      state.call.emplace();
    }
    if (call["args"].is_object()) state.call->whole(call["args"].raw());
    for (const Value piece : call.any_of("partialArgs", "partial_args").elements()) {
      if (!state.call->add(piece, arena_)) return fail("The provider's stream has broken function call arguments.");
    }
    if (!call.any_of("willContinue", "will_continue").is_true()) close(state);
  }

  void open(State& state, const Part& part) {
    close(state);
    Part head = part;
    if (part.kind != PartKind::opaque) head.text = {};
    head.signature = nullptr;
    state.open = true;
    state.ended = false;
    state.kind = part.kind;
    state.said = state.said || part.kind == PartKind::text;
    sink_->event({.kind = EventKind::part_start, .choice = state.index, .part = state.part, .head = &head});
  }

  void delta(const State& state, std::string_view text) {
    if (text.empty()) return;
    sink_->event({.kind = EventKind::delta, .choice = state.index, .part = state.part, .text = text});
  }

  void sign(const State& state, const Part& part) {
    if (!part.has_signature()) return;
    sink_->event({.kind = EventKind::signature, .choice = state.index, .part = state.part, .head = &part});
  }

  void close(State& state) {
    if (!state.open) return;
    if (state.call) {
      delta(state, state.call->json());
      state.call.reset();
    }
    sink_->event({.kind = EventKind::part_stop, .choice = state.index, .part = state.part});
    state.open = false;
    ++state.part;
  }

  // Its own: writers behind it parse, too, while an event is being read.
  json::Parser parser_;
  base::Arena arena_;  // of the event at hand
  chat::Minter minter_;
  std::string model_;
  std::string id_seed_;
  std::string format_tool_;
  Service service_;
  ReadContext context_;
  PartReader parts_;
  std::vector<State> states_;
  chat::EventSink* sink_ = nullptr;
  TokenCounts counts_;
  uint32_t calls_ = 0;
  bool started_ = false;
  bool finished_ = false;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<StreamReader> make_stream_reader(const ReadContext& context) {
  return std::make_unique<Reader>(context);
}

}  // namespace llmgw::dialects::gemini
