// generateContent and streamGenerateContent.
#include "json/writer.h"
#include "simulator/answer_writer.h"

namespace llmgw::simulator {

namespace {

struct FinishName {
  std::string_view name;
  int number;  // with enum-encoding=int
};

FinishName finish_reason(const Choice& choice) {
  switch (choice.finish) {
    case Finish::length: return {"MAX_TOKENS", 2};
    case Finish::content_filter: return {"SAFETY", 3};
    default: return {"STOP", 1};  // for tool calls, too
  }
}

void write_modality(json::Writer& w, const AnswerContext& context, std::string_view name, size_t tokens) {
  w.key(name).begin_array().begin_object().key("modality");
  if (context.surface.integer_enums) {
    w.value(1);
  } else {
    w.value("TEXT");
  }
  w.member("tokenCount", tokens).end_object().end_array();
}

// `output` without the thoughts.
void write_usage(json::Writer& w, const AnswerContext& context, const UsageCount& usage, size_t output,
                 size_t thoughts) {
  w.key("usageMetadata").begin_object().member("promptTokenCount", usage.prompt);
  w.member("candidatesTokenCount", output).member("totalTokenCount", usage.prompt + output + thoughts);
  if (usage.cached > 0) w.member("cachedContentTokenCount", usage.cached);
  write_modality(w, context, "promptTokensDetails", usage.prompt);
  if (thoughts > 0) w.member("thoughtsTokenCount", thoughts);
  w.end_object();
}

void write_text_part(json::Writer& w, PartKind kind, std::string_view text) {
  w.begin_object().member("text", text);
  if (kind == PartKind::reasoning) w.member("thought", true);
  w.end_object();
}

void write_call_part(json::Writer& w, const AnswerContext& context, const Part& part, bool signed_part) {
  w.begin_object().key("functionCall").begin_object().member("name", part.name);
  w.raw_member("args", arguments_object(part)).end_object();
  if (signed_part && context.request.reasoning) w.member("thoughtSignature", simulated_signature(part));
  w.end_object();
}

void write_finish(json::Writer& w, const AnswerContext& context, const Choice& choice) {
  const FinishName finish = finish_reason(choice);
  w.key("finishReason");
  if (context.surface.integer_enums) {
    w.value(finish.number);
  } else {
    w.value(finish.name);
  }
}

void write_identity(json::Writer& w, const AnswerContext& context) {
  w.member("modelVersion", context.model).member("responseId", context.id);
}

class GenerateStream final : public StreamWriter {
 public:
  explicit GenerateStream(const AnswerContext& context) : context_(context) {
    for (const Choice& choice : context.plan.choices) cursors_.push_back({ChoiceCursor(choice), false});
  }

  void begin(const UsageCount& usage, std::string&) override { usage_ = usage; }

  void step(std::string& out) override {
    for (size_t i = 0; i < cursors_.size(); ++i) {
      const auto piece = cursors_[i].cursor.next();
      if (!piece) continue;
      const Part& part = context_.plan.choices[i].parts[piece->part];
      ++(part.kind == PartKind::reasoning ? thoughts_ : output_);
      if (part.kind == PartKind::reasoning && !context_.request.reasoning_shown) continue;
      // A call comes whole, with its last token.
      if (part.kind == PartKind::tool_call && !piece->ends_part) continue;
      open_chunk(out);
      json::Writer w(out);
      open_candidate(w);
      if (part.kind == PartKind::tool_call) {
        write_call_part(w, context_, part, !cursors_[i].called);
        cursors_[i].called = true;
      } else {
        write_text_part(w, part.kind, piece->text);
      }
      w.end_array().member("role", "model").end_object().member("index", i);
      close_chunk(w, out);
    }
  }

  void end(const UsageCount& usage, std::string& out) override {
    usage_ = usage;
    for (size_t i = 0; i < cursors_.size(); ++i) {
      open_chunk(out);
      json::Writer w(out);
      open_candidate(w);
      write_text_part(w, PartKind::text, {});
      w.end_array().member("role", "model").end_object();
      write_finish(w, context_, context_.plan.choices[i]);
      w.member("index", i);
      close_chunk(w, out);
    }
    if (!context_.surface.sse) out += ']';
  }

  void fail(const ApiError& error, std::string& out) override {
    // In SSE the error stands bare, not behind "data:".
    Surface bare = context_.surface;
    bare.sse = true;
    if (!context_.surface.sse) out += first_ ? "[" : "\r\n,\r\n";
    write_error_body(bare, error, {}, out);
    // Google's service ends a bare envelope with the stream, not with an empty line.
    out += context_.surface.sse ? "\r\n" : "]";
  }

 private:
  struct Progress {
    ChoiceCursor cursor;
    bool called = false;
  };

  void open_chunk(std::string& out) {
    if (context_.surface.sse) {
      out += "data: ";
    } else {
      out += first_ ? "[" : "\r\n,\r\n";
    }
    first_ = false;
  }

  static void open_candidate(json::Writer& w) {
    w.begin_object().key("candidates").begin_array().begin_object().key("content").begin_object();
    w.key("parts").begin_array();
  }

  void close_chunk(json::Writer& w, std::string& out) const {
    w.end_object().end_array();
    write_usage(w, context_, usage_, output_, thoughts_);
    write_identity(w, context_);
    w.end_object();
    if (context_.surface.sse) out += "\r\n\r\n";
  }

  const AnswerContext& context_;
  std::vector<Progress> cursors_;
  UsageCount usage_;
  size_t output_ = 0;
  size_t thoughts_ = 0;
  bool first_ = true;
};

}  // namespace

std::unique_ptr<StreamWriter> gemini_stream(const AnswerContext& context) {
  return std::make_unique<GenerateStream>(context);
}

std::string gemini_answer(const AnswerContext& context, const UsageCount& usage) {
  std::string out;
  json::Writer w(out);
  w.begin_object().key("candidates").begin_array();
  for (size_t i = 0; i < context.plan.choices.size(); ++i) {
    const Choice& choice = context.plan.choices[i];
    w.begin_object().key("content").begin_object().key("parts").begin_array();
    bool called = false;
    for (const Part& part : choice.parts) {
      if (part.kind == PartKind::reasoning && !context.request.reasoning_shown) continue;
      if (part.kind == PartKind::tool_call && !arguments_whole(part)) continue;
      if (part.kind == PartKind::tool_call) {
        write_call_part(w, context, part, !called);
        called = true;
      } else {
        write_text_part(w, part.kind, part.text);
      }
    }
    w.end_array().member("role", "model").end_object();
    write_finish(w, context, choice);
    w.member("index", i).end_object();
  }
  w.end_array();
  write_usage(w, context, usage, usage.output - usage.reasoning, usage.reasoning);
  write_identity(w, context);
  w.end_object();
  return out;
}

}  // namespace llmgw::simulator
