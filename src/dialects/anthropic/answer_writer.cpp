#include <string>

#include "chat/arguments.h"
#include "chat/turns.h"
#include "dialects/anthropic/answer_parts.h"
#include "dialects/anthropic/citations.h"
#include "dialects/anthropic/functions.h"
#include "dialects/anthropic/meaning.h"
#include "json/writer.h"

namespace llmgw::dialects::anthropic {

using chat::Part;
using chat::PartKind;
using chat::SignaturePlace;

namespace {

constexpr size_t kToolIdBytesMax = 64;  // Anthropic names no bound; other providers, where the id may go next, do

class AnswerWriter {
 public:
  AnswerWriter(const AnswerContext& context, std::string& out) : context_(context), writer_(out) {}

  void write(const chat::Answer& answer) {
    writer_.begin_object()
        .member("id", message_id(answer.id, context_))
        .member("type", "message")
        .member("role", "assistant")
        .member("model", context_.model)
        .key("content")
        .begin_array();
    chat::Choice choice;
    if (!answer.choices.empty()) choice = answer.choices.front();
    std::string refusal;
    for (const Part& part : choice.parts) {
      if (part.kind == PartKind::refusal) refusal += part.text;
      write_part(part);
    }
    writer_.end_array();
    if (!refusal.empty()) {
      // Anthropic shows the words of a refusal beside the content, not in it.
      choice.finish = chat::Finish::refusal;
      choice.explanation = refusal;
    }
    write_stop(writer_, stop_of(choice, tool_calls_ > 0));
    writer_.key("usage");
    write_usage(writer_, answer.usage, answer.service_tier);
    writer_.end_object();
  }

 private:
  void write_part(const Part& part) {
    if (part.kind == PartKind::thinking) return thinking(part);
    if (part.has_signature()) {
      const bool alone = part.kind == PartKind::text && part.text.empty();
      signature_block(*part.signature, alone ? SignaturePlace::own_part : SignaturePlace::next_part);
    }
    switch (part.kind) {
      case PartKind::text: text(part); break;
      case PartKind::tool_call: tool_use(part); break;
      case PartKind::opaque:
        if (part.origin == chat::Dialect::anthropic) writer_.raw(part.text);
        break;
      default: break;  // Anthropic's models show no media
    }
  }

  void text(const Part& part) {
    if (part.text.empty()) return;
    said_.start_part();
    said_.add(part.text);
    writer_.begin_object().member("type", "text").member("text", part.text);
    const std::string_view cited =
        citations_for(part.citations, part.origin, said_, context_.cited(), context_.parser, context_.arena);
    if (!cited.empty()) writer_.raw_member("citations", cited);
    writer_.end_object();
  }

  void thinking(const Part& part) {
    if (part.redacted) {
      if (!part.has_signature()) return;
      writer_.begin_object()
          .member("type", "redacted_thinking")
          .member("data", signature_text(*part.signature, SignaturePlace::thinking, context_.arena))
          .end_object();
      return;
    }
    if (part.text.empty() && !part.has_signature()) return;
    const std::string_view proof =
        part.has_signature() ? signature_text(*part.signature, SignaturePlace::thinking, context_.arena) : "";
    writer_.begin_object()
        .member("type", "thinking")
        .member("thinking", part.text)
        .member("signature", proof)
        .end_object();
  }

  // Only thinking has a place for a signature here: that of another part goes in front of it.
  void signature_block(const chat::Signature& signature, SignaturePlace place) {
    writer_.begin_object()
        .member("type", "thinking")
        .member("thinking", "")
        .member("signature", signature_text(signature, place, context_.arena))
        .end_object();
  }

  void tool_use(const Part& part) {
    const auto arguments = chat::executable_arguments(part, context_.parser, context_.arena);
    if (!arguments) return;
    writer_.begin_object()
        .member("type", "tool_use")
        .member("id", tool_use_id(part.id, tool_calls_++, context_))
        .member("name", part.name)
        .raw_member("input", *arguments)
        .end_object();
  }

  const AnswerContext& context_;
  json::Writer writer_;
  SaidText said_;
  uint32_t tool_calls_ = 0;
};

}  // namespace

std::string_view message_id(std::string_view provider_id, const AnswerContext& context) {
  if (provider_id.starts_with("msg_")) return provider_id;
  std::string id = "msg_";
  for (const char c : context.request_id) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (word) id += c;
  }
  return context.arena.copy(id);
}

std::string_view tool_use_id(std::string_view id, uint32_t number, const AnswerContext& context) {
  if (id.empty()) id = chat::mint_tool_id(context.request_id, number, context.arena);
  return chat::fit_tool_id(id, chat::ToolIdRule::word, kToolIdBytesMax, context.arena);
}

std::string_view signature_text(const chat::Signature& signature, SignaturePlace place, base::Arena& arena) {
  const bool own = signature.minter == chat::Minter::anthropic && place == SignaturePlace::thinking;
  // A gateway behind this one may have tagged it already: that tag must stay.
  if (own && signature.id.empty() && !signature.data.starts_with(chat::kSignatureTag)) return signature.data;
  chat::Signature moved = signature;
  moved.place = place;
  return chat::wrap_signature(moved, arena);
}

void write_answer(const chat::Answer& answer, const AnswerContext& context, std::string& out) {
  AnswerWriter(context, out).write(answer);
}

}  // namespace llmgw::dialects::anthropic
