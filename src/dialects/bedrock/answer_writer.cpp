#include <string>

#include "chat/arguments.h"
#include "chat/turns.h"
#include "dialects/bedrock/answer_parts.h"
#include "dialects/bedrock/citations.h"
#include "dialects/bedrock/functions.h"
#include "dialects/bedrock/meaning.h"
#include "json/writer.h"

namespace llmgw::dialects::bedrock {

using chat::Part;
using chat::PartKind;
using chat::SignaturePlace;

namespace {

constexpr size_t kToolIdBytesMax = 64;  // shape ToolUseId

class AnswerWriter {
 public:
  AnswerWriter(const AnswerContext& context, std::string& out) : context_(context), writer_(out) {}

  void write(const chat::Answer& answer) {
    chat::Choice choice;
    if (!answer.choices.empty()) choice = answer.choices.front();
    writer_.begin_object().key("output").begin_object().key("message").begin_object();
    writer_.member("role", "assistant").key("content").begin_array();
    for (const Part& part : choice.parts) {
      if (part.kind == PartKind::refusal && choice.finish != chat::Finish::filter)
        choice.finish = chat::Finish::refusal;
      write_part(part);
    }
    writer_.end_array().end_object().end_object();
    writer_.member("stopReason", stop_reason(choice, tool_calls_ > 0)).key("usage");
    write_usage(writer_, answer.usage);
    writer_.key("metrics").begin_object().member("latencyMs", latency_ms(context_)).end_object();
    if (!choice.stop_sequence.empty()) {
      writer_.key("additionalModelResponseFields").begin_object();
      writer_.member("stop_sequence", choice.stop_sequence).end_object();
    }
    writer_.end_object();
  }

 private:
  void write_part(const Part& part) {
    if (part.kind == PartKind::thinking) return thinking(part);
    if (part.has_signature()) {
      const bool alone = part.kind == PartKind::text && part.text.empty();
      reasoning_text({}, signature_text(*part.signature, alone ? SignaturePlace::own_part : SignaturePlace::next_part,
                                        context_.arena));
    }
    switch (part.kind) {
      case PartKind::text:
      case PartKind::refusal: text(part); break;
      case PartKind::tool_call: tool_use(part); break;
      case PartKind::image: image(part); break;
      case PartKind::opaque:
        if (part.origin == chat::Dialect::bedrock) writer_.raw(part.text);
        break;
      default: break;  // Converse has no place for it in an answer
    }
  }

  void text(const Part& part) {
    if (part.text.empty()) return;
    said_.start_part();
    said_.add(part.text);
    writer_.begin_object();
    const std::string_view cited =
        citations_for(part.citations, part.origin, said_, context_.cited(), context_.parser, context_.arena);
    if (!cited.empty()) {
      writer_.key("citationsContent").begin_object().key("content").begin_array();
      writer_.begin_object().member("text", part.text).end_object();
      writer_.end_array().raw_member("citations", cited).end_object();
    } else {
      writer_.member("text", part.text);
    }
    writer_.end_object();
  }

  void thinking(const Part& part) {
    if (part.redacted) {
      if (!part.has_signature()) return;
      writer_.begin_object().key("reasoningContent").begin_object();
      writer_.member("redactedContent", redacted_text(*part.signature, context_.arena)).end_object().end_object();
      return;
    }
    if (part.text.empty() && !part.has_signature()) return;
    reasoning_text(part.text, part.has_signature()
                                  ? signature_text(*part.signature, SignaturePlace::thinking, context_.arena)
                                  : std::string_view{});
  }

  void reasoning_text(std::string_view text, std::string_view signature) {
    writer_.begin_object().key("reasoningContent").begin_object().key("reasoningText").begin_object();
    writer_.member("text", text);
    if (!signature.empty()) writer_.member("signature", signature);
    writer_.end_object().end_object().end_object();
  }

  void tool_use(const Part& part) {
    const auto arguments = chat::executable_arguments(part, context_.parser, context_.arena);
    if (!arguments) return;
    writer_.begin_object().key("toolUse").begin_object();
    writer_.member("toolUseId", tool_use_id(part.id, tool_calls_++, context_)).member("name", part.name);
    writer_.raw_member("input", *arguments);
    writer_.end_object().end_object();
  }

  void image(const Part& part) {
    if (part.media == nullptr || part.media->source != chat::MediaSource::base64) return;
    const std::string_view format = image_format(part.media->media_type);
    if (format.empty()) return;
    writer_.begin_object().key("image").begin_object().member("format", format).key("source").begin_object();
    writer_.member("bytes", part.media->data).end_object().end_object().end_object();
  }

  const AnswerContext& context_;
  json::Writer writer_;
  SaidText said_;
  uint32_t tool_calls_ = 0;
};

}  // namespace

std::string_view tool_use_id(std::string_view id, uint32_t number, const AnswerContext& context) {
  if (id.empty()) id = chat::mint_tool_id(context.request_id, number, context.arena);
  return chat::fit_tool_id(id, chat::ToolIdRule::bedrock, kToolIdBytesMax, context.arena);
}

std::string_view signature_text(const chat::Signature& signature, SignaturePlace place, base::Arena& arena) {
  const bool own = signature.minter == chat::Minter::bedrock && place == SignaturePlace::thinking;
  // A gateway behind this one may have tagged it already: that tag must stay.
  if (own && signature.id.empty() && !signature.data.starts_with(chat::kSignatureTag)) return signature.data;
  chat::Signature moved = signature;
  moved.place = place;
  return chat::wrap_signature(moved, arena);
}

std::string_view redacted_text(const chat::Signature& signature, base::Arena& arena) {
  // Bedrock's own is base64 already.
  if (signature.minter == chat::Minter::bedrock && signature.id.empty()) return signature.data;
  return chat::wrap_signature_base64(signature, arena);
}

void write_answer(const chat::Answer& answer, const AnswerContext& context, std::string& out) {
  AnswerWriter(context, out).write(answer);
}

}  // namespace llmgw::dialects::bedrock
