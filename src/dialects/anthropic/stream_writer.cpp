// Writes a streamed message: blocks one after the other, numbered without gaps, each opened when there is something to
// put into it. Anthropic's SDKs dispatch on the event's name.
#include <optional>
#include <string>

#include "dialects/anthropic/answer_parts.h"
#include "dialects/anthropic/citations.h"
#include "dialects/anthropic/error.h"
#include "dialects/anthropic/functions.h"
#include "dialects/anthropic/meaning.h"
#include "dialects/held_signature.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::anthropic {
namespace {

using chat::EventKind;
using chat::Part;
using chat::PartKind;
using chat::SignaturePlace;

class Writer final : public StreamWriter {
 public:
  explicit Writer(const AnswerContext& context) : context_(context) {}

  void write(const chat::StreamEvent& event, chat::WireSink& sink) override {
    if (event.choice != 0) return;  // Anthropic has one answer
    switch (event.kind) {
      case EventKind::start: start(*event.answer, sink); break;
      case EventKind::part_start: part_start(*event.head, sink); break;
      case EventKind::delta: delta(event.text, sink); break;
      case EventKind::signature: held_.hold(*event.head->signature); break;
      case EventKind::citations: citations(event, sink); break;
      case EventKind::part_stop: part_stop(sink); break;
      case EventKind::finish: finish(event.answer->choices.front()); break;
      case EventKind::usage: usage_ = event.answer->usage; break;
      case EventKind::end: end(sink); break;
      case EventKind::error: error(*event.error, sink); break;
      case EventKind::keep_alive: send("ping", R"({"type":"ping"})", sink); break;
    }
  }

 private:
  static void send(std::string_view name, std::string_view data, chat::WireSink& sink) {
    sink.event({.name = name, .data = data});
  }
  void send(std::string_view name, chat::WireSink& sink) { send(name, out_, sink); }
  json::Writer begin(std::string_view type) {
    out_.clear();
    json::Writer writer(out_);
    writer.begin_object().member("type", type);
    return writer;
  }

  void start(const chat::Answer& answer, chat::WireSink& sink) {
    usage_ = answer.usage;
    service_tier_ = answer.service_tier;
    json::Writer writer = begin("message_start");
    writer.key("message")
        .begin_object()
        .member("id", message_id(answer.id, context_))
        .member("type", "message")
        .member("role", "assistant")
        .member("model", context_.model)
        .key("content")
        .begin_array()
        .end_array()
        .null_member("stop_reason")
        .null_member("stop_sequence")
        .key("usage");
    write_usage(writer, usage_, service_tier_);
    writer.end_object().end_object();
    send("message_start", sink);
  }

  void part_start(const Part& head, chat::WireSink& sink) {
    kind_ = head.kind;
    redacted_ = head.redacted;
    open_ = false;
    held_.drop();
    said_.start_part();
    if (head.kind == PartKind::tool_call) {
      id_ = tool_use_id(head.id, tool_calls_++, context_);
      name_ = head.name;
    }
    if (head.kind != PartKind::opaque || head.origin != chat::Dialect::anthropic) return;
    json::Writer writer = begin("content_block_start");
    writer.member("index", index_).raw_member("content_block", head.text).end_object();
    send("content_block_start", sink);
    open_ = true;
  }

  void open(chat::WireSink& sink) {
    if (open_) return;
    // What is no thinking has no place for a signature: it goes in front.
    if (held_.present() && kind_ != PartKind::thinking) signature_block(SignaturePlace::next_part, sink);
    json::Writer writer = begin("content_block_start");
    writer.member("index", index_).key("content_block").begin_object();
    if (kind_ == PartKind::text) {
      writer.member("type", "text").member("text", "");
    } else if (kind_ == PartKind::thinking && redacted_) {
      writer.member("type", "redacted_thinking").member("data", held_text(SignaturePlace::thinking));
    } else if (kind_ == PartKind::thinking) {
      writer.member("type", "thinking").member("thinking", "").member("signature", "");
    } else {
      writer.member("type", "tool_use").member("id", id_).member("name", name_).raw_member("input", "{}");
    }
    writer.end_object().end_object();
    send("content_block_start", sink);
    open_ = true;
  }

  void delta(std::string_view text, chat::WireSink& sink) {
    if (text.empty()) return;
    switch (kind_) {
      case PartKind::text: said_.add(text); return block_delta("text_delta", "text", text, sink);
      case PartKind::thinking:
        if (!redacted_) block_delta("thinking_delta", "thinking", text, sink);
        return;
      case PartKind::tool_call: return block_delta("input_json_delta", "partial_json", text, sink);
      case PartKind::refusal: refusal_ += text; return;
      default: return;  // Anthropic's models show no media
    }
  }

  void block_delta(std::string_view type, std::string_view member, std::string_view text, chat::WireSink& sink) {
    open(sink);
    json::Writer writer = begin("content_block_delta");
    writer.member("index", index_)
        .key("delta")
        .begin_object()
        .member("type", type)
        .member(member, text)
        .end_object()
        .end_object();
    send("content_block_delta", sink);
  }

  std::string_view held_text(SignaturePlace place) { return signature_text(held_.signature(), place, context_.arena); }

  // A thinking block of nothing but the signature that is held.
  void signature_block(SignaturePlace place, chat::WireSink& sink) {
    json::Writer writer = begin("content_block_start");
    writer.member("index", index_)
        .raw_member("content_block", R"({"type":"thinking","thinking":"","signature":""})")
        .end_object();
    send("content_block_start", sink);
    signature_delta(place, sink);
    close(sink);
  }

  void signature_delta(SignaturePlace place, chat::WireSink& sink) {
    json::Writer writer = begin("content_block_delta");
    writer.member("index", index_)
        .key("delta")
        .begin_object()
        .member("type", "signature_delta")
        .member("signature", held_text(place))
        .end_object()
        .end_object();
    send("content_block_delta", sink);
    held_.drop();
  }

  void close(chat::WireSink& sink) {
    json::Writer writer = begin("content_block_stop");
    writer.member("index", index_++).end_object();
    send("content_block_stop", sink);
  }

  // Rare, and the reader's Parser may be in use: it gets one of its own.
  void citations(const chat::StreamEvent& event, chat::WireSink& sink) {
    if (kind_ != PartKind::text || event.head == nullptr) return;
    if (!parser_) parser_.emplace();
    base::Arena arena;
    const std::string_view cited =
        citations_for(event.text, event.head->origin, said_, context_.cited(), *parser_, arena);
    const auto root = json::parse_tree(*parser_, cited, arena);
    if (!root) return;
    for (const json::Value citation : root->elements()) {
      open(sink);
      json::Writer writer = begin("content_block_delta");
      writer.member("index", index_)
          .key("delta")
          .begin_object()
          .member("type", "citations_delta")
          .raw_member("citation", citation.raw())
          .end_object()
          .end_object();
      send("content_block_delta", sink);
    }
  }

  void part_stop(chat::WireSink& sink) {
    const bool proof_is_all = held_.present() && kind_ == PartKind::thinking;
    if (kind_ == PartKind::tool_call || proof_is_all) open(sink);
    if (open_ && held_.present() && kind_ == PartKind::thinking && !redacted_) {
      signature_delta(SignaturePlace::thinking, sink);
    }
    if (kind_ == PartKind::thinking && redacted_) held_.drop();
    if (open_) close(sink);
    open_ = false;
    // It came too late to stand in front of its part, or there is no part.
    if (held_.present()) signature_block(SignaturePlace::own_part, sink);
  }

  void finish(const chat::Choice& choice) {
    choice_ = {.finish = choice.finish, .context_window = choice.context_window, .at_sequence = choice.at_sequence};
    stop_sequence_ = choice.stop_sequence;
    explanation_ = choice.explanation;
  }

  void end(chat::WireSink& sink) {
    choice_.stop_sequence = stop_sequence_;
    choice_.explanation = explanation_;
    if (!refusal_.empty()) {
      choice_.finish = chat::Finish::refusal;
      choice_.explanation = refusal_;
    }
    json::Writer writer = begin("message_delta");
    writer.key("delta").begin_object();
    write_stop(writer, stop_of(choice_, tool_calls_ > 0));
    writer.end_object().key("usage");
    write_usage(writer, usage_, {});
    writer.end_object();
    send("message_delta", sink);
    send("message_stop", R"({"type":"message_stop"})", sink);
  }

  void error(const chat::ClientError& error, chat::WireSink& sink) {
    out_.clear();
    write_error_body(error, context_.request_id, out_);
    send("error", sink);
  }

  const AnswerContext context_;
  std::string out_;  // the event at hand
  std::optional<json::Parser> parser_;
  PartKind kind_ = PartKind::text;
  bool redacted_ = false;
  bool open_ = false;
  uint32_t index_ = 0;
  uint32_t tool_calls_ = 0;
  std::string id_;
  std::string name_;
  HeldSignature held_;
  SaidText said_;
  std::string refusal_;
  chat::Choice choice_;
  std::string stop_sequence_;
  std::string explanation_;
  std::string service_tier_;
  chat::Usage usage_;
};

}  // namespace

std::unique_ptr<StreamWriter> make_stream_writer(const AnswerContext& context) {
  return std::make_unique<Writer>(context);
}

}  // namespace llmgw::dialects::anthropic
