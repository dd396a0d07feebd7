// POST /v1/responses.
#include <algorithm>

#include "json/writer.h"
#include "simulator/answer_writer.h"

namespace llmgw::simulator {

namespace {

constexpr size_t kObfuscatedBytes = 16;

std::string item_id(const AnswerContext& context, const Part& part, size_t index) {
  const std::string_view prefix = part.kind == PartKind::reasoning   ? "rs_"
                                  : part.kind == PartKind::tool_call ? "fc_"
                                                                     : "msg_";
  return std::string(prefix) + context.id + std::to_string(index);
}

enum class ItemState : uint8_t { added, done, incomplete };

void write_text_part(json::Writer& w, std::string_view text) {
  w.begin_object().member("type", "output_text").key("annotations").begin_array().end_array();
  w.key("logprobs").begin_array().end_array().member("text", text).end_object();
}

void write_summary_part(json::Writer& w, std::string_view text) {
  w.begin_object().member("type", "summary_text").member("text", text).end_object();
}

void write_item(json::Writer& w, const AnswerContext& context, const Part& part, size_t index, ItemState state) {
  const bool done = state != ItemState::added;
  const std::string_view status = state == ItemState::added        ? "in_progress"
                                  : state == ItemState::incomplete ? "incomplete"
                                                                   : "completed";
  w.begin_object().member("id", item_id(context, part, index));
  switch (part.kind) {
    case PartKind::reasoning:
      w.member("type", "reasoning").key("summary").begin_array();
      if (done && context.request.reasoning_shown) write_summary_part(w, part.text);
      w.end_array();
      break;
    case PartKind::tool_call:
      w.member("type", "function_call").member("status", status);
      w.member("arguments", done ? std::string_view(part.text) : std::string_view{});
      w.member("call_id", "call_" + part.id).member("name", part.name);
      break;
    case PartKind::text:
      w.member("type", "message").member("status", status).key("content").begin_array();
      if (done) write_text_part(w, part.text);
      w.end_array().member("role", "assistant");
      break;
  }
  w.end_object();
}

std::string_view incomplete_reason(const Choice& choice) {
  if (choice.finish == Finish::length) return "max_output_tokens";
  if (choice.finish == Finish::content_filter) return "content_filter";
  return {};
}

ItemState final_state(const Choice& choice, size_t index) {
  const bool cut = choice.finish == Finish::length && index + 1 == choice.parts.size();
  return cut ? ItemState::incomplete : ItemState::done;
}

void write_usage(json::Writer& w, const UsageCount& usage) {
  w.begin_object().member("input_tokens", usage.prompt).key("input_tokens_details").begin_object();
  w.member("cached_tokens", usage.cached).end_object().member("output_tokens", usage.output);
  w.key("output_tokens_details").begin_object().member("reasoning_tokens", usage.reasoning).end_object();
  w.member("total_tokens", usage.prompt + usage.output).end_object();
}

// The response object: as it is while it is made (no usage), failed (with an error), or at its end.
void write_response(json::Writer& w, const AnswerContext& context, const UsageCount* usage, const ApiError* error) {
  const Choice& choice = context.plan.choices[0];
  const std::string_view incomplete = usage != nullptr ? incomplete_reason(choice) : std::string_view{};
  const std::string_view status = error != nullptr     ? "failed"
                                  : usage == nullptr   ? "in_progress"
                                  : incomplete.empty() ? "completed"
                                                       : "incomplete";
  w.begin_object().member("id", "resp_" + context.id).member("object", "response");
  w.member("created_at", context.created_unix_s).member("status", status);
  w.key("error");
  if (error != nullptr) {
    w.begin_object().member("code", error->status == 429 ? "rate_limit_exceeded" : "server_error");
    w.member("message", error->message).end_object();
  } else {
    w.null();
  }
  w.key("incomplete_details");
  if (incomplete.empty()) {
    w.null();
  } else {
    w.begin_object().member("reason", incomplete).end_object();
  }
  w.member("model", context.model).key("output").begin_array();
  for (size_t i = 0; usage != nullptr && i < choice.parts.size(); ++i) {
    write_item(w, context, choice.parts[i], i, final_state(choice, i));
  }
  w.end_array();
  for (const auto& [name, text] : context.request.repeated) w.raw_member(name, text);
  w.key("usage");
  if (usage == nullptr) {
    w.null();
  } else {
    write_usage(w, *usage);
  }
  w.end_object();
}

class ResponsesStream final : public StreamWriter {
 public:
  explicit ResponsesStream(const AnswerContext& context) : context_(context), cursor_(context.plan.choices[0]) {}

  void begin(const UsageCount&, std::string& out) override {
    for (const std::string_view type : {"response.created", "response.in_progress"}) {
      whole_response(type, nullptr, nullptr, out);
    }
  }

  void step(std::string& out) override {
    const auto piece = cursor_.next();
    if (!piece) return;
    const Part& part = parts()[piece->part];
    if (piece->begins_part) open(piece->part, out);
    if (part.kind != PartKind::reasoning || context_.request.reasoning_shown) delta(part, *piece, out);
    if (piece->ends_part) close(out);
  }

  void end(const UsageCount& usage, std::string& out) override {
    if (open_) close(out);
    const bool whole = incomplete_reason(context_.plan.choices[0]).empty();
    whole_response(whole ? "response.completed" : "response.incomplete", &usage, nullptr, out);
  }

  void fail(const ApiError& error, std::string& out) override {
    json::Writer w = event("error", out);
    w.member("code", error.code.empty() ? std::string_view("server_error") : std::string_view(error.code));
    w.member("message", error.message).text_or_null("param", error.param);
    finish_event(w, out);
    whole_response("response.failed", nullptr, &error, out);
  }

 private:
  const std::vector<Part>& parts() const { return context_.plan.choices[0].parts; }

  json::Writer event(std::string_view type, std::string& out) {
    out += "event: ";
    out += type;
    out += "\ndata: ";
    json::Writer w(out);
    w.begin_object().member("type", type).member("sequence_number", sequence_++);
    return w;
  }
  static void finish_event(json::Writer& w, std::string& out) {
    w.end_object();
    out += "\n\n";
  }

  void whole_response(std::string_view type, const UsageCount* usage, const ApiError* error, std::string& out) {
    json::Writer w = event(type, out);
    w.key("response");
    write_response(w, context_, usage, error);
    finish_event(w, out);
  }

  json::Writer item_event(std::string_view type, std::string& out) {
    json::Writer w = event(type, out);
    w.member("output_index", current_);
    return w;
  }

  // An event about a part of the current item.
  json::Writer part_event(std::string_view type, std::string_view index_name, std::string& out) {
    json::Writer w = event(type, out);
    w.member("item_id", item_id(context_, parts()[current_], current_)).member("output_index", current_);
    if (!index_name.empty()) w.member(index_name, 0);
    return w;
  }

  void whole_item(std::string_view type, ItemState state, std::string& out) {
    json::Writer w = item_event(type, out);
    w.key("item");
    write_item(w, context_, parts()[current_], current_, state);
    finish_event(w, out);
  }

  void text_part(std::string_view type, std::string_view text, std::string& out) {
    json::Writer w = part_event(type, "content_index", out);
    w.key("part");
    write_text_part(w, text);
    finish_event(w, out);
  }

  void summary_part(std::string_view type, std::string_view text, std::string& out) {
    json::Writer w = part_event(type, "summary_index", out);
    w.key("part");
    write_summary_part(w, text);
    finish_event(w, out);
  }

  void open(size_t index, std::string& out) {
    current_ = index;
    open_ = true;
    whole_item("response.output_item.added", ItemState::added, out);
    const PartKind kind = parts()[index].kind;
    if (kind == PartKind::text) text_part("response.content_part.added", {}, out);
    if (kind == PartKind::reasoning && context_.request.reasoning_shown) {
      summary_part("response.reasoning_summary_part.added", {}, out);
    }
  }

  void delta(const Part& part, const ChoiceCursor::Piece& piece, std::string& out) {
    const bool call = part.kind == PartKind::tool_call;
    const bool text = part.kind == PartKind::text;
    json::Writer w = part_event(call   ? "response.function_call_arguments.delta"
                                : text ? "response.output_text.delta"
                                       : "response.reasoning_summary_text.delta",
                                call   ? std::string_view{}
                                : text ? "content_index"
                                       : "summary_index",
                                out);
    w.member("delta", piece.text);
    if (text) w.key("logprobs").begin_array().end_array();
    if (context_.request.include_obfuscation) {
      w.member("obfuscation", std::string(kObfuscatedBytes - std::min(piece.text.size(), kObfuscatedBytes - 1), 'x'));
    }
    finish_event(w, out);
  }

  void close(std::string& out) {
    open_ = false;
    const Part& part = parts()[current_];
    if (part.kind == PartKind::tool_call) {
      json::Writer w = part_event("response.function_call_arguments.done", {}, out);
      w.member("name", part.name).member("arguments", part.text);
      finish_event(w, out);
    } else if (part.kind == PartKind::text) {
      json::Writer w = part_event("response.output_text.done", "content_index", out);
      w.member("text", part.text).key("logprobs").begin_array().end_array();
      finish_event(w, out);
      text_part("response.content_part.done", part.text, out);
    } else if (context_.request.reasoning_shown) {
      json::Writer w = part_event("response.reasoning_summary_text.done", "summary_index", out);
      w.member("text", part.text);
      finish_event(w, out);
      summary_part("response.reasoning_summary_part.done", part.text, out);
    }
    whole_item("response.output_item.done", final_state(context_.plan.choices[0], current_), out);
  }

  const AnswerContext& context_;
  ChoiceCursor cursor_;
  size_t sequence_ = 0;
  size_t current_ = 0;
  bool open_ = false;
};

}  // namespace

std::unique_ptr<StreamWriter> openai_responses_stream(const AnswerContext& context) {
  return std::make_unique<ResponsesStream>(context);
}

std::string openai_responses_answer(const AnswerContext& context, const UsageCount& usage) {
  std::string out;
  json::Writer w(out);
  write_response(w, context, &usage, nullptr);
  return out;
}

}  // namespace llmgw::simulator
