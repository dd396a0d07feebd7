// Writes the payloads of ConverseStream's events: messageStart, blocks one after the other, numbered without gaps,
// messageStop, metadata. Only tools and images have a contentBlockStart, as Bedrock has it.
#include <optional>
#include <string>

#include "dialects/bedrock/answer_parts.h"
#include "dialects/bedrock/citations.h"
#include "dialects/bedrock/error.h"
#include "dialects/bedrock/functions.h"
#include "dialects/bedrock/meaning.h"
#include "dialects/held_signature.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::bedrock {
namespace {

using chat::EventKind;
using chat::Part;
using chat::PartKind;
using chat::SignaturePlace;

class Writer final : public StreamWriter {
 public:
  explicit Writer(const AnswerContext& context) : context_(context) {}

  void write(const chat::StreamEvent& event, chat::WireSink& sink) override {
    if (event.choice != 0) return;  // Converse has one answer
    switch (event.kind) {
      case EventKind::start: send("messageStart", R"({"role":"assistant"})", sink); break;
      case EventKind::part_start: part_start(*event.head, sink); break;
      case EventKind::delta: delta(event.text, sink); break;
      case EventKind::signature: held_.hold(*event.head->signature); break;
      case EventKind::citations: citations(event, sink); break;
      case EventKind::part_stop: part_stop(sink); break;
      case EventKind::finish: finish(event.answer->choices.front()); break;
      case EventKind::usage: usage_ = event.answer->usage; break;
      case EventKind::end: end(sink); break;
      case EventKind::error: error(*event.error, sink); break;
      case EventKind::keep_alive: break;  // there is no such event
    }
  }

 private:
  static void send(std::string_view name, std::string_view data, chat::WireSink& sink) {
    sink.event({.name = name, .data = data});
  }

  void part_start(const Part& head, chat::WireSink& sink) {
    kind_ = head.kind;
    redacted_ = head.redacted;
    open_ = false;
    any_input_ = false;
    held_.drop();
    said_.start_part();
    if (head.kind == PartKind::tool_call) {
      id_ = tool_use_id(head.id, tool_calls_++, context_);
      name_ = head.name;
    }
    if (head.kind == PartKind::refusal) refused_ = true;
    if (head.kind == PartKind::image) image(head, sink);
    if (head.kind == PartKind::opaque && head.origin == chat::Dialect::bedrock) opaque(head.text, sink);
  }

  void image(const Part& head, chat::WireSink& sink) {
    if (head.media == nullptr || head.media->source != chat::MediaSource::base64) return;
    const std::string_view format = image_format(head.media->media_type);
    if (format.empty()) return;
    out_.clear();
    json::Writer writer(out_);
    writer.begin_object().member("contentBlockIndex", index_).key("start").begin_object().key("image").begin_object();
    writer.member("format", format).end_object().end_object().end_object();
    send("contentBlockStart", out_, sink);
    open_ = true;
    json::Writer delta = begin_delta();
    delta.key("image").begin_object().key("source").begin_object().member("bytes", head.media->data);
    delta.end_object().end_object();
    end_delta(delta, sink);
  }

  // A server tool's call: its head, then its input as one text. Other kinds have no streamed form.
  void opaque(std::string_view json, chat::WireSink& sink) {
    base::Arena arena;
    const auto root = json::parse_tree(own_parser(), json, arena);
    if (!root || !(*root)["toolUse"].is_object()) return;
    const json::Value tool = (*root)["toolUse"];
    out_.clear();
    json::Writer writer(out_);
    writer.begin_object().member("contentBlockIndex", index_).key("start").begin_object().key("toolUse").begin_object();
    for (const json::Member member : tool.members()) {
      if (!member.is("input")) writer.raw_member(member.key(arena), member.value.raw());
    }
    writer.end_object().end_object().end_object();
    send("contentBlockStart", out_, sink);
    open_ = true;
    const std::string_view input = tool["input"].raw();
    if (!input.empty()) tool_delta(input, sink);
  }

  void open(chat::WireSink& sink) {
    if (open_) return;
    open_ = true;
    // What is no reasoning has no place for a signature: it goes in front.
    if (held_.present() && kind_ != PartKind::thinking) signature_block(SignaturePlace::next_part, sink);
    open_ = true;
    if (kind_ != PartKind::tool_call) return;
    out_.clear();
    json::Writer writer(out_);
    writer.begin_object().member("contentBlockIndex", index_).key("start").begin_object().key("toolUse").begin_object();
    writer.member("toolUseId", id_).member("name", name_).end_object().end_object().end_object();
    send("contentBlockStart", out_, sink);
  }

  void delta(std::string_view text, chat::WireSink& sink) {
    if (text.empty()) return;
    switch (kind_) {
      case PartKind::text:
      case PartKind::refusal: {
        said_.add(text);
        open(sink);
        json::Writer writer = begin_delta();
        writer.member("text", text);
        return end_delta(writer, sink);
      }
      case PartKind::thinking:
        if (redacted_) return;
        open(sink);
        return reasoning_delta("text", text, sink);
      case PartKind::tool_call: open(sink); return tool_delta(text, sink);
      default: return;  // Converse streams no other media
    }
  }

  void tool_delta(std::string_view input, chat::WireSink& sink) {
    any_input_ = true;
    json::Writer writer = begin_delta();
    writer.key("toolUse").begin_object().member("input", input).end_object();
    end_delta(writer, sink);
  }

  void reasoning_delta(std::string_view member, std::string_view text, chat::WireSink& sink) {
    json::Writer writer = begin_delta();
    writer.key("reasoningContent").begin_object().member(member, text).end_object();
    end_delta(writer, sink);
  }

  json::Writer begin_delta() {
    out_.clear();
    json::Writer writer(out_);
    writer.begin_object().member("contentBlockIndex", index_).key("delta").begin_object();
    return writer;
  }
  void end_delta(json::Writer& writer, chat::WireSink& sink) {
    writer.end_object().end_object();
    send("contentBlockDelta", out_, sink);
  }

  void close(chat::WireSink& sink) {
    out_.clear();
    json::Writer(out_).begin_object().member("contentBlockIndex", index_++).end_object();
    send("contentBlockStop", out_, sink);
    open_ = false;
  }

  void signature_delta(SignaturePlace place, chat::WireSink& sink) {
    held_.drop();
    if (redacted_ && kind_ == PartKind::thinking) {
      return reasoning_delta("redactedContent", redacted_text(held_.signature(), context_.arena), sink);
    }
    reasoning_delta("signature", signature_text(held_.signature(), place, context_.arena), sink);
  }

  // A block of nothing but the signature that is held.
  void signature_block(SignaturePlace place, chat::WireSink& sink) {
    reasoning_delta("text", "", sink);
    signature_delta(place, sink);
    close(sink);
  }

  json::Parser& own_parser() {
    // Rare, and the reader's Parser may be in use.
    if (!parser_) parser_.emplace();
    return *parser_;
  }

  void citations(const chat::StreamEvent& event, chat::WireSink& sink) {
    if (kind_ != PartKind::text || event.head == nullptr) return;
    base::Arena arena;
    const std::string_view cited =
        citations_for(event.text, event.head->origin, said_, context_.cited(), own_parser(), arena);
    const auto root = json::parse_tree(own_parser(), cited, arena);
    if (!root) return;
    for (const json::Value citation : root->elements()) {
      open(sink);
      json::Writer writer = begin_delta();
      writer.raw_member("citation", citation.raw());
      end_delta(writer, sink);
    }
  }

  void part_stop(chat::WireSink& sink) {
    const bool proof = held_.present() && kind_ == PartKind::thinking;
    if (kind_ == PartKind::tool_call || proof) open(sink);
    // Clients wait for an input, if only an empty one.
    if (kind_ == PartKind::tool_call && !any_input_) tool_delta({}, sink);
    if (proof) signature_delta(SignaturePlace::thinking, sink);
    if (open_) close(sink);
    // It came too late to stand in front of its part, or there is no part.
    if (held_.present()) signature_block(SignaturePlace::own_part, sink);
  }

  void finish(const chat::Choice& choice) {
    choice_ = {.finish = choice.finish, .context_window = choice.context_window, .at_sequence = choice.at_sequence};
    stop_sequence_ = choice.stop_sequence;
    native_finish_ = choice.native_finish;
  }

  void end(chat::WireSink& sink) {
    choice_.stop_sequence = stop_sequence_;
    choice_.native_finish = native_finish_;
    if (refused_ && choice_.finish != chat::Finish::filter) choice_.finish = chat::Finish::refusal;
    out_.clear();
    json::Writer stop(out_);
    stop.begin_object().member("stopReason", stop_reason(choice_, tool_calls_ > 0));
    if (!stop_sequence_.empty()) {
      stop.key("additionalModelResponseFields").begin_object().member("stop_sequence", stop_sequence_).end_object();
    }
    stop.end_object();
    send("messageStop", out_, sink);
    out_.clear();
    json::Writer writer(out_);
    writer.begin_object().key("usage");
    write_usage(writer, usage_);
    writer.key("metrics").begin_object().member("latencyMs", latency_ms(context_)).end_object().end_object();
    send("metadata", out_, sink);
  }

  static void error(const chat::ClientError& error, chat::WireSink& sink) {
    const StreamException exception = write_stream_exception(error);
    sink.event({.name = exception.type, .data = exception.payload, .exception = true});
  }

  const AnswerContext context_;
  std::string out_;  // the event at hand
  std::optional<json::Parser> parser_;
  PartKind kind_ = PartKind::text;
  bool redacted_ = false;
  bool open_ = false;
  bool refused_ = false;
  uint32_t index_ = 0;
  uint32_t tool_calls_ = 0;
  bool any_input_ = false;
  std::string id_;
  std::string name_;
  HeldSignature held_;
  SaidText said_;
  chat::Choice choice_;
  std::string stop_sequence_;
  std::string native_finish_;
  chat::Usage usage_;
};

}  // namespace

std::unique_ptr<StreamWriter> make_stream_writer(const AnswerContext& context) {
  return std::make_unique<Writer>(context);
}

}  // namespace llmgw::dialects::bedrock
