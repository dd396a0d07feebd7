#include <optional>
#include <vector>

#include "chat/collector.h"
#include "dialects/openai/error.h"
#include "dialects/openai_chat/functions.h"
#include "dialects/openai_chat/message_writer.h"
#include "dialects/openai_chat/words.h"

namespace llmgw::dialects::openai_chat {
namespace {

using chat::EventKind;
using chat::Part;
using chat::PartKind;
using chat::StreamEvent;
using chat::WireSink;

// Reasoning that is kept until its signature comes, and free text until its JSON is whole. An answer larger than the
// Collector takes is none here either.
constexpr size_t kKeptBytesMax = chat::Collector::kAnswerBytesMax;

struct ChoiceState {
  uint32_t index = 0;
  bool refused = false;
  uint32_t calls = 0;
  uint32_t details = 0;
  uint32_t images = 0;
  SaidText said;          // visible text
  bool any_text = false;  // in the open part
  // The open part.
  PartKind kind = PartKind::text;
  bool redacted = false;
  bool custom = false;         // the client knows the tool as custom
  bool custom_native = false;  // and so does the provider: its arguments are the text
  bool head_waiting = false;   // a call's first chunk waits for a signature that may come with it
  bool any_arguments = false;
  std::string id;
  std::string name;
  std::string kept;
};

class ChatStreamWriter final : public StreamWriter {
 public:
  explicit ChatStreamWriter(const AnswerContext& context)
      : context_(context), legacy_(context.request->legacy_functions) {}

  void write(const StreamEvent& event, WireSink& sink) override {
    if (over_) return;
    switch (event.kind) {
      case EventKind::start: return start(*event.answer, sink);
      case EventKind::part_start: return start_part(event, sink);
      case EventKind::delta: return delta(event, sink);
      case EventKind::signature: return signature(event, sink);
      case EventKind::citations: return citations(event, sink);
      case EventKind::part_stop: return stop_part(event, sink);
      case EventKind::finish: return finish(event, sink);
      case EventKind::usage: usage_ = event.answer->usage; return;
      case EventKind::end: return end(sink);
      case EventKind::error: return error(*event.error, sink);
      case EventKind::keep_alive: return;
    }
  }

 private:
  void start(const chat::Answer& answer, WireSink& sink) {
    json::Writer w(prefix_);
    w.begin_object().member("id", answer_id(answer.id, context_.request_id, context_.arena));
    w.member("object", "chat.completion.chunk");
    w.member("created", answer.created != 0 ? answer.created : context_.now).member("model", context_.model);
    const std::string_view tier = service_tier_word(answer.service_tier);
    if (!tier.empty()) w.member("service_tier", tier);
    if (!answer.system_fingerprint.empty()) w.member("system_fingerprint", answer.system_fingerprint);
    w.key("choices");
    (void)choice_of(0, sink);
  }

  // A choice's first chunk says who speaks.
  ChoiceState& choice_of(uint32_t index, WireSink& sink) {
    for (ChoiceState& choice : choices_) {
      if (choice.index == index) return choice;
    }
    choices_.push_back({});
    ChoiceState& choice = choices_.back();
    choice.index = index;
    begin(choice);
    buffer_ += R"("role":"assistant","content":"","refusal":null)";
    send(sink);
    return choice;
  }

  void begin(const ChoiceState& choice) {
    buffer_ = prefix_;
    buffer_ += R"([{"index":)";
    buffer_ += std::to_string(choice.index);
    buffer_ += R"(,"delta":{)";
  }

  void send(WireSink& sink, std::string_view logprobs = {}, std::string_view finish_reason = {}) {
    buffer_ += R"(},"logprobs":)";
    if (logprobs.empty()) {
      buffer_ += "null";
    } else {
      buffer_ += R"({"content":)";
      buffer_ += logprobs;
      buffer_ += R"(,"refusal":null})";
    }
    buffer_ += R"(,"finish_reason":)";
    if (finish_reason.empty()) {
      buffer_ += "null";
    } else {
      json::append_quoted(buffer_, finish_reason);
    }
    buffer_ += context_.request->include_usage ? R"(}],"usage":null})" : "}]}";
    sink.event({.name = {}, .data = buffer_});
  }

  void send_text(const ChoiceState& choice, std::string_view member, std::string_view text, WireSink& sink,
                 std::string_view logprobs = {}) {
    begin(choice);
    buffer_ += member;
    json::append_quoted(buffer_, text);
    send(sink, logprobs);
  }

  void start_part(const StreamEvent& event, WireSink& sink) {
    ChoiceState& choice = choice_of(event.choice, sink);
    const Part& head = *event.head;
    choice.kind = head.kind;
    choice.redacted = head.redacted;
    choice.any_arguments = false;
    choice.any_text = false;
    choice.said.start_part();
    choice.kept.clear();
    if (head.kind == PartKind::tool_call) {
      choice.custom = head.custom || is_custom_tool(*context_.request, head.name);
      choice.custom_native = head.custom;
      choice.id = head.id;
      choice.name = head.name;
      choice.head_waiting = true;
    } else if (head.kind == PartKind::refusal) {
      choice.refused = true;
    } else if (head.media != nullptr && (head.kind == PartKind::image || head.kind == PartKind::audio)) {
      send_media(choice, head, sink);
    }
  }

  void send_media(ChoiceState& choice, const Part& part, WireSink& sink) {
    begin(choice);
    json::Writer w(buffer_);
    if (part.kind == PartKind::audio) {
      w.key("audio");
      write_audio(w, part, context_);
    } else {
      w.key("images").begin_array();
      write_image(w, part, choice.images++);
      w.end_array();
    }
    send(sink);
  }

  void delta(const StreamEvent& event, WireSink& sink) {
    ChoiceState& choice = choice_of(event.choice, sink);
    switch (choice.kind) {
      case PartKind::text:
        choice.said.add(event.text);
        choice.any_text |= !event.text.empty();
        return send_text(choice, R"("content":)", event.text, sink, event.logprobs);
      case PartKind::refusal: return send_text(choice, R"("refusal":)", event.text, sink);
      case PartKind::thinking:
        if (context_.request->reasoning.visible == false || event.text.empty()) return;
        if (!keep(choice, event.text, sink)) return;
        return send_text(choice, R"("reasoning_content":)", event.text, sink);
      case PartKind::tool_call: return arguments(choice, event.text, sink);
      default: return;
    }
  }

  bool keep(ChoiceState& choice, std::string_view text, WireSink& sink) {
    if (choice.kept.size() + text.size() > kKeptBytesMax) {
      error({.kind = chat::ErrorKind::upstream_failed, .message = "the provider's answer is too large"}, sink);
      return false;
    }
    choice.kept += text;
    return true;
  }

  void arguments(ChoiceState& choice, std::string_view text, WireSink& sink) {
    if (choice.custom && !choice.custom_native) {
      (void)keep(choice, text, sink);
      return;
    }
    send_head(choice, nullptr, sink);
    if (text.empty()) return;
    choice.any_arguments = true;
    if (skips_call(choice)) return;
    begin(choice);
    if (legacy_) {
      buffer_ += R"("function_call":{"arguments":)";
      json::append_quoted(buffer_, text);
      buffer_ += '}';
    } else {
      begin_call(choice.calls - 1);
      buffer_ += choice.custom ? R"(,"custom":{"input":)" : R"(,"function":{"arguments":)";
      json::append_quoted(buffer_, text);
      buffer_ += "}}]";
    }
    send(sink);
  }

  void begin_call(uint32_t index) {
    buffer_ += R"("tool_calls":[{"index":)";
    buffer_ += std::to_string(index);
  }

  // The old form has room for one call.
  bool skips_call(const ChoiceState& choice) const { return legacy_ && choice.calls > 1; }

  void send_head(ChoiceState& choice, const chat::Signature* signature, WireSink& sink) {
    if (!choice.head_waiting) return;
    choice.head_waiting = false;
    const uint32_t index = choice.calls++;
    if (skips_call(choice)) return;
    begin(choice);
    if (legacy_) {
      buffer_ += R"("function_call":{"name":)";
      json::append_quoted(buffer_, choice.name);
      buffer_ += R"(,"arguments":""})";
      return send(sink);
    }
    begin_call(index);
    buffer_ += R"(,"id":)";
    json::append_quoted(buffer_, choice.id);
    buffer_ += choice.custom ? R"(,"type":"custom","custom":{"name":)" : R"(,"type":"function","function":{"name":)";
    json::append_quoted(buffer_, choice.name);
    buffer_ += choice.custom ? R"(,"input":""})" : R"(,"arguments":""})";
    if (signature != nullptr) append_thought_signature(*signature);
    buffer_ += "}]";
    send(sink);
  }

  void append_thought_signature(const chat::Signature& signature) {
    buffer_ += ',';
    json::Writer w(buffer_);
    write_thought_signature(w, signature, context_.arena);
  }

  void signature(const StreamEvent& event, WireSink& sink) {
    ChoiceState& choice = choice_of(event.choice, sink);
    const chat::Signature* const signature = event.head->signature;
    if (signature == nullptr || !signature->present()) return;
    if (choice.kind == PartKind::tool_call) {
      if (choice.head_waiting) return send_head(choice, signature, sink);
      if (legacy_) return;
      begin(choice);
      begin_call(choice.calls - 1);
      append_thought_signature(*signature);
      buffer_ += "}]";
      return send(sink);
    }
    if (choice.kind != PartKind::thinking && choice.kind != PartKind::text) return;
    if (choice.kind == PartKind::thinking && !choice.redacted && context_.request->reasoning.visible == false) return;
    Part part{.kind = choice.kind, .redacted = choice.redacted, .text = choice.kept, .signature = signature};
    // Of a text only whether there is one counts.
    if (choice.kind == PartKind::text && choice.any_text) part.text = " ";
    begin(choice);
    json::Writer w(buffer_);
    w.key("reasoning_details").begin_array();
    write_detail(w, part, choice.details++, context_.arena);
    w.end_array();
    send(sink);
  }

  // Its own: the reader in front holds the other one's document.
  json::Parser& parser() {
    if (!parser_) parser_.emplace();
    return *parser_;
  }

  void citations(const StreamEvent& event, WireSink& sink) {
    ChoiceState& choice = choice_of(event.choice, sink);
    const std::string found = annotations_from(event.text, event.head->origin, choice.said, parser(), context_.arena);
    if (found.empty()) return;
    begin(choice);
    buffer_ += R"("annotations":)";
    buffer_ += found;
    send(sink);
  }

  void stop_part(const StreamEvent& event, WireSink& sink) {
    ChoiceState& choice = choice_of(event.choice, sink);
    if (choice.kind != PartKind::tool_call) return;
    if (choice.custom && !choice.custom_native) {
      choice.custom_native = true;
      const std::string_view input = custom_input(choice.kept, parser(), context_.arena);
      return arguments(choice, input, sink);
    }
    // Arguments must be JSON, also where there are none.
    if (!choice.any_arguments && !choice.custom) arguments(choice, "{}", sink);
    send_head(choice, nullptr, sink);
  }

  void finish(const StreamEvent& event, WireSink& sink) {
    ChoiceState& choice = choice_of(event.choice, sink);
    begin(choice);
    send(sink, {}, finish_word(event.answer->choices[0].finish, legacy_, choice.refused));
  }

  void end(WireSink& sink) {
    if (context_.request->include_usage && usage_.known()) {
      buffer_ = prefix_;
      buffer_ += R"([],"usage":)";
      json::Writer w(buffer_);
      write_usage(w, usage_);
      buffer_ += '}';
      sink.event({.name = {}, .data = buffer_});
    }
    sink.event({.name = {}, .data = "[DONE]"});
  }

  void error(const chat::ClientError& error, WireSink& sink) {
    over_ = true;
    const bool azure = context_.request->from == chat::Dialect::azure;
    const std::string body = openai::error_body(azure ? openai::Api::azure : openai::Api::chat, error);
    sink.event({.name = {}, .data = body});
  }

  AnswerContext context_;
  std::optional<json::Parser> parser_;
  bool legacy_;
  bool over_ = false;
  chat::Usage usage_;
  std::vector<ChoiceState> choices_;
  std::string prefix_;  // every chunk up to the value of "choices"
  std::string buffer_;
};

}  // namespace

std::unique_ptr<StreamWriter> make_stream_writer(const AnswerContext& context) {
  return std::make_unique<ChatStreamWriter>(context);
}

}  // namespace llmgw::dialects::openai_chat
