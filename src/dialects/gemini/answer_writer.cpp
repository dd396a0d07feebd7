#include <string>

#include "dialects/gemini/answer_json.h"
#include "dialects/gemini/envelope.h"
#include "dialects/gemini/functions.h"

namespace llmgw::dialects::gemini {
namespace {

using chat::Part;
using chat::PartKind;

void write_content(json::Writer& w, const chat::Choice& choice, const AnswerStyle& style) {
  w.key("content").begin_object();
  bool any = false;
  for (const Part& part : choice.parts) {
    if (!any) w.key("parts").begin_array();
    any = true;
    write_part(w, part, signature_of(part, style), style);
  }
  // Old SDKs want a part in an answer that is complete.
  const bool complete = choice.finish == chat::Finish::stop || choice.finish == chat::Finish::unknown;
  if (!any && complete) w.key("parts").begin_array().begin_object().member("text", "").end_object();
  if (any || complete) w.end_array();
  w.member("role", "model").end_object();
}

void write_candidate(json::Writer& w, const chat::Choice& choice, const AnswerStyle& style) {
  bool refused = false;
  w.begin_object();
  write_content(w, choice, style);
  Citations citations;
  SaidText said;
  for (const Part& part : choice.parts) {
    refused |= part.kind == PartKind::refusal;
    if (!is_shown(part.kind)) continue;
    said.start_part();
    said.add(part.text);
    if (!part.citations.empty()) {
      citations.add(part.citations, part.origin, said, style.context.parser, style.context.arena);
    }
  }
  write_finish_members(w, choice, refused, style);
  w.member("index", choice.index);
  citations.write(w, style.service, style.context.parser, style.context.arena);
  write_logprobs(w, choice.logprobs, style.context.parser, style.context.arena);
  w.end_object();
}

}  // namespace

void write_answer(const chat::Answer& answer, const AnswerContext& context, std::string& out) {
  const AnswerStyle style(context);
  json::Writer w(out);
  w.begin_object();
  const bool blocked = answer.choices.size() == 1 && is_blocked_prompt(answer.choices.front());
  if (blocked) {
    write_prompt_feedback(w, answer.choices.front(), style);
  } else {
    w.key("candidates").begin_array();
    for (const chat::Choice& choice : answer.choices) write_candidate(w, choice, style);
    w.end_array();
  }
  write_usage(w, answer.usage);
  write_names(w, response_id(answer.id, context.request_id), answer.created, style);
  w.end_object();
}

}  // namespace llmgw::dialects::gemini
