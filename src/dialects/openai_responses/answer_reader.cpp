#include "dialects/openai/error_reader.h"
#include "dialects/openai_responses/functions.h"
#include "dialects/openai_responses/items.h"
#include "json/tree.h"

namespace llmgw::dialects::openai_responses {
namespace {

std::unexpected<chat::ClientError> no_answer(std::string_view message) {
  return std::unexpected(chat::ClientError{.kind = chat::ErrorKind::upstream_failed, .message = message});
}

class AnswerReader {
 public:
  AnswerReader(const ReadContext& context, chat::Answer& answer)
      : context_(context), arena_(context.arena), answer_(answer) {}

  void read(json::Value root) {
    answer_.id = root["id"].string(arena_);
    answer_.model = root["model"].string(arena_);
    answer_.created = root["created_at"].integer().value_or(0);
    answer_.service_tier = root["service_tier"].string(arena_);
    answer_.usage = read_usage(root["usage"]);
    for (const json::Value element : root["output"].elements()) item(element);
    chat::Choice choice = read_finish(root, any_tool_call_, any_refusal_, arena_);
    choice.parts = parts_;
    choice.logprobs = logprobs_;
    answer_.choices.push(arena_, choice);
  }

 private:
  void item(json::Value item) {
    switch (item_type(item)) {
      case ItemType::message: return message(item);
      case ItemType::reasoning: return reasoning(item);
      case ItemType::function_call:
      case ItemType::custom_tool_call: return push(call_part(item, arena_));
      case ItemType::image_generation_call: return push(generated_image(item, arena_));
      default: return push(opaque_part(item));
    }
  }

  void message(json::Value item) {
    const std::string_view id = item["id"].string(arena_);
    const std::string_view phase = item["phase"].string(arena_);
    for (const json::Value element : item["content"].elements()) {
      const chat::Part part = output_part(element, id, phase, arena_);
      if (part.kind == chat::PartKind::text && part.text.empty()) continue;
      push(part);
      if (const json::Value logprobs = element["logprobs"]; logprobs_.empty() && !logprobs.empty()) {
        logprobs_ = logprobs.raw();
      }
    }
  }

  void reasoning(json::Value item) {
    chat::Part part{.kind = chat::PartKind::thinking, .id = item["id"].string(arena_)};
    part.text = reasoning_text(item, arena_);
    part.signature = reasoning_signature(item, context_, part.redacted);
    push(part);
  }

  void push(const chat::Part& part) {
    any_tool_call_ |= part.kind == chat::PartKind::tool_call;
    any_refusal_ |= part.kind == chat::PartKind::refusal;
    parts_.push(arena_, part);
  }

  const ReadContext& context_;
  base::Arena& arena_;
  chat::Answer& answer_;
  chat::List<chat::Part> parts_;
  std::string_view logprobs_;
  bool any_tool_call_ = false;
  bool any_refusal_ = false;
};

}  // namespace

Outcome<void> read_answer(std::string_view body, const ReadContext& context, chat::Answer& answer) {
  const auto parsed = json::parse_tree(context.parser, body, context.arena);
  if (!parsed || !parsed->is_object()) return no_answer("the provider's answer is not the JSON that its API promises");
  const json::Value root = *parsed;
  json::Value error = root["error"];
  if (error.is_unset()) error = openai::error_in(root);
  if (!error.is_unset()) {
    return std::unexpected(openai::read_error_value(error, root, context.arena));
  }
  if (!root["output"].is_array()) return no_answer("the provider's answer has no output");
  const json::Value status = root["status"];
  if (status.is_string() && !status.equals("completed") && !status.equals("incomplete")) {
    return no_answer("the provider ended the response without an answer");
  }
  AnswerReader(context, answer).read(root);
  return {};
}

}  // namespace llmgw::dialects::openai_responses
