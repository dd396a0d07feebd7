#include "dialects/bedrock/meaning.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "dialects/provider_error.h"

namespace llmgw::dialects::bedrock {

using chat::ErrorKind;
using chat::Finish;

namespace {

struct Reason {
  std::string_view word;
  Finish finish;
};

constexpr std::array<Reason, 9> kReasons{{
    {"end_turn", Finish::stop},
    {"stop_sequence", Finish::stop},
    {"tool_use", Finish::tool},
    {"max_tokens", Finish::length},
    {"model_context_window_exceeded", Finish::length},
    {"guardrail_intervened", Finish::filter},
    {"content_filtered", Finish::filter},
    {"malformed_tool_use", Finish::malformed_tool},
    {"malformed_model_output", Finish::malformed_tool},
}};

struct Format {
  std::string_view format;
  std::string_view media_type;
};

constexpr std::array<Format, 5> kImages{{{"png", "image/png"},
                                         {"jpeg", "image/jpeg"},
                                         {"gif", "image/gif"},
                                         {"webp", "image/webp"},
                                         {"jpeg", "image/jpg"}}};
constexpr std::array<Format, 10> kDocuments{{
    {"pdf", "application/pdf"},
    {"csv", "text/csv"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"html", "text/html"},
    {"md", "text/markdown"},
    {"txt", "text/plain"},
    {"txt", "application/json"},
}};
constexpr std::array<Format, 9> kVideos{{
    {"mp4", "video/mp4"},
    {"mov", "video/quicktime"},
    {"mkv", "video/x-matroska"},
    {"webm", "video/webm"},
    {"flv", "video/x-flv"},
    {"mpeg", "video/mpeg"},
    {"mpg", "video/mpg"},
    {"wmv", "video/x-ms-wmv"},
    {"three_gp", "video/3gpp"},
}};
constexpr std::array<Format, 9> kAudios{{
    {"mp3", "audio/mpeg"},
    {"mp3", "audio/mp3"},
    {"wav", "audio/wav"},
    {"wav", "audio/x-wav"},
    {"opus", "audio/opus"},
    {"aac", "audio/aac"},
    {"flac", "audio/flac"},
    {"ogg", "audio/ogg"},
    {"m4a", "audio/mp4"},
}};

std::string_view format_of(std::span<const Format> formats, std::string_view media_type) {
  media_type = media_type.substr(0, media_type.find(';'));
  for (const Format& known : formats) {
    if (base::equals_ignoring_case(known.media_type, media_type)) return known.format;
  }
  return {};
}

struct Exception {
  std::string_view name;
  ErrorKind kind;
};

constexpr std::array<Exception, 19> kExceptions{{
    {"AccessDeniedException", ErrorKind::permission},
    {"ConflictException", ErrorKind::conflict},
    {"ExpiredTokenException", ErrorKind::authentication},
    {"IncompleteSignatureException", ErrorKind::authentication},
    {"InternalServerException", ErrorKind::upstream_failed},
    {"InvalidSignatureException", ErrorKind::authentication},
    {"MissingAuthenticationTokenException", ErrorKind::authentication},
    {"ModelErrorException", ErrorKind::upstream_failed},
    {"ModelNotReadyException", ErrorKind::overloaded},
    {"ModelStreamErrorException", ErrorKind::upstream_failed},
    {"ModelTimeoutException", ErrorKind::upstream_timeout},
    {"ResourceNotFoundException", ErrorKind::model_not_found},
    {"ServiceQuotaExceededException", ErrorKind::quota_exceeded},
    {"ServiceUnavailableException", ErrorKind::overloaded},
    {"ThrottlingException", ErrorKind::rate_limited},
    {"TooManyRequestsException", ErrorKind::rate_limited},
    {"UnknownOperationException", ErrorKind::not_found},
    {"UnrecognizedClientException", ErrorKind::authentication},
    {"ValidationException", ErrorKind::invalid_request},
}};

}  // namespace

void read_stop_reason(std::string_view reason, chat::Choice& choice) {
  choice.native_finish = reason;
  for (const Reason& known : kReasons) {
    if (known.word == reason) choice.finish = known.finish;
  }
  choice.context_window = reason == "model_context_window_exceeded";
  choice.at_sequence = reason == "stop_sequence";
}

std::string_view stop_reason(const chat::Choice& choice, bool any_tool_call) {
  switch (choice.finish) {
    case Finish::length: return choice.context_window ? "model_context_window_exceeded" : "max_tokens";
    case Finish::filter:
    case Finish::refusal:
      return choice.native_finish == "guardrail_intervened" ? "guardrail_intervened" : "content_filtered";
    case Finish::malformed_tool: return "malformed_tool_use";
    default: break;
  }
  if (any_tool_call) return "tool_use";
  return choice.at_sequence ? "stop_sequence" : "end_turn";
}

void read_usage(json::Value usage, chat::Usage& into) {
  const auto take = [](json::Value value, std::optional<uint64_t>& count) {
    if (const auto number = value.unsigned_integer()) count = number;
  };
  take(usage["inputTokens"], into.input);
  take(usage["outputTokens"], into.output);
  // Each count comes under two names; the longer one is older.
  take(usage.any_of("cacheReadInputTokens", "cacheReadInputTokenCount"), into.cache_read);
  take(usage.any_of("cacheWriteInputTokens", "cacheWriteInputTokenCount"), into.cache_write);
  for (const json::Value detail : usage["cacheDetails"].elements()) {
    if (detail["ttl"].equals("1h")) take(detail["inputTokens"], into.cache_write_1h);
  }
}

void write_usage(json::Writer& writer, const chat::Usage& usage) {
  const uint64_t total = usage.total_input().value_or(0) + usage.output.value_or(0);
  writer.begin_object()
      .member("inputTokens", usage.input.value_or(0))
      .member("outputTokens", usage.output.value_or(0))
      .member("totalTokens", total);
  if (usage.cache_read) writer.member("cacheReadInputTokens", *usage.cache_read);
  if (usage.cache_write) writer.member("cacheWriteInputTokens", *usage.cache_write);
  if (usage.cache_write && usage.cache_write_1h.value_or(0) > 0 && *usage.cache_write >= *usage.cache_write_1h) {
    writer.key("cacheDetails").begin_array();
    writer.begin_object().member("ttl", "1h").member("inputTokens", *usage.cache_write_1h).end_object();
    const uint64_t shorter = *usage.cache_write - *usage.cache_write_1h;
    if (shorter > 0) writer.begin_object().member("ttl", "5m").member("inputTokens", shorter).end_object();
    writer.end_array();
  }
  writer.end_object();
}

int64_t latency_ms(const AnswerContext& context) {
  constexpr int64_t kMsPerSecond = 1000;
  if (context.started_ms == 0) return 0;
  return std::max<int64_t>(0, context.now * kMsPerSecond - context.started_ms);
}

std::string_view media_type_of(std::string_view format) {
  for (const std::span<const Format> formats : {std::span<const Format>(kImages), std::span<const Format>(kDocuments),
                                                std::span<const Format>(kVideos), std::span<const Format>(kAudios)}) {
    for (const Format& known : formats) {
      if (known.format == format) return known.media_type;
    }
  }
  return {};
}

std::string_view image_format(std::string_view media_type) {
  return format_of(kImages, media_type);
}
std::string_view document_format(std::string_view media_type) {
  const std::string_view format = format_of(kDocuments, media_type);
  return format.empty() && media_type.starts_with("text/") ? "txt" : format;
}
std::string_view video_format(std::string_view media_type) {
  return format_of(kVideos, media_type);
}
std::string_view audio_format(std::string_view media_type) {
  return format_of(kAudios, media_type);
}

ErrorKind kind_of_exception(std::string_view name, ErrorKind otherwise) {
  name = name.substr(0, name.find(':'));
  name = name.substr(name.find('#') + 1);  // "com.amazon.coral.service#UnknownOperationException"
  for (const Exception& known : kExceptions) {
    if (base::equals_ignoring_case(known.name, name)) return known.kind;
  }
  return otherwise;
}

chat::ClientError error_of(std::string_view body, std::string_view type, int status, const ReadContext& context,
                           base::Arena& arena) {
  chat::ClientError error;
  error.status = status >= 400 ? status : 0;
  const auto root = json::parse_tree(context.parser, body, arena);
  if (root && root->is_object()) {
    if (type.empty()) type = (*root)["__type"].string(arena);
    error.message = root->any_of("message", "Message", "originalMessage").string(arena);
    if (error.message.empty()) error.message = "The provider answered with an error that has no message.";
  } else {
    error.message = arena.copy(plain_message(body));
  }
  error.kind = kind_of_exception(type, kind_of_status(status));
  if (error.kind != ErrorKind::invalid_request) return error;
  name_unfit(error);
  if (error.message.find("model identifier is invalid") != std::string_view::npos) {
    error.kind = ErrorKind::model_not_found;
  }
  return error;
}

}  // namespace llmgw::dialects::bedrock
