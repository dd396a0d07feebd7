#include "dialects/openai_responses/response_object.h"
#include "dialects/openai_responses/state.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::openai_responses {

std::string pending_response(const chat::Request& request, const BackgroundResponse& background) {
  chat::Request asked = request;
  asked.previous_response_id = background.previous_response_id;
  asked.conversation = background.conversation_id;
  std::string out;
  json::Writer writer(out);
  write_response(
      writer,
      {.status = Status::in_progress, .id = background.id, .created_at = background.created_at, .model = request.model},
      request_echo(asked));
  return out;
}

std::string foreground_request(std::string_view body, bool stream, json::Parser& parser) {
  base::Arena arena;
  std::string out;
  const auto root = json::parse_tree(parser, body, arena);
  if (!root || !root->is_object()) return out;
  json::Writer writer(out);
  writer.begin_object();
  for (const json::Member member : root->members()) {
    const bool memory = member.is("background") || member.is("store") || member.is("stream") ||
                        member.is("previous_response_id") || member.is("conversation");
    if (!memory) writer.raw_member(member.key(arena), member.value.raw());
  }
  writer.member("store", false).member("stream", stream).end_object();
  return out;
}

std::string finished_response(std::string_view response, const BackgroundResponse& background, json::Parser& parser) {
  base::Arena arena;
  std::string out;
  const auto root = json::parse_tree(parser, response, arena);
  if (!root || !root->is_object()) return out;
  json::Writer writer(out);
  writer.begin_object().member("id", background.id).member("created_at", background.created_at);
  writer.member("background", true).member("store", true);
  writer.text_or_null("previous_response_id", background.previous_response_id);
  if (!background.conversation_id.empty()) {
    writer.key("conversation").begin_object().member("id", background.conversation_id).end_object();
  }
  for (const json::Member member : root->members()) {
    const bool known = member.is("id") || member.is("created_at") || member.is("background") || member.is("store") ||
                       member.is("previous_response_id") || member.is("conversation");
    if (!known) writer.raw_member(member.key(arena), member.value.raw());
  }
  writer.end_object();
  return out;
}

std::string failed_response(std::string_view pending, std::string_view error, json::Parser& parser) {
  base::Arena arena;
  std::string_view message = "The gateway could not get an answer.";
  chat::ClientError told{.kind = chat::ErrorKind::upstream_failed, .message = {}};
  if (const auto refusal = json::parse_tree(parser, error, arena)) {
    const json::Value value = (*refusal)["error"];
    if (const std::string_view text = value["message"].string(arena); !text.empty()) message = arena.copy(text);
    told.code = arena.copy(value["code"].string(arena));
    if (value["type"].equals("invalid_request_error")) told.kind = chat::ErrorKind::invalid_request;
  }
  std::string out;
  const auto root = json::parse_tree(parser, pending, arena);
  if (!root) return out;
  json::Writer writer(out);
  writer.begin_object();
  for (const json::Member member : root->members()) {
    if (member.is("status")) {
      writer.member("status", "failed");
    } else if (member.is("error")) {
      writer.key("error").begin_object().member("code", failure_code(told)).member("message", message).end_object();
    } else {
      writer.raw_member(member.key(arena), member.value.raw());
    }
  }
  writer.end_object();
  return out;
}

}  // namespace llmgw::dialects::openai_responses
