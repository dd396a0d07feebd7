// POST /v1/chat/completions and /v1/completions, and Azure's form of both.
#include <algorithm>
#include <cmath>

#include "json/writer.h"
#include "simulator/answer_writer.h"

namespace llmgw::simulator {

namespace {

constexpr std::string_view kAzureSafe =
    R"({"hate":{"filtered":false,"severity":"safe"},"self_harm":{"filtered":false,"severity":"safe"},)"
    R"("sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}})";
constexpr size_t kObfuscatedBytes = 16;  // a chunk's text and its padding together

std::string_view finish_reason(const Choice& choice) {
  switch (choice.finish) {
    case Finish::length: return "length";
    case Finish::tool_calls: return "tool_calls";
    case Finish::content_filter: return "content_filter";
    default: return "stop";
  }
}

void write_usage(json::Writer& w, const UsageCount& usage) {
  w.begin_object().member("prompt_tokens", usage.prompt).member("completion_tokens", usage.output);
  w.member("total_tokens", usage.prompt + usage.output);
  w.key("prompt_tokens_details").begin_object().member("cached_tokens", usage.cached).member("audio_tokens", 0);
  w.end_object();
  w.key("completion_tokens_details").begin_object().member("reasoning_tokens", usage.reasoning);
  w.member("audio_tokens", 0).member("accepted_prediction_tokens", 0).member("rejected_prediction_tokens", 0);
  w.end_object().end_object();
}

bool is_azure(const AnswerContext& context) {
  return context.surface.api == Api::azure;
}

void write_prompt_filter(json::Writer& w) {
  w.key("prompt_filter_results").begin_array().begin_object().member("prompt_index", 0);
  w.raw_member("content_filter_results", kAzureSafe).end_object().end_array();
}

// The made-up probability of a token: between 0.5 and 1, the same for the same text.
double logprob_of(std::string_view token) {
  return std::log(0.5 + double(hash_text(token) % 1000) / 2000);
}

void write_one_logprob(json::Writer& w, std::string_view token, double logprob) {
  w.member("token", token).member("logprob", logprob).key("bytes").begin_array();
  for (const char c : token) w.value(int{static_cast<unsigned char>(c)});
  w.end_array();
}

void write_logprob(json::Writer& w, std::string_view token, size_t alternatives) {
  const double logprob = logprob_of(token);
  w.begin_object();
  write_one_logprob(w, token, logprob);
  w.key("top_logprobs").begin_array();
  for (size_t i = 0; i < alternatives; ++i) {
    const std::string other =
        i == 0 ? std::string(token) : make_text(1, hash_text(token) + i, Vocabulary::words, false);
    w.begin_object();
    write_one_logprob(w, other, logprob - double(i));
    w.end_object();
  }
  w.end_array().end_object();
}

void write_logprobs_of(json::Writer& w, const Choice& choice, size_t alternatives) {
  w.begin_object().key("content").begin_array();
  ChoiceCursor cursor(choice);
  while (const auto piece = cursor.next()) {
    if (choice.parts[piece->part].kind == PartKind::text) write_logprob(w, piece->text, alternatives);
  }
  w.end_array().null_member("refusal").end_object();
}

std::string text_of(const Choice& choice) {
  std::string text;
  for (const Part& part : choice.parts) {
    if (part.kind == PartKind::text) text += part.text;
  }
  return text;
}

void write_message(json::Writer& w, const Choice& choice) {
  bool calls = false;
  for (const Part& part : choice.parts) calls = calls || part.kind == PartKind::tool_call;
  const std::string text = text_of(choice);
  w.begin_object().member("role", "assistant").key("content");
  if (calls && text.empty()) {
    w.null();
  } else {
    w.value(std::string_view(text));
  }
  if (calls) {
    w.key("tool_calls").begin_array();
    for (const Part& part : choice.parts) {
      if (part.kind != PartKind::tool_call) continue;
      w.begin_object().member("id", "call_" + part.id).member("type", "function").key("function").begin_object();
      w.member("name", part.name).member("arguments", part.text).end_object().end_object();
    }
    w.end_array();
  }
  w.null_member("refusal").key("annotations").begin_array().end_array().end_object();
}

// The last lines of a stream: a chunk of usage where it was asked for, and the end.
void close_stream(bool with_usage, std::string_view prefix, const UsageCount& usage, std::string& out) {
  if (with_usage) {
    out += prefix;
    out += R"([],"usage":)";
    json::Writer w(out);
    write_usage(w, usage);
    out += "}\n\n";
  }
  out += "data: [DONE]\n\n";
}

void fail_stream(const Surface& surface, const ApiError& error, std::string& out) {
  out += "data: ";
  write_error_body(surface, error, {}, out);
  out += "\n\n";
}

class ChatStream final : public StreamWriter {
 public:
  explicit ChatStream(const AnswerContext& context) : context_(context) {
    for (const Choice& choice : context.plan.choices) cursors_.push_back({ChoiceCursor(choice), 0});
    prefix_ = "data: ";
    json::Writer w(prefix_);
    w.begin_object().member("id", "chatcmpl-" + context.id).member("object", "chat.completion.chunk");
    w.member("created", context.created_unix_s).member("model", context.model).member("service_tier", "default");
    w.member("system_fingerprint", kSystemFingerprint).key("choices");
  }

  void begin(const UsageCount&, std::string& out) override {
    if (is_azure(context_)) write_azure_opening(out);
    for (size_t i = 0; i < cursors_.size(); ++i) {
      const auto& parts = context_.plan.choices[i].parts;
      const bool call_first = !parts.empty() && parts[0].kind == PartKind::tool_call;
      open_choice(i, out);
      out += R"("role":"assistant","content":)";
      out += call_first ? "null" : R"("")";
      out += R"(,"refusal":null})";
      close_choice({}, {}, 0, out);
    }
  }

  void step(std::string& out) override {
    for (size_t i = 0; i < cursors_.size(); ++i) {
      const auto piece = cursors_[i].cursor.next();
      if (!piece) continue;
      const Part& part = context_.plan.choices[i].parts[piece->part];
      if (part.kind == PartKind::text) write_text(i, piece->text, out);
      if (part.kind == PartKind::tool_call) write_call(i, part, *piece, out);
    }
  }

  void end(const UsageCount& usage, std::string& out) override {
    for (size_t i = 0; i < cursors_.size(); ++i) {
      open_choice(i, out);
      out += '}';
      close_choice({}, finish_reason(context_.plan.choices[i]), 0, out);
    }
    close_stream(context_.request.include_usage, prefix_, usage, out);
  }

  void fail(const ApiError& error, std::string& out) override { fail_stream(context_.surface, error, out); }

 private:
  struct Progress {
    ChoiceCursor cursor;
    size_t calls = 0;  // begun
  };

  // Azure's first chunk: about the prompt, of no choice and without an id.
  static void write_azure_opening(std::string& out) {
    out += "data: ";
    json::Writer w(out);
    w.begin_object().key("choices").begin_array().end_array().member("created", 0).member("id", "");
    w.member("model", "").member("object", "");
    write_prompt_filter(w);
    w.end_object();
    out += "\n\n";
  }

  void open_choice(size_t index, std::string& out) const {
    out += prefix_;
    out += R"([{"index":)";
    out += std::to_string(index);
    out += R"(,"delta":{)";
  }

  // Behind the closing brace of the delta.
  void close_choice(std::string_view token, std::string_view finish, size_t text_bytes, std::string& out) const {
    out += R"(,"logprobs":)";
    if (context_.request.logprobs && !token.empty()) {
      json::Writer w(out);
      w.begin_object().key("content").begin_array();
      write_logprob(w, token, context_.request.top_logprobs);
      w.end_array().null_member("refusal").end_object();
    } else {
      out += "null";
    }
    out += R"(,"finish_reason":)";
    if (finish.empty()) {
      out += "null";
    } else {
      out += '"';
      out += finish;
      out += '"';
    }
    if (is_azure(context_)) {
      out += R"(,"content_filter_results":)";
      out += finish.empty() && !token.empty() ? kAzureSafe : "{}";
    }
    out += "}]";
    if (context_.request.include_usage) out += R"(,"usage":null)";
    if (context_.request.include_obfuscation && !is_azure(context_)) {
      out += R"(,"obfuscation":")";
      out.append(kObfuscatedBytes - std::min(text_bytes, kObfuscatedBytes - 1), 'x');
      out += '"';
    }
    out += "}\n\n";
  }

  void write_text(size_t index, std::string_view text, std::string& out) const {
    open_choice(index, out);
    out += R"("content":)";
    json::append_quoted(out, text);
    out += '}';
    close_choice(text, {}, text.size(), out);
  }

  void write_call(size_t index, const Part& part, const ChoiceCursor::Piece& piece, std::string& out) {
    Progress& progress = cursors_[index];
    if (piece.begins_part) {
      ++progress.calls;
      open_choice(index, out);
      json::Writer w(out);
      w.key("tool_calls").begin_array().begin_object().member("index", progress.calls - 1);
      w.member("id", "call_" + part.id).member("type", "function").key("function").begin_object();
      w.member("name", part.name).member("arguments", "").end_object().end_object().end_array();
      out += '}';
      close_choice({}, {}, 0, out);
    }
    open_choice(index, out);
    json::Writer w(out);
    w.key("tool_calls").begin_array().begin_object().member("index", progress.calls - 1);
    w.key("function").begin_object().member("arguments", piece.text).end_object().end_object().end_array();
    out += '}';
    close_choice({}, {}, piece.text.size(), out);
  }

  const AnswerContext& context_;
  std::vector<Progress> cursors_;
  std::string prefix_;  // of every chunk, up to its choices
};

class CompletionsStream final : public StreamWriter {
 public:
  explicit CompletionsStream(const AnswerContext& context) : context_(context) {
    for (const Choice& choice : context.plan.choices) cursors_.emplace_back(choice);
    prefix_ = "data: ";
    json::Writer w(prefix_);
    w.begin_object().member("id", "cmpl-" + context.id).member("object", "text_completion");
    w.member("created", context.created_unix_s).member("model", context.model);
    w.member("system_fingerprint", kSystemFingerprint).key("choices");
  }

  void begin(const UsageCount&, std::string&) override {}

  void step(std::string& out) override {
    for (size_t i = 0; i < cursors_.size(); ++i) {
      if (const auto piece = cursors_[i].next()) chunk(i, piece->text, {}, out);
    }
  }

  void end(const UsageCount& usage, std::string& out) override {
    for (size_t i = 0; i < cursors_.size(); ++i) chunk(i, {}, finish_reason(context_.plan.choices[i]), out);
    close_stream(context_.request.include_usage, prefix_, usage, out);
  }

  void fail(const ApiError& error, std::string& out) override { fail_stream(context_.surface, error, out); }

 private:
  void chunk(size_t index, std::string_view text, std::string_view finish, std::string& out) const {
    out += prefix_;
    json::Writer w(out);
    w.begin_array().begin_object().member("text", text).member("index", index).null_member("logprobs");
    w.text_or_null("finish_reason", finish).end_object().end_array();
    out += context_.request.include_usage ? ",\"usage\":null}\n\n" : "}\n\n";
  }

  const AnswerContext& context_;
  std::vector<ChoiceCursor> cursors_;
  std::string prefix_;
};

}  // namespace

std::unique_ptr<StreamWriter> openai_chat_stream(const AnswerContext& context) {
  return std::make_unique<ChatStream>(context);
}

std::unique_ptr<StreamWriter> openai_completions_stream(const AnswerContext& context) {
  return std::make_unique<CompletionsStream>(context);
}

std::string openai_chat_answer(const AnswerContext& context, const UsageCount& usage) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("id", "chatcmpl-" + context.id).member("object", "chat.completion");
  w.member("created", context.created_unix_s).member("model", context.model).key("choices").begin_array();
  for (size_t i = 0; i < context.plan.choices.size(); ++i) {
    const Choice& choice = context.plan.choices[i];
    w.begin_object().member("index", i).key("message");
    write_message(w, choice);
    w.key("logprobs");
    if (context.request.logprobs) {
      write_logprobs_of(w, choice, context.request.top_logprobs);
    } else {
      w.null();
    }
    w.member("finish_reason", finish_reason(choice));
    if (is_azure(context)) w.raw_member("content_filter_results", kAzureSafe);
    w.end_object();
  }
  w.end_array().key("usage");
  write_usage(w, usage);
  w.member("service_tier", "default").member("system_fingerprint", kSystemFingerprint);
  if (is_azure(context)) write_prompt_filter(w);
  w.end_object();
  return out;
}

std::string openai_completions_answer(const AnswerContext& context, const UsageCount& usage) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("id", "cmpl-" + context.id).member("object", "text_completion");
  w.member("created", context.created_unix_s).member("model", context.model).key("choices").begin_array();
  for (size_t i = 0; i < context.plan.choices.size(); ++i) {
    const Choice& choice = context.plan.choices[i];
    w.begin_object().member("text", text_of(choice)).member("index", i).null_member("logprobs");
    w.member("finish_reason", finish_reason(choice)).end_object();
  }
  w.end_array().key("usage");
  write_usage(w, usage);
  w.member("system_fingerprint", kSystemFingerprint).end_object();
  return out;
}

}  // namespace llmgw::simulator
