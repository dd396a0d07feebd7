#include "dialects/anthropic/block_reader.h"
#include "dialects/anthropic/error_body.h"
#include "dialects/anthropic/functions.h"
#include "dialects/anthropic/meaning.h"

namespace llmgw::dialects::anthropic {
namespace {

std::unexpected<chat::ClientError> no_answer(std::string_view message) {
  return std::unexpected(chat::ClientError{.kind = chat::ErrorKind::upstream_failed, .message = message});
}

// A call of the tool that stands for a JSON answer was read as text: then nothing is left to be called.
void settle_finish(chat::Choice& choice) {
  if (choice.finish != chat::Finish::tool) return;
  for (const chat::Part& part : choice.parts) {
    if (part.kind == chat::PartKind::tool_call) return;
  }
  choice.finish = chat::Finish::stop;
}

}  // namespace

Outcome<void> read_answer(std::string_view body, const ReadContext& context, chat::Answer& answer) {
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (!root || !root->is_object()) return no_answer("The provider's answer is not a JSON object.");
  if ((*root)["type"].equals("error") || (*root)["error"].is_object() || is_flat_error(*root)) {
    return std::unexpected(error_of(*root, 0, context.arena));
  }
  chat::Choice choice;
  BlockReader blocks(context, false);
  bool content = false;
  for (const json::Member member : root->members()) {
    if (member.is("id")) answer.id = member.value.string(context.arena);
    if (member.is("model")) answer.model = member.value.string(context.arena);
    if (member.is("usage")) {
      read_usage(member.value, answer.usage);
      answer.service_tier = member.value["service_tier"].string(context.arena);
    }
    if (member.is("content")) {
      content = member.value.is_array();
      TRY_VOID(blocks.read(member.value, "content", choice.parts));
    }
  }
  read_stop(*root, context.arena, choice);
  if (!content && choice.native_finish.empty()) {
    return no_answer("The provider's answer has neither content nor a stop_reason.");
  }
  settle_finish(choice);
  answer.choices.push(context.arena, choice);
  return {};
}

}  // namespace llmgw::dialects::anthropic
