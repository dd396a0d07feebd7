#include "dialects/anthropic/meaning.h"

#include <array>

namespace llmgw::dialects::anthropic {

using chat::ErrorKind;
using chat::Finish;

namespace {

struct Reason {
  std::string_view word;
  Finish finish;
};

// The first of a finish is the one that is written. "compaction" ends an answer that only summed the conversation up.
constexpr std::array<Reason, 8> kReasons{{
    {"end_turn", Finish::stop},
    {"stop_sequence", Finish::stop},
    {"compaction", Finish::stop},
    {"max_tokens", Finish::length},
    {"model_context_window_exceeded", Finish::length},
    {"tool_use", Finish::tool},
    {"pause_turn", Finish::pause},
    {"refusal", Finish::refusal},
}};

struct ErrorType {
  std::string_view word;
  ErrorKind kind;
};

constexpr std::array<ErrorType, 10> kErrorTypes{{
    {"invalid_request_error", ErrorKind::invalid_request},
    {"authentication_error", ErrorKind::authentication},
    {"billing_error", ErrorKind::quota_exceeded},
    {"permission_error", ErrorKind::permission},
    {"not_found_error", ErrorKind::model_not_found},
    {"request_too_large", ErrorKind::too_large},
    {"rate_limit_error", ErrorKind::rate_limited},
    {"timeout_error", ErrorKind::upstream_timeout},
    {"overloaded_error", ErrorKind::overloaded},
    {"api_error", ErrorKind::upstream_failed},
}};

void write_count(json::Writer& writer, std::string_view name, const std::optional<uint64_t>& count) {
  writer.key(name);
  if (count) {
    writer.value(*count);
  } else {
    writer.null();
  }
}

}  // namespace

void read_stop(json::Value holder, base::Arena& arena, chat::Choice& choice) {
  for (const json::Member member : holder.members()) {
    if (member.value.is_unset()) continue;
    if (member.is("stop_reason")) {
      choice.native_finish = member.value.string(arena);
      for (const Reason& reason : kReasons) {
        if (reason.word == choice.native_finish) choice.finish = reason.finish;
      }
      choice.context_window = choice.native_finish == "model_context_window_exceeded";
      choice.at_sequence = choice.native_finish == "stop_sequence";
    } else if (member.is("stop_sequence")) {
      choice.stop_sequence = member.value.string(arena);
    } else if (member.is("stop_details")) {
      choice.explanation = member.value["explanation"].string(arena);
    }
  }
}

Stop stop_of(const chat::Choice& choice, bool any_tool_call) {
  switch (choice.finish) {
    case Finish::length: return {.reason = choice.context_window ? "model_context_window_exceeded" : "max_tokens"};
    case Finish::pause: return {.reason = "pause_turn"};
    case Finish::filter:
    case Finish::refusal: return {.reason = "refusal", .explanation = choice.explanation};
    // There is no word for it, and a clean end it is not.
    case Finish::malformed_tool:
      return {.reason = "refusal",
              .explanation =
                  choice.explanation.empty() ? "The model tried to call a tool and failed." : choice.explanation};
    case Finish::stop:
    case Finish::tool:
    case Finish::unknown: break;
  }
  if (any_tool_call) return {.reason = "tool_use"};
  if (choice.at_sequence) return {.reason = "stop_sequence", .sequence = choice.stop_sequence};
  return {.reason = "end_turn"};
}

void write_stop(json::Writer& writer, const Stop& stop) {
  writer.member("stop_reason", stop.reason).text_or_null("stop_sequence", stop.sequence);
  if (stop.reason != "refusal") return;
  writer.key("stop_details")
      .begin_object()
      .member("type", "refusal")
      .null_member("category")
      .text_or_null("explanation", stop.explanation)
      .end_object();
}

void read_usage(json::Value usage, chat::Usage& into) {
  const auto take = [](json::Value value, std::optional<uint64_t>& count) {
    if (const auto number = value.unsigned_integer()) count = number;
  };
  for (const json::Member member : usage.members()) {
    if (member.is("input_tokens")) take(member.value, into.input);
    if (member.is("output_tokens")) take(member.value, into.output);
    if (member.is("cache_read_input_tokens")) take(member.value, into.cache_read);
    if (member.is("cache_creation_input_tokens")) take(member.value, into.cache_write);
    if (member.is("cache_creation")) take(member.value["ephemeral_1h_input_tokens"], into.cache_write_1h);
    if (member.is("output_tokens_details")) take(member.value["thinking_tokens"], into.reasoning);
  }
}

void write_usage(json::Writer& writer, const chat::Usage& usage, std::string_view service_tier) {
  writer.begin_object().member("input_tokens", usage.input.value_or(0));
  write_count(writer, "cache_creation_input_tokens", usage.cache_write);
  write_count(writer, "cache_read_input_tokens", usage.cache_read);
  if (usage.cache_write && usage.cache_write_1h && *usage.cache_write >= *usage.cache_write_1h) {
    writer.key("cache_creation")
        .begin_object()
        .member("ephemeral_5m_input_tokens", *usage.cache_write - *usage.cache_write_1h)
        .member("ephemeral_1h_input_tokens", *usage.cache_write_1h)
        .end_object();
  }
  writer.member("output_tokens", usage.output.value_or(0));
  if (usage.reasoning) {
    writer.key("output_tokens_details").begin_object().member("thinking_tokens", *usage.reasoning).end_object();
  }
  if (service_tier == "default") service_tier = "standard";
  if (service_tier == "standard" || service_tier == "priority" || service_tier == "batch") {
    writer.member("service_tier", service_tier);
  }
  writer.end_object();
}

ErrorKind error_kind(std::string_view type, ErrorKind otherwise) {
  for (const ErrorType& known : kErrorTypes) {
    if (known.word == type) return known.kind;
  }
  return otherwise;
}

}  // namespace llmgw::dialects::anthropic
