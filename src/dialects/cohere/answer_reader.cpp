#include "chat/turns.h"
#include "dialects/cohere/functions.h"
#include "dialects/cohere/message_reader.h"
#include "dialects/cohere/words.h"
#include "dialects/openai/error_reader.h"

namespace llmgw::dialects::cohere {
namespace {

using chat::Part;
using chat::PartKind;

std::unexpected<chat::ClientError> no_answer(std::string_view message) {
  return std::unexpected(chat::ClientError{.kind = chat::ErrorKind::upstream_failed, .message = message});
}

// The JSON answer's tool is the answer; calls without ids get some.
bool settle_calls(chat::List<Part>& parts, const ReadContext& context) {
  uint32_t calls = 0;
  for (Part& part : parts) {
    if (part.kind != PartKind::tool_call) continue;
    if (context.is_format_tool(part.name)) {
      part = {.text = part.text, .name = chat::kFormatToolName};
      continue;
    }
    if (part.id.empty()) part.id = chat::mint_tool_id(context.id_seed, calls, context.arena);
    ++calls;
  }
  return calls > 0;
}

}  // namespace

Outcome<void> read_answer(std::string_view body, const ReadContext& context, chat::Answer& answer) {
  base::Arena& arena = context.arena;
  const auto root = json::parse_tree(context.parser, body, arena);
  if (!root) return no_answer("the provider's answer is not JSON");
  const json::Value message = (*root)["message"];
  if (message.is_string()) return std::unexpected(openai::read_error_value(*root, *root, arena));
  if (!message.is_object()) return no_answer("the provider's answer has no message");
  answer.id = (*root)["id"].string(arena);
  answer.usage = read_usage((*root)["usage"]);
  const std::string_view word = (*root)["finish_reason"].string(arena);
  if (is_failure(word)) return std::unexpected(failure(word, (*root)["error"].string(arena)));
  chat::Choice choice{.finish = finish_from(word), .at_sequence = word == "STOP_SEQUENCE", .native_finish = word};
  // What cannot be understood is left out; the rest still counts.
  (void)read_assistant(message, {}, context, choice.parts);
  const bool any_call = settle_calls(choice.parts, context);
  if (any_call && choice.finish != chat::Finish::length) choice.finish = chat::Finish::tool;
  if (!any_call && choice.finish == chat::Finish::tool) choice.finish = chat::Finish::stop;
  std::string logprobs;
  for (const json::Value item : (*root)["logprobs"].elements()) {
    const std::string token = logprobs_from(item, arena);
    if (token.empty()) continue;
    logprobs += logprobs.empty() ? '[' : ',';
    logprobs += token;
  }
  if (!logprobs.empty()) choice.logprobs = arena.concat(logprobs, "]");
  answer.choices.push(arena, choice);
  return {};
}

}  // namespace llmgw::dialects::cohere
