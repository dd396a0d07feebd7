#include "dialects/bedrock/block_reader.h"
#include "dialects/bedrock/functions.h"
#include "dialects/bedrock/meaning.h"

namespace llmgw::dialects::bedrock {
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
  const json::Value output = (*root)["output"];
  const json::Value stop = (*root)["stopReason"];
  if (!output.is_object() && !stop.is_string()) {
    // Errors of AWS's front end come with status 200 now and then.
    chat::ClientError error = error_of(body, {}, 0, context, context.arena);
    return std::unexpected(error);
  }
  chat::Choice choice;
  read_usage((*root)["usage"], answer.usage);
  answer.service_tier = (*root)["serviceTier"]["type"].string(context.arena);
  read_stop_reason(stop.string(context.arena), choice);
  choice.stop_sequence = (*root)["additionalModelResponseFields"]["stop_sequence"].string(context.arena);
  BlockReader blocks(context, false);
  TRY_VOID(blocks.read(output["message"]["content"], "output.message.content", choice.parts));
  settle_finish(choice);
  answer.choices.push(context.arena, choice);
  return {};
}

}  // namespace llmgw::dialects::bedrock
