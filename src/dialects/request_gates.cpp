#include "dialects/request_gates.h"
#include "dialects/cache_marks.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "chat/schema.h"
#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects {
namespace {

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc{} || result.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view number_text(double value, base::Arena& arena) {
  std::string text;
  json::Writer(text).value(value);
  return arena.copy(text);
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

bool is_neutral(std::string_view text, double neutral) {
  const auto value = number(text);
  return value && *value == neutral;
}

// Drops a sampling parameter. The value every model has by default anyway is not worth a warning.
void drop(std::string_view& value, double neutral, std::string_view field, std::string_view reason,
          WriteContext& context) {
  if (!value.empty() && !is_neutral(value, neutral)) context.warnings.dropped(field, reason);
  value = {};
}

// Looks for marks that have no place at the target.
class MarkCount {
 public:
  MarkCount(const chat::Request& request, const MarkPlaces& places, bool texts) : places_(places), texts_(texts) {
    see(request.cache, places.request);
    for (const chat::Tool& tool : request.tools) {
      see(tool.cache, tool.kind == chat::ToolKind::custom ? places.free_tools : places.tools);
    }
    for (const chat::Message& message : request.messages) {
      for (const chat::Part& part : message.parts) this->part(part, message.role == chat::Role::assistant);
    }
  }

  bool lost() const { return lost_; }
  bool hours() const { return hours_; }

 private:
  void see(chat::CacheMark mark, bool taken) {
    lost_ = lost_ || (mark != chat::CacheMark::none && !taken);
    hours_ = hours_ || mark == chat::CacheMark::one_hour;
  }

  void part(const chat::Part& part, bool assistant) {
    const bool result = part.kind == chat::PartKind::tool_result;
    see(part.cache, result                  ? places_.results
                    : assistant             ? places_.assistant
                    : part.media != nullptr ? places_.media
                                            : texts_);
    for (const chat::Part& inner : part.content) see(inner.cache, places_.results);
  }

  const MarkPlaces& places_;
  bool texts_;
  bool lost_ = false;
  bool hours_ = false;
};

}  // namespace

Sampling gate_sampling(const chat::Request& request, const chat::Target& target, bool reasoning,
                       WriteContext& context) {
  Sampling sampling{.temperature = request.temperature, .top_p = request.top_p, .top_k = request.top_k};
  const bool none = !target.sampling || (reasoning && !target.sampling_while_reasoning);
  const std::string_view reason = target.sampling ? "this model takes no sampling parameters while it reasons"
                                                  : "this model takes no sampling parameters";
  if (none) {
    drop(sampling.temperature, 1, "temperature", reason, context);
    drop(sampling.top_p, 1, "top_p", reason, context);
    drop(sampling.top_k, -1, "top_k", reason, context);
    return sampling;
  }
  if (!target.top_k) drop(sampling.top_k, -1, "top_k", "this model has no such parameter", context);
  if (const auto value = number(sampling.temperature); value && *value > target.temperature_max) {
    sampling.temperature = number_text(target.temperature_max, context.arena);
    context.warnings.changed("temperature", "cut to the largest value that this model takes");
  }
  if (!target.temperature_and_top_p && !sampling.temperature.empty()) {
    drop(sampling.top_p, 1, "top_p", "this model takes temperature or top_p, not both", context);
  }
  return sampling;
}

// The steps that budgets are made of efforts with, see claude_reasoning.cpp: an effort comes back as it went.
chat::Effort effort_of_budget(int64_t budget_tokens) {
  constexpr int64_t kLow = 2048;
  constexpr int64_t kMedium = 8192;
  if (budget_tokens <= 0) return chat::Effort::unset;
  if (budget_tokens <= kLow) return chat::Effort::low;
  return budget_tokens <= kMedium ? chat::Effort::medium : chat::Effort::high;
}

chat::Effort asked_effort(const chat::Request& request, WriteContext& context) {
  if (request.reasoning.effort != chat::Effort::unset) return request.reasoning.effort;
  const chat::Effort effort = effort_of_budget(request.reasoning.budget_tokens.value_or(0));
  if (effort != chat::Effort::unset) {
    context.warnings.changed("reasoning", "this model takes an effort instead of a budget of tokens");
  }
  return effort;
}

std::optional<uint64_t> gate_max_tokens(const chat::Request& request, const chat::Target& target,
                                        WriteContext& context) {
  // What every model of the last years can answer, for a target whose table has no figure.
  constexpr uint64_t kDefaultMaxTokens = 4096;
  if (!request.max_tokens) {
    if (!target.requires_max_tokens) return std::nullopt;
    return target.default_max_tokens != 0 ? target.default_max_tokens : kDefaultMaxTokens;
  }
  if (target.max_tokens_cap != 0 && *request.max_tokens > target.max_tokens_cap) {
    context.warnings.changed("max_tokens", "cut to the most that this model can answer");
    return target.max_tokens_cap;
  }
  return request.max_tokens;
}

chat::List<std::string_view> gate_stop(const chat::Request& request, const chat::Target& target, bool no_blank,
                                       WriteContext& context) {
  chat::List<std::string_view> stop;
  for (const std::string_view text : request.stop) {
    if (no_blank && is_blank(text)) {
      context.warnings.dropped("stop", "this model takes no blank stop sequences");
    } else if (stop.size() >= target.stop_max) {
      context.warnings.dropped("stop", target.stop_max == 0 ? "this model takes no stop sequences"
                                                            : "more stop sequences than this model takes");
    } else {
      stop.push(context.arena, text);
    }
  }
  return stop;
}

void gate_cache_marks(const chat::Request& request, const chat::Target& target, const MarkPlaces& places,
                      WriteContext& context) {
  MarkPlaces taken = target.cache_marks ? places : MarkPlaces{};
  if (!target.cache_marks_on_tools) taken.tools = taken.free_tools = false;
  const MarkCount marks(request, taken, target.cache_marks);
  if (marks.lost()) {
    context.warnings.dropped("cache_control", target.cache_marks
                                                  ? kNoMarksThere
                                                  : "this model's API has no cache marks: it caches by itself or not "
                                                    "at all");
  } else if (marks.hours() && target.cache_marks && !(places.hours && target.cache_mark_hours)) {
    context.warnings.changed("cache_control", places.hours
                                                  ? "this model's API keeps it for five minutes"
                                                  : "how long it is to be kept is for this model's API to choose");
  }
}

Outcome<void> refuse_openai_parameters(const chat::Request& request, WriteContext& context) {
  if (request.n.value_or(1) > 1) {
    return invalid(context.arena, "n", "This model gives one answer a call: n must be 1.");
  }
  constexpr std::string_view kReason = "this model's API has no such parameter";
  const auto warn = [&](bool there, std::string_view field) {
    if (there) context.warnings.dropped(field, kReason);
  };
  warn(!request.frequency_penalty.empty() && !is_neutral(request.frequency_penalty, 0), "frequency_penalty");
  warn(!request.presence_penalty.empty() && !is_neutral(request.presence_penalty, 0), "presence_penalty");
  warn(!request.seed.empty(), "seed");
  warn(request.logprobs.value_or(false), "logprobs");
  warn(request.top_logprobs.value_or(0) > 0, "top_logprobs");
  warn(!request.logit_bias.empty() && request.logit_bias != "{}", "logit_bias");
  warn(!request.verbosity.empty() && request.verbosity != "medium", "verbosity");
  warn(!request.prompt_cache_key.empty(), "prompt_cache_key");
  warn(!request.prompt_cache_retention.empty(), "prompt_cache_retention");
  warn(!request.truncation.empty() && request.truncation != "disabled", "truncation");
  return {};
}

std::string_view part_path(chat::Dialect from, size_t message, size_t part, base::Arena& arena) {
  using chat::Dialect;
  const bool gemini = from == Dialect::gemini || from == Dialect::vertex;
  std::string path(gemini ? "contents[" : from == Dialect::openai_responses ? "input[" : "messages[");
  path += std::to_string(message);
  path += gemini ? "].parts[" : "].content[";
  path += std::to_string(part);
  path += ']';
  return arena.copy(path);
}

std::string_view indexed(std::string_view list, size_t index, std::string_view behind, base::Arena& arena) {
  std::string path(list);
  path += '[';
  path += std::to_string(index);
  path += ']';
  path += behind;
  return arena.copy(path);
}

std::unexpected<chat::ClientError> invalid(base::Arena& arena, std::string_view param, std::string_view message) {
  return std::unexpected(chat::ClientError{
      .kind = chat::ErrorKind::invalid_request, .message = arena.copy(message), .param = arena.copy(param)});
}

std::string_view image_type(std::string_view base64) {
  struct Magic {
    std::string_view prefix;  // the file's first bytes in base64, whole groups of them
    std::string_view type;
  };
  constexpr std::array<Magic, 4> kMagics{{
      {"/9j/", "image/jpeg"},     // FF D8 FF
      {"iVBORw0K", "image/png"},  // 89 P N G CR LF
      {"R0lGODdh", "image/gif"},  // GIF87a
      {"R0lGODlh", "image/gif"},  // GIF89a
  }};
  for (const Magic& magic : kMagics) {
    if (base64.starts_with(magic.prefix)) return magic.type;
  }
  // RIFF, four bytes of length, WEBP: "WEBP" begins at byte 8, inside the third group of three.
  if (base64.starts_with("UklGR") && base64.size() >= 16 && base64.substr(11, 5) == "XRUJQ") return "image/webp";
  return {};
}

std::string_view object_schema(std::string_view schema, json::Parser& parser, base::Arena& arena) {
  constexpr std::string_view kNoParameters = R"({"type":"object","properties":{}})";
  if (schema.empty()) return kNoParameters;
  const auto root = json::parse_tree(parser, schema, arena);
  if (!root || root->is_null()) return kNoParameters;
  if (!root->is_object() || !(*root)["type"].is_unset()) return schema;
  if (root->empty()) return kNoParameters;
  std::string typed = R"({"type":"object",)";
  bool first = true;
  for (const json::Member member : root->members()) {
    if (member.is("type")) continue;
    if (!first) typed += ',';
    first = false;
    typed += '"';
    typed += member.escaped_key;
    typed += "\":";
    typed += member.value.raw();
  }
  if (first) return kNoParameters;
  return arena.copy(typed += '}');
}

bool wants_bare_value(const chat::Request& request) {
  return std::ranges::any_of(request.extras, [](const chat::Extra& extra) {
    return extra.name == "generationConfig.responseMimeType" && extra.value == R"("text/x.enum")";
  });
}

bool takes_answer_schema(const chat::Request& request, const chat::Target& target, WriteContext& context) {
  if (wants_bare_value(request)) return false;
  const bool objects_only = target.dialect == chat::Dialect::cohere || target.minter == chat::Minter::openai ||
                            target.minter == chat::Minter::azure;
  return !objects_only || chat::is_object_schema(request.format.schema, context.parser, context.arena);
}

std::string_view name_format_tool(const chat::Request& request, WriteContext& context) {
  const auto taken = [&](std::string_view name) {
    return std::ranges::find(request.tools, name, &chat::Tool::name) != request.tools.end();
  };
  std::string_view name = chat::kFormatToolName;
  for (size_t number = 2; taken(name); ++number) {
    name = context.arena.concat(chat::kFormatToolName, context.arena.copy("_" + std::to_string(number)));
  }
  return context.format_tool = name;
}

std::string schema_instruction(const chat::Request& request, std::string_view words) {
  if (wants_bare_value(request)) {
    words = "Answer with one of the values that this JSON schema lists and nothing else, without quotes: ";
  }
  return std::string(words) + std::string(request.format.schema);
}

std::string_view custom_tool_schema() {
  static_assert(chat::kCustomInputMember == "input");
  return R"({"type":"object","properties":{"input":{"type":"string"}},"required":["input"]})";
}

}  // namespace llmgw::dialects
