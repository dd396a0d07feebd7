#include "dialects/gemini/answer_json.h"

#include <algorithm>
#include <array>

#include "chat/arguments.h"
#include "dialects/gemini/envelope.h"
#include "dialects/gemini/parts.h"

namespace llmgw::dialects::gemini {

using chat::Part;
using chat::PartKind;

AnswerStyle::AnswerStyle(const AnswerContext& answer_context)
    : context(answer_context),
      service(service_of(answer_context.request->from)),
      native(chat::native_minter(service == Service::vertex ? chat::Dialect::vertex : chat::Dialect::gemini)) {}

std::string response_id(std::string_view provider_id, std::string_view request_id) {
  constexpr std::array<std::string_view, 6> kOthers{"chatcmpl", "resp_", "msg_", "gen-", "cmpl-", "chat-"};
  constexpr size_t kIdBytesMax = 64;
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  const bool other = std::ranges::any_of(kOthers, [&](std::string_view p) { return provider_id.starts_with(p); });
  if (!other && !provider_id.empty() && provider_id.size() <= kIdBytesMax && std::ranges::all_of(provider_id, is_word))
    return std::string(provider_id);
  std::string id;
  for (const char c : request_id.substr(0, kIdBytesMax))
    if (is_word(c)) id += c;
  return id;
}

std::string_view signature_of(const Part& part, const AnswerStyle& style) {
  if (!part.has_signature()) return {};
  return signature_text(*part.signature, style.native, style.context.arena);
}

namespace {

void write_call(json::Writer& w, const Part& part, std::string_view arguments) {
  w.key("functionCall").begin_object();
  if (!part.id.empty()) w.member("id", part.id);
  w.member("name", part.name).raw_member("args", arguments).end_object();
}

}  // namespace

bool write_part(json::Writer& w, const Part& part, std::string_view signature, const AnswerStyle& style) {
  const bool own_opaque = part.kind == PartKind::opaque && is_gemini(part.origin);
  if (own_opaque) {
    write_opaque(w, part.text, signature);
    return true;
  }
  const bool media = part.media != nullptr && part.media->source != chat::MediaSource::text;
  std::optional<std::string_view> arguments;
  switch (part.kind) {
    case PartKind::opaque:
    case PartKind::tool_result: return false;
    case PartKind::image:
    case PartKind::audio:
    case PartKind::video:
    case PartKind::document:
      if (!media) return false;
      break;
    case PartKind::tool_call:
      arguments = chat::executable_arguments(part, style.context.parser, style.context.arena);
      if (!arguments) return false;
      break;
    default: break;
  }
  w.begin_object();
  switch (part.kind) {
    case PartKind::thinking: w.member("text", part.text).member("thought", true); break;
    case PartKind::tool_call: write_call(w, part, *arguments); break;
    case PartKind::text:
    case PartKind::refusal: w.member("text", part.text); break;
    default: write_media_members(w, *part.media, style.service == Service::vertex ? part.name : std::string_view());
  }
  if (!signature.empty()) w.member("thoughtSignature", signature);
  w.end_object();
  return true;
}

void write_usage(json::Writer& w, const chat::Usage& usage) {
  if (!usage.known()) return;
  const auto prompt = usage.total_input();
  w.key("usageMetadata").begin_object();
  if (prompt) w.member("promptTokenCount", *prompt);
  if (usage.output) {
    w.member("candidatesTokenCount", *usage.output - std::min(*usage.output, usage.reasoning.value_or(0)));
  }
  w.member("totalTokenCount", prompt.value_or(0) + usage.output.value_or(0));
  if (usage.cache_read.value_or(0) > 0) w.member("cachedContentTokenCount", *usage.cache_read);
  if (usage.reasoning.value_or(0) > 0) w.member("thoughtsTokenCount", *usage.reasoning);
  w.end_object();
}

void write_names(json::Writer& w, std::string_view id, int64_t created, const AnswerStyle& style) {
  w.member("modelVersion", style.context.model);
  if (style.service == Service::vertex) w.member("createTime", write_time(created != 0 ? created : style.context.now));
  w.member("responseId", id);
}

void write_finish_members(json::Writer& w, const chat::Choice& choice, bool refused, const AnswerStyle& style) {
  const bool stopped = choice.finish == chat::Finish::stop || choice.finish == chat::Finish::unknown;
  const chat::Finish finish = refused && stopped ? chat::Finish::refusal : choice.finish;
  w.key("finishReason");
  write_finish(w, finish_word_for(finish, choice.native_finish), style.service, style.context.enum_numbers);
  if (!choice.explanation.empty()) w.member("finishMessage", choice.explanation);
}

bool is_blocked_prompt(const chat::Choice& choice) {
  return choice.finish == chat::Finish::filter && choice.native_finish.starts_with(kPromptBlocked);
}

void write_prompt_feedback(json::Writer& w, const chat::Choice& choice, const AnswerStyle& style) {
  w.key("promptFeedback").begin_object().key("blockReason");
  write_block(w, choice.native_finish.substr(kPromptBlocked.size()), style.service, style.context.enum_numbers);
  if (!choice.explanation.empty()) w.member("blockReasonMessage", choice.explanation);
  w.end_object();
}

}  // namespace llmgw::dialects::gemini
