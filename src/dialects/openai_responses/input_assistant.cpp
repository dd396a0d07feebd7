// The half of InputWriter that writes the assistant's turns.
#include <algorithm>
#include <string>

#include "dialects/openai_responses/input_writer.h"
#include "dialects/openai_responses/items.h"

namespace llmgw::dialects::openai_responses {

using chat::Part;
using chat::PartKind;

Outcome<void> InputWriter::write_assistant(const Source& source, const chat::List<Part>& parts) {
  // A message that came with an id, or in several parts, stays one.
  const bool texts = std::ranges::all_of(
      parts, [](const Part& part) { return part.kind == PartKind::text || part.kind == PartKind::refusal; });
  if (own() && texts && !parts.empty() && (source.id.starts_with("msg_") || parts.size() > 1)) {
    write_output_message(source, parts);
    return {};
  }
  for (const Part& part : parts) {
    switch (part.kind) {
      case PartKind::text:
      case PartKind::refusal: write_assistant_text(source, part); break;
      case PartKind::thinking: write_reasoning(source, part); break;
      case PartKind::tool_call: write_call(source, part); break;
      case PartKind::opaque:
        if (part.origin == chat::Dialect::openai_responses) {
          writer_.raw(part.text);
          break;
        }
        [[fallthrough]];
      default: context_.warnings.dropped(path(source), "this API has no such item in the assistant's turns");
    }
  }
  return {};
}

void InputWriter::write_assistant_text(const Source& source, const Part& part) {
  if (part.kind == PartKind::refusal) {
    chat::List<Part> one;
    one.push(context_.arena, part);
    return write_output_message(source, one);
  }
  if (part.text.empty()) return;
  note_json(part.text);
  writer_.begin_object().member("role", "assistant").member("content", part.text);
  if (!source.phase.empty()) writer_.member("phase", source.phase);
  writer_.end_object();
}

void InputWriter::write_output_message(const Source& source, const chat::List<Part>& parts) {
  writer_.begin_object().member("type", "message");
  if (source.id.starts_with("msg_")) {
    writer_.member("id", source.id);
  } else {
    // The schema wants one; nothing is looked up by it where nothing is stored.
    writer_.member("id", "msg_" + std::to_string(minted_++));
  }
  writer_.member("role", "assistant").member("status", "completed").key("content").begin_array();
  for (const Part& part : parts) write_output_text(part);
  writer_.end_array();
  if (!source.phase.empty()) writer_.member("phase", source.phase);
  writer_.end_object();
}

void InputWriter::write_output_text(const Part& part) {
  note_json(part.text);
  if (part.kind == PartKind::refusal) {
    writer_.begin_object().member("type", "refusal").member("refusal", part.text).end_object();
    return;
  }
  const bool annotated = part.origin == chat::Dialect::openai_responses && !part.citations.empty();
  writer_.begin_object().member("type", "output_text").member("text", part.text);
  writer_.raw_member("annotations", annotated ? part.citations : "[]").raw_member("logprobs", "[]").end_object();
}

void InputWriter::write_call(const Source& source, const Part& part) {
  const bool custom = part.custom && target_.custom_tools;
  if (custom) custom_calls_.push(context_.arena, part.id);
  writer_.begin_object().member("type", custom ? "custom_tool_call" : "function_call");
  if (own() && source.id.starts_with(custom ? "ctc_" : "fc_")) writer_.member("id", source.id);
  writer_.member("call_id", part.id).member("name", part.name);
  if (custom) {
    writer_.member("input", part.text);
  } else if (part.custom) {
    std::string arguments;
    json::Writer(arguments).begin_object().member(chat::kCustomInputMember, part.text).end_object();
    writer_.member("arguments", arguments);
  } else {
    writer_.member("arguments", part.text.empty() ? "{}" : part.text);
  }
  writer_.end_object();
}

void InputWriter::write_reasoning(const Source& source, const Part& part) {
  const bool returnable = part.has_signature() && !part.signature->data.empty() &&
                          chat::may_return(*part.signature, target_.minter, target_.model);
  if (!returnable && (target_.reasoning_member.empty() || part.text.empty())) {
    context_.warnings.dropped(path(source), "this model takes back no reasoning but its own, encrypted");
    return;
  }
  writer_.begin_object().member("type", "reasoning");
  const std::string_view id = returnable && !part.signature->id.empty() ? part.signature->id : source.id;
  if (id.starts_with("rs_")) writer_.member("id", id);
  writer_.key("summary").begin_array();
  if (returnable && !part.text.empty()) {
    writer_.begin_object().member("type", "summary_text").member("text", part.text).end_object();
  }
  writer_.end_array();
  if (returnable) {
    writer_.member("encrypted_content", part.signature->data);
  } else {
    writer_.key("content").begin_array().begin_object().member("type", "reasoning_text");
    writer_.member("text", part.text).end_object().end_array();
  }
  writer_.end_object();
}

}  // namespace llmgw::dialects::openai_responses
