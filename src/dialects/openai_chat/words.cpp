#include "dialects/openai_chat/words.h"

#include <algorithm>
#include <array>

#include "dialects/grounding.h"

namespace llmgw::dialects::openai_chat {
namespace {

using chat::Finish;

struct FinishWord {
  std::string_view word;
  Finish finish;
};

constexpr std::array<FinishWord, 28> kFinishWords{{
    {"stop", Finish::stop},
    {"tool_calls", Finish::tool},
    {"length", Finish::length},
    {"content_filter", Finish::filter},
    {"function_call", Finish::tool},
    // Vendors: Mistral, Together, Fireworks, Cohere's and Google's compatible surfaces, proxies of Claude.
    {"model_length", Finish::length},
    {"max_tokens", Finish::length},
    {"MAX_TOKENS", Finish::length},
    {"max_output_tokens", Finish::length},
    {"model_context_window_exceeded", Finish::length},
    {"end_turn", Finish::stop},
    {"eos", Finish::stop},
    {"eos_token", Finish::stop},
    {"stop_sequence", Finish::stop},
    {"STOP", Finish::stop},
    {"COMPLETE", Finish::stop},
    {"tool_use", Finish::tool},
    {"tool_call", Finish::tool},
    {"TOOL_CALL", Finish::tool},
    {"safety", Finish::filter},
    {"SAFETY", Finish::filter},
    {"sensitive", Finish::filter},  // Zhipu
    {"recitation", Finish::filter},
    {"RECITATION", Finish::filter},
    {"refusal", Finish::refusal},
    {"pause_turn", Finish::pause},
    {"malformed_function_call", Finish::malformed_tool},
    {"MALFORMED_FUNCTION_CALL", Finish::malformed_tool},
}};

// DeepSeek; vLLM and SGLang (abort), vLLM, Mistral and OpenRouter (error); Zhipu; Cohere's compatible surface.
constexpr std::string_view kNoCapacity = "insufficient_system_resource";
constexpr std::array<std::string_view, 7> kFailures{kNoCapacity, "abort",   "error",      "network_error",
                                                    "ERROR",     "TIMEOUT", "USER_CANCEL"};

void subtract(std::optional<uint64_t>& from, const std::optional<uint64_t>& part) {
  if (!from || !part) return;
  *from -= *part < *from ? *part : *from;
}

}  // namespace

Finish finish_from(std::string_view word) {
  for (const FinishWord& entry : kFinishWords) {
    if (entry.word == word) return entry.finish;
  }
  return Finish::unknown;
}

bool is_failure(std::string_view word) {
  return std::ranges::find(kFailures, word) != kFailures.end();
}

chat::ClientError failure(std::string_view word, base::Arena& arena) {
  return {.kind = word == kNoCapacity ? chat::ErrorKind::overloaded : chat::ErrorKind::upstream_failed,
          .message = arena.concat("the provider broke its answer off: ", word)};
}

std::string_view finish_word(Finish finish, bool legacy_functions, bool refused) {
  switch (finish) {
    case Finish::length: return "length";
    case Finish::tool: return legacy_functions ? "function_call" : "tool_calls";
    case Finish::refusal: return refused ? "stop" : "content_filter";
    // A call that failed has no word here; this one makes clients look twice.
    case Finish::filter:
    case Finish::malformed_tool: return "content_filter";
    case Finish::unknown:
    case Finish::stop:
    case Finish::pause: break;
  }
  return "stop";
}

chat::Usage read_usage(json::Value usage) {
  chat::Usage result;
  if (!usage.is_object()) return result;
  const json::Value in = usage["prompt_tokens_details"];
  const json::Value out = usage["completion_tokens_details"];
  result.input = usage.any_of("prompt_tokens", "input_tokens").unsigned_integer();
  result.output = usage.any_of("completion_tokens", "output_tokens").unsigned_integer();
  result.cache_read = in["cached_tokens"].unsigned_integer();
  // DeepSeek and Moonshot.
  if (!result.cache_read) {
    result.cache_read = usage.any_of("prompt_cache_hit_tokens", "cached_tokens").unsigned_integer();
  }
  result.cache_write = in["cache_write_tokens"].unsigned_integer();
  result.reasoning = out["reasoning_tokens"].unsigned_integer();
  const uint64_t total = usage["total_tokens"].unsigned_integer().value_or(0);
  if (result.input.value_or(0) == 0 && result.output.value_or(0) == 0 && total == 0) return {};
  if (result.output && result.reasoning && total == result.input.value_or(0) + *result.output + *result.reasoning) {
    *result.output += *result.reasoning;
  }
  // More tokens from the cache than there are (Grok on Azure): a count that contradicts the other says nothing.
  if (result.input && result.cache_read.value_or(0) > *result.input) result.cache_read.reset();
  subtract(result.input, result.cache_read);
  subtract(result.input, result.cache_write);
  return result;
}

void write_usage(json::Writer& w, const chat::Usage& usage) {
  const uint64_t input = usage.total_input().value_or(0);
  const uint64_t output = usage.output.value_or(0);
  w.begin_object().member("prompt_tokens", input).member("completion_tokens", output);
  w.member("total_tokens", input + output);
  if (usage.cache_read || usage.cache_write) {
    w.key("prompt_tokens_details").begin_object().member("cached_tokens", usage.cache_read.value_or(0));
    if (usage.cache_write) w.member("cache_write_tokens", *usage.cache_write);
    w.end_object();
  }
  if (usage.reasoning) {
    w.key("completion_tokens_details").begin_object().member("reasoning_tokens", *usage.reasoning).end_object();
  }
  w.end_object();
}

std::string annotations_from(std::string_view citations, chat::Dialect origin, SaidText& said, json::Parser& parser,
                             base::Arena& arena) {
  if (citations.size() <= 2) return {};
  if (origin == chat::Dialect::openai_chat || origin == chat::Dialect::azure) return std::string(citations);
  if (has_grounding(origin)) citations = grounding_citations(citations, parser, arena);
  const auto root = json::parse_tree(parser, citations, arena);
  if (!root) return {};
  std::string out;
  json::Writer w(out);
  w.begin_array();
  for (const json::Value citation : root->elements()) {
    const auto web = read_web_citation(citation, arena);
    if (!web) continue;
    w.begin_object().member("type", "url_citation").key("url_citation").begin_object();
    w.member("url", web->url).member("title", web->title);
    const CitedPlace place = said.place(web->start, web->end, origin, chat::Dialect::openai_chat);
    w.member("start_index", place.start).member("end_index", place.end);
    w.end_object().end_object();
  }
  w.end_array();
  return out.size() > 2 ? out : std::string();
}

std::string_view service_tier_word(std::string_view tier) {
  for (const std::string_view known : {"auto", "default", "flex", "scale", "priority"}) {
    if (tier == known) return tier;
  }
  return tier.starts_with("standard") ? "default" : std::string_view{};
}

std::string_view answer_id(std::string_view id, std::string_view request_id, base::Arena& arena) {
  constexpr std::string_view kPrefix = "chatcmpl-";
  if (id.starts_with(kPrefix)) return id;
  return arena.concat(kPrefix, id.empty() ? request_id : id);
}

std::string_view path(base::Arena& arena, std::string_view list, size_t index, std::string_view member) {
  std::string text(list);
  text += '[';
  text += std::to_string(index);
  text += ']';
  if (!member.empty()) text += '.';
  text += member;
  return arena.copy(text);
}

}  // namespace llmgw::dialects::openai_chat
