#include "dialects/cohere/citations.h"
#include "dialects/cohere/functions.h"
#include "dialects/cohere/words.h"

namespace llmgw::dialects::cohere {
namespace {

using chat::Part;
using chat::PartKind;

class MessageWriter {
 public:
  MessageWriter(json::Writer& w, const AnswerContext& context) : w_(w), context_(context) {}

  void write(const chat::List<Part>& parts) {
    bool any_call = false;
    for (const Part& part : parts) any_call |= part.kind == PartKind::tool_call;
    w_.begin_object().member("role", "assistant");
    content(parts);
    if (any_call) calls(parts);
    citations(parts);
    w_.end_object();
  }

 private:
  static bool is_content(const Part& part) {
    return part.kind == PartKind::thinking || part.kind == PartKind::text || part.kind == PartKind::refusal;
  }

  // What is said before tools are called too, though Cohere's own models say that as `tool_plan`: of a stream nobody
  // knows that calls will come, and an answer is to be the same streamed and not.
  void content(const chat::List<Part>& parts) {
    bool any = false;
    for (const Part& part : parts) any |= is_content(part);
    if (!any) return;
    w_.key("content").begin_array();
    for (const Part& part : parts) {
      if (!is_content(part)) continue;
      const bool thinking = part.kind == PartKind::thinking;
      w_.begin_object()
          .member("type", thinking ? "thinking" : "text")
          .member(thinking ? "thinking" : "text", part.text);
      write_signature(w_, part, context_.arena);
      w_.end_object();
    }
    w_.end_array();
  }

  void calls(const chat::List<Part>& parts) {
    w_.key("tool_calls").begin_array();
    for (const Part& part : parts) {
      if (part.kind != PartKind::tool_call) continue;
      w_.begin_object().member("id", part.id).member("type", "function").key("function").begin_object();
      w_.member("name", part.name).member("arguments", part.text.empty() ? "{}" : part.text).end_object();
      write_signature(w_, part, context_.arena);
      w_.end_object();
    }
    w_.end_array();
  }

  void citations(const chat::List<Part>& parts) {
    std::string all;
    SaidText said;
    for (const Part& part : parts) {
      if (part.kind != PartKind::text && part.kind != PartKind::refusal) continue;
      said.start_part();
      said.add(part.text);
      if (part.citations.empty()) continue;
      const std::string some =
          citations_from(part.citations, part.origin, said, context_.cited(), context_.parser, context_.arena);
      if (!some.empty() && !all.empty()) all += ',';
      all += some;
    }
    if (!all.empty()) w_.key("citations").begin_array().raw(all).end_array();
  }

  json::Writer& w_;
  const AnswerContext& context_;
};

}  // namespace

void write_answer(const chat::Answer& answer, const AnswerContext& context, std::string& out) {
  json::Writer w(out);
  const chat::Choice empty;
  const chat::Choice& choice = answer.choices.empty() ? empty : answer.choices.front();
  w.begin_object().member("id", answer_id(answer.id, context.request_id)).key("message");
  MessageWriter(w, context).write(choice.parts);
  w.member("finish_reason", finish_word(choice));
  if (answer.usage.known()) {
    w.key("usage");
    write_usage(w, answer.usage);
  }
  if (!choice.logprobs.empty()) {
    w.key("logprobs");
    write_logprobs(w, choice.logprobs, context.parser, context.arena);
  }
  w.end_object();
}

}  // namespace llmgw::dialects::cohere
