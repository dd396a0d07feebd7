#include "dialects/openai_responses/response_object.h"

#include <algorithm>
#include <array>

#include "dialects/openai_responses/items.h"

namespace llmgw::dialects::openai_responses {
namespace {

constexpr size_t kIdBytesMax = 40;  // with a prefix and a number within the 64 that clients may send back

constexpr std::array<std::string_view, 4> kStatusNames{"in_progress", "completed", "incomplete", "failed"};

constexpr bool is_id_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

std::string_view service_tier(std::string_view provider) {
  constexpr std::array<std::string_view, 7> kTiers{"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"};
  if (provider == "standard") return "default";
  return std::ranges::find(kTiers, provider) == kTiers.end() ? std::string_view{} : provider;
}

void write_tool(json::Writer& writer, const chat::Tool& tool) {
  if (tool.kind == chat::ToolKind::opaque) {
    if (tool.origin == chat::Dialect::openai_responses) writer.raw(tool.raw);
    return;
  }
  const bool custom = tool.kind == chat::ToolKind::custom;
  writer.begin_object().member("type", custom ? "custom" : "function").member("name", tool.name);
  if (!tool.description.empty()) writer.member("description", tool.description);
  if (!custom) {
    writer.raw_member("parameters", tool.schema.empty() ? "null" : tool.schema)
        .member("strict", tool.strict.value_or(true));
  } else if (!tool.schema.empty()) {
    writer.raw_member("format", tool.schema);
  }
  writer.end_object();
}

bool is_custom_tool(const chat::Request& request, std::string_view name) {
  return std::ranges::any_of(
      request.tools, [&](const chat::Tool& tool) { return tool.kind == chat::ToolKind::custom && tool.name == name; });
}

void write_named(json::Writer& writer, const chat::Request& request, std::string_view name) {
  writer.begin_object().member("type", is_custom_tool(request, name) ? "custom" : "function");
  writer.member("name", name).end_object();
}

void write_tool_choice(json::Writer& writer, const chat::Request& request) {
  const chat::ToolChoice& choice = request.tool_choice;
  const bool required = choice.mode == chat::ToolChoiceMode::required;
  writer.key("tool_choice");
  if (choice.mode == chat::ToolChoiceMode::named) return write_named(writer, request, choice.name);
  if (choice.mode == chat::ToolChoiceMode::none) return static_cast<void>(writer.value("none"));
  for (const chat::Extra& extra : request.extras) {
    if (extra.name == "tool_choice") return static_cast<void>(writer.raw(extra.value));
  }
  if (choice.allowed.empty()) return static_cast<void>(writer.value(required ? "required" : "auto"));
  writer.begin_object().member("type", "allowed_tools").member("mode", required ? "required" : "auto");
  writer.key("tools").begin_array();
  for (const std::string_view name : choice.allowed) write_named(writer, request, name);
  writer.end_array().end_object();
}

void write_text(json::Writer& writer, const chat::Request& request) {
  const chat::ResponseFormat& format = request.format;
  writer.key("text").begin_object().key("format").begin_object();
  switch (format.kind) {
    case chat::FormatKind::json_object: writer.member("type", "json_object"); break;
    case chat::FormatKind::json_schema:
      writer.member("type", "json_schema").member("name", format.name);
      if (!format.description.empty()) writer.member("description", format.description);
      writer.raw_member("schema", format.schema).member("strict", format.strict.value_or(false));
      break;
    case chat::FormatKind::unset:
    case chat::FormatKind::text: writer.member("type", "text"); break;
  }
  writer.end_object();
  if (!request.verbosity.empty()) writer.member("verbosity", request.verbosity);
  writer.end_object();
}

void write_number(json::Writer& writer, std::string_view key, std::string_view number) {
  writer.raw_member(key, number.empty() ? "null" : number);
}

template <class T>
void write_optional(json::Writer& writer, std::string_view key, const std::optional<T>& value) {
  value ? static_cast<void>(writer.member(key, *value)) : static_cast<void>(writer.null_member(key));
}

void write_instructions(json::Writer& writer, const chat::Request& request) {
  for (const chat::Message& message : request.messages) {
    if (message.id != kInstructionsId || message.parts.empty()) continue;
    writer.member("instructions", message.parts.front().text);
    return;
  }
  writer.null_member("instructions");
}

void write_usage(json::Writer& writer, const chat::Usage& usage) {
  const uint64_t input = usage.total_input().value_or(0);
  const uint64_t output = usage.output.value_or(0);
  writer.key("usage").begin_object().member("input_tokens", input);
  writer.key("input_tokens_details").begin_object().member("cached_tokens", usage.cache_read.value_or(0));
  writer.member("cache_write_tokens", usage.cache_write.value_or(0)).end_object();
  writer.member("output_tokens", output).key("output_tokens_details").begin_object();
  writer.member("reasoning_tokens", usage.reasoning.value_or(0)).end_object();
  writer.member("total_tokens", input + output).end_object();
}

}  // namespace

std::string request_echo(const chat::Request& request) {
  std::string echo;
  json::Writer writer(echo);
  writer.member("background", request.background);
  write_instructions(writer, request);
  write_optional(writer, "max_output_tokens", request.max_tokens);
  writer.member("parallel_tool_calls", request.parallel_tool_calls.value_or(true));
  writer.text_or_null("previous_response_id", request.previous_response_id);
  if (!request.conversation.empty()) {
    writer.key("conversation").begin_object().member("id", request.conversation).end_object();
  }
  writer.text_or_null("prompt_cache_key", request.prompt_cache_key);
  writer.key("reasoning").begin_object().text_or_null("effort", to_string(request.reasoning.effort));
  writer.text_or_null("summary", request.reasoning.summary).end_object();
  writer.null_member("safety_identifier").member("store", request.store.value_or(true));
  write_number(writer, "temperature", request.temperature);
  write_text(writer, request);
  write_tool_choice(writer, request);
  writer.key("tools").begin_array();
  for (const chat::Tool& tool : request.tools) write_tool(writer, tool);
  writer.end_array();
  write_optional(writer, "top_logprobs", request.top_logprobs);
  write_number(writer, "top_p", request.top_p);
  writer.member("truncation", request.truncation.empty() ? "disabled" : request.truncation);
  // The schema takes no null here.
  if (!request.user.empty()) writer.member("user", request.user);
  if (!request.safety_identifier.empty()) writer.member("safety_identifier", request.safety_identifier);
  writer.raw_member("metadata", request.metadata.empty() ? "{}" : request.metadata);
  return echo;
}

void write_response(json::Writer& writer, const ResponseState& state, std::string_view echo) {
  const bool over = state.status != Status::in_progress;
  writer.begin_object().member("id", state.id).member("object", "response").member("created_at", state.created_at);
  writer.member("status", kStatusNames[static_cast<size_t>(state.status)]);
  if (state.status == Status::completed) {
    writer.member("completed_at", state.created_at);
  } else {
    writer.null_member("completed_at");
  }
  if (state.status == Status::failed) {
    writer.key("error").begin_object().member("code", state.error_code);
    writer.member("message", state.error_message).end_object();
  } else {
    writer.null_member("error");
  }
  if (state.status == Status::incomplete) {
    writer.key("incomplete_details").begin_object().member("reason", state.incomplete_reason).end_object();
  } else {
    writer.null_member("incomplete_details");
  }
  writer.member("model", state.model).raw(echo);
  writer.text_or_null("service_tier", service_tier(state.service_tier));
  writer.key("output").begin_array();
  if (!state.output.empty()) writer.raw(state.output);
  writer.end_array();
  // Nor here: until it is known, there is none.
  if (over && state.usage != nullptr && state.usage->known()) write_usage(writer, *state.usage);
  writer.end_object();
}

std::string id_text(std::string_view text) {
  std::string id;
  for (const char c : text) {
    if (is_id_byte(c) && id.size() < kIdBytesMax) id += c;
  }
  return id;
}

std::string response_id(std::string_view request_id) {
  return "resp_" + std::string(kMintedMark) + id_text(request_id);
}

std::string_view failure_code(const chat::ClientError& error) {
  constexpr std::array<std::string_view, 8> kCodes{
      "rate_limit_exceeded", "invalid_prompt",           "bio_policy",           "invalid_image",
      "image_parse_error",   "failed_to_download_image", "vector_store_timeout", "data_residency_mismatch"};
  if (std::ranges::find(kCodes, error.code) != kCodes.end()) return error.code;
  const bool limit = error.kind == chat::ErrorKind::rate_limited || error.kind == chat::ErrorKind::quota_exceeded;
  if (limit) return "rate_limit_exceeded";
  return error.kind == chat::ErrorKind::invalid_request ? "invalid_prompt" : "server_error";
}

}  // namespace llmgw::dialects::openai_responses
