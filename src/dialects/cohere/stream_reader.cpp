#include <string>
#include <vector>

#include "base/text.h"
#include "chat/turns.h"
#include "dialects/cohere/functions.h"
#include "dialects/cohere/message_reader.h"
#include "dialects/cohere/words.h"
#include "dialects/openai/error_reader.h"

namespace llmgw::dialects::cohere {
namespace {

using chat::EventKind;
using chat::EventSink;
using chat::Part;
using chat::PartKind;

// Content, plan and calls come one after the other; each event says what it is about, so only what is open is kept.
class CohereStreamReader final : public StreamReader {
 public:
  explicit CohereStreamReader(const ReadContext& context) : context_(context.with(scratch_)) {}

  void read(const chat::WireEvent& event, EventSink& sink) override {
    const std::string_view data = base::trim(event.data);
    if (over_ || data.empty() || data.starts_with("[DONE]")) return;
    scratch_.reset();
    const auto root = json::parse_tree(context_.parser, data, scratch_);
    if (!root || !root->is_object()) {
      return fail({.kind = chat::ErrorKind::upstream_failed,
                   .message = "the provider's stream has an event that is no JSON object"},
                  sink);
    }
    std::string_view type = (*root)["type"].string(scratch_);
    if (type.empty()) type = event.name;
    read_event(type, *root, sink);
  }

  // message-end is the end.
  void transport_ended(EventSink&) override {}

 private:
  void fail(const chat::ClientError& error, EventSink& sink) {
    over_ = true;
    sink.event({.kind = EventKind::error, .error = &error});
  }

  void read_event(std::string_view type, json::Value root, EventSink& sink) {
    const json::Value message = root["delta"]["message"];
    if (type == "content-delta") {
      content_delta(root, message["content"], sink);
    } else if (type == "content-start") {
      content_start(message["content"], sink);
    } else if (type == "tool-call-delta") {
      tool_delta(message["tool_calls"], sink);
    } else if (type == "tool-plan-delta") {
      say(PartKind::text, message["tool_plan"].string(scratch_), {}, sink);
    } else if (type == "tool-call-start") {
      tool_start(message["tool_calls"], sink);
    } else if (type == "tool-call-end") {
      close(sink);
    } else if (type == "citation-start") {
      citation(message["citations"], sink);
    } else if (type == "message-start") {
      chat::Answer answer;
      answer.id = root["id"].string(scratch_);
      sink.event({.kind = EventKind::start, .answer = &answer});
    } else if (type == "message-end") {
      message_end(root["delta"], sink);
    } else if (type.empty() || type == "error") {
      const json::Value error = root["error"];
      fail(openai::read_error_value(openai::is_error_value(error) ? error : root, root, scratch_), sink);
    }
    // content-end closes nothing: citations of the text may still come.
  }

  void open(const Part& head, EventSink& sink) {
    close(sink);
    open_ = true;
    kind_ = head.kind;
    ++part_;
    sink.event({.kind = EventKind::part_start, .part = part_, .head = &head});
  }

  void close(EventSink& sink) {
    if (!open_) return;
    open_ = false;
    sink.event({.kind = EventKind::part_stop, .part = part_});
  }

  void say(PartKind kind, std::string_view text, std::string_view logprobs, EventSink& sink) {
    if (text.empty() && logprobs.empty()) return;
    if (!open_ || kind_ != kind) open({.kind = kind}, sink);
    sink.event({.kind = EventKind::delta, .part = part_, .text = text, .logprobs = logprobs});
  }

  void content_start(json::Value content, EventSink& sink) {
    const bool thinking = content["type"].equals("thinking");
    close(sink);
    say(thinking ? PartKind::thinking : PartKind::text, content.any_of("text", "thinking").string(scratch_), {}, sink);
    sign(content, thinking ? PartKind::thinking : PartKind::text, sink);
  }

  void content_delta(json::Value root, json::Value content, EventSink& sink) {
    say(PartKind::thinking, content["thinking"].string(scratch_), {}, sink);
    const std::string token = logprobs_from(root["logprobs"], scratch_);
    const std::string list = token.empty() ? token : "[" + token + "]";
    say(PartKind::text, content["text"].string(scratch_), list, sink);
    sign(content, content["thinking"].is_string() ? PartKind::thinking : PartKind::text, sink);
  }

  void sign(json::Value holder, PartKind kind, EventSink& sink) {
    const chat::Signature* const signature = read_signature(holder, context_);
    if (signature == nullptr) return;
    if (!open_ || kind_ != kind) open({.kind = kind}, sink);
    const Part head{.kind = kind, .signature = signature};
    sink.event({.kind = EventKind::signature, .part = part_, .head = &head});
  }

  void tool_start(json::Value call, EventSink& sink) {
    if (call.is_array()) call = call.first_element();
    Part part;
    if (!read_tool_call(call, context_, part)) return;
    Part head{.kind = PartKind::tool_call, .id = part.id, .name = part.name};
    if (context_.is_format_tool(part.name)) {
      head = {.kind = PartKind::text, .name = chat::kFormatToolName};
    } else {
      any_call_ = true;
      if (head.id.empty()) head.id = chat::mint_tool_id(context_.id_seed, calls_, scratch_);
      ++calls_;
    }
    open(head, sink);
    sign(call, kind_, sink);
    if (!part.text.empty()) sink.event({.kind = EventKind::delta, .part = part_, .text = part.text});
  }

  void tool_delta(json::Value call, EventSink& sink) {
    if (call.is_array()) call = call.first_element();
    if (!open_) return;
    const std::string_view arguments = call["function"]["arguments"].string(scratch_);
    if (!arguments.empty()) sink.event({.kind = EventKind::delta, .part = part_, .text = arguments});
    sign(call, kind_, sink);
  }

  void citation(json::Value citation, EventSink& sink) {
    if (!citation.is_object() && !citation.is_array()) return;
    if (!open_ || kind_ != PartKind::text) return;
    std::string list;
    if (citation.is_object()) list = "[" + std::string(citation.raw()) + "]";
    const Part head{.kind = PartKind::text, .origin = chat::Dialect::cohere};
    const std::string_view text = list.empty() ? citation.raw() : std::string_view(list);
    sink.event({.kind = EventKind::citations, .part = part_, .text = text, .head = &head});
  }

  void message_end(json::Value delta, EventSink& sink) {
    const std::string_view word = delta["finish_reason"].string(scratch_);
    const std::string_view error = delta["error"].string(scratch_);
    chat::Answer last;
    last.usage = read_usage(delta["usage"]);
    if (last.usage.known()) sink.event({.kind = EventKind::usage, .answer = &last});
    if (is_failure(word)) return fail(failure(word, error), sink);
    close(sink);
    chat::Choice choice{.finish = finish_from(word), .at_sequence = word == "STOP_SEQUENCE", .native_finish = word};
    if (choice.finish == chat::Finish::tool && !any_call_) choice.finish = chat::Finish::stop;
    chat::Answer answer;
    answer.choices = chat::List<chat::Choice>::of(&choice, 1);
    sink.event({.kind = EventKind::finish, .answer = &answer});
    over_ = true;
    sink.event({.kind = EventKind::end});
  }

  base::Arena scratch_;  // one event's
  ReadContext context_;
  uint32_t part_ = 0;
  uint32_t calls_ = 0;
  PartKind kind_ = PartKind::text;
  bool open_ = false;
  bool any_call_ = false;
  bool over_ = false;
};

}  // namespace

std::unique_ptr<StreamReader> make_stream_reader(const ReadContext& context) {
  return std::make_unique<CohereStreamReader>(context);
}

}  // namespace llmgw::dialects::cohere
