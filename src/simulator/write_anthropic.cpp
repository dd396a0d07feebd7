// POST /v1/messages.
#include "json/writer.h"
#include "simulator/answer_writer.h"

namespace llmgw::simulator {

namespace {

constexpr size_t kCacheGrain = 16;  // tokens; what a cache mark writes is rounded down to it

std::string_view stop_reason(const Choice& choice) {
  switch (choice.finish) {
    case Finish::length: return "max_tokens";
    case Finish::tool_calls: return "tool_use";
    case Finish::stop_sequence: return "stop_sequence";
    case Finish::content_filter: return "refusal";
    default: return "end_turn";
  }
}

// Only a request with cache_control reads or writes this API's cache; the three input counts do not overlap.
void write_usage(json::Writer& w, const AnswerContext& context, const UsageCount& usage, size_t output, bool whole) {
  const size_t read = context.request.cache_marks ? usage.cached : 0;
  const size_t rest = usage.prompt - read;
  const size_t written = context.request.cache_marks ? rest - rest % kCacheGrain : 0;
  w.begin_object().member("input_tokens", rest - written);
  w.member("cache_creation_input_tokens", written).member("cache_read_input_tokens", read);
  if (whole) {
    w.key("cache_creation").begin_object().member("ephemeral_5m_input_tokens", written);
    w.member("ephemeral_1h_input_tokens", 0).end_object();
  }
  w.member("output_tokens", output);
  if (whole) w.member("service_tier", "standard");
  w.end_object();
}

void write_block(json::Writer& w, const Part& part) {
  w.begin_object();
  switch (part.kind) {
    case PartKind::reasoning:
      w.member("type", "thinking").member("thinking", part.text).member("signature", simulated_signature(part));
      break;
    case PartKind::tool_call:
      w.member("type", "tool_use").member("id", "toolu_" + part.id).member("name", part.name);
      w.raw_member("input", arguments_object(part));
      break;
    case PartKind::text: w.member("type", "text").member("text", part.text); break;
  }
  w.end_object();
}

void write_empty_block(json::Writer& w, const Part& part) {
  w.begin_object();
  switch (part.kind) {
    case PartKind::reasoning: w.member("type", "thinking").member("thinking", "").member("signature", ""); break;
    case PartKind::tool_call:
      w.member("type", "tool_use").member("id", "toolu_" + part.id).member("name", part.name);
      w.raw_member("input", "{}");
      break;
    case PartKind::text: w.member("type", "text").member("text", ""); break;
  }
  w.end_object();
}

// Up to its content.
void open_message(json::Writer& w, const AnswerContext& context) {
  w.begin_object().member("id", "msg_" + context.id).member("type", "message").member("role", "assistant");
  w.member("model", context.model);
}

class MessagesStream final : public StreamWriter {
 public:
  explicit MessagesStream(const AnswerContext& context) : context_(context), cursor_(context.plan.choices[0]) {}

  void begin(const UsageCount& usage, std::string& out) override {
    json::Writer w = event("message_start", out);
    w.key("message");
    open_message(w, context_);
    w.key("content").begin_array().end_array().null_member("stop_reason").null_member("stop_sequence").key("usage");
    write_usage(w, context_, usage, 1, true);
    w.end_object();
    finish_event(w, out);
  }

  void step(std::string& out) override {
    const auto piece = cursor_.next();
    if (!piece) return;
    const Part& part = context_.plan.choices[0].parts[piece->part];
    if (piece->begins_part) open(piece->part, part, out);
    json::Writer w = block_event("content_block_delta", out);
    w.key("delta").begin_object();
    switch (part.kind) {
      case PartKind::reasoning: w.member("type", "thinking_delta").member("thinking", piece->text); break;
      case PartKind::tool_call: w.member("type", "input_json_delta").member("partial_json", piece->text); break;
      case PartKind::text: w.member("type", "text_delta").member("text", piece->text); break;
    }
    w.end_object();
    finish_event(w, out);
    if (piece->ends_part) close(part, out);
  }

  void end(const UsageCount& usage, std::string& out) override {
    const Choice& choice = context_.plan.choices[0];
    if (open_) close(choice.parts[current_], out);
    json::Writer w = event("message_delta", out);
    w.key("delta").begin_object().member("stop_reason", stop_reason(choice));
    w.text_or_null("stop_sequence", choice.stop_sequence).end_object().key("usage");
    write_usage(w, context_, usage, usage.output, false);
    finish_event(w, out);
    json::Writer stop = event("message_stop", out);
    finish_event(stop, out);
  }

  void fail(const ApiError& error, std::string& out) override {
    out += "event: error\ndata: ";
    write_error_body(context_.surface, error, "req_" + context_.id, out);
    out += "\n\n";
  }

 private:
  static json::Writer event(std::string_view type, std::string& out) {
    out += "event: ";
    out += type;
    out += "\ndata: ";
    json::Writer w(out);
    w.begin_object().member("type", type);
    return w;
  }
  static void finish_event(json::Writer& w, std::string& out) {
    w.end_object();
    out += "\n\n";
  }

  json::Writer block_event(std::string_view type, std::string& out) const {
    json::Writer w = event(type, out);
    w.member("index", current_);
    return w;
  }

  void open(size_t index, const Part& part, std::string& out) {
    current_ = index;
    open_ = true;
    json::Writer w = block_event("content_block_start", out);
    w.key("content_block");
    write_empty_block(w, part);
    finish_event(w, out);
    if (index != 0) return;
    json::Writer ping = event("ping", out);
    finish_event(ping, out);
  }

  void close(const Part& part, std::string& out) {
    open_ = false;
    if (part.kind == PartKind::reasoning) {
      json::Writer w = block_event("content_block_delta", out);
      w.key("delta").begin_object().member("type", "signature_delta").member("signature", simulated_signature(part));
      w.end_object();
      finish_event(w, out);
    }
    json::Writer w = block_event("content_block_stop", out);
    finish_event(w, out);
  }

  const AnswerContext& context_;
  ChoiceCursor cursor_;
  size_t current_ = 0;
  bool open_ = false;
};

}  // namespace

std::unique_ptr<StreamWriter> anthropic_stream(const AnswerContext& context) {
  return std::make_unique<MessagesStream>(context);
}

std::string anthropic_answer(const AnswerContext& context, const UsageCount& usage) {
  const Choice& choice = context.plan.choices[0];
  std::string out;
  json::Writer w(out);
  open_message(w, context);
  w.key("content").begin_array();
  for (const Part& part : choice.parts) write_block(w, part);
  w.end_array().member("stop_reason", stop_reason(choice)).text_or_null("stop_sequence", choice.stop_sequence);
  w.key("usage");
  write_usage(w, context, usage, usage.output, true);
  w.end_object();
  return out;
}

}  // namespace llmgw::simulator
