#include "dialects/cohere/words.h"

#include <algorithm>

namespace llmgw::dialects::cohere {

using chat::Finish;

Finish finish_from(std::string_view word) {
  if (word == "COMPLETE" || word == "STOP_SEQUENCE") return Finish::stop;
  if (word == "MAX_TOKENS" || word == "ERROR_LIMIT") return Finish::length;
  if (word == "TOOL_CALL") return Finish::tool;
  return word == "ERROR_TOXIC" ? Finish::filter : Finish::unknown;
}

bool is_failure(std::string_view finish_word) {
  return finish_word == "ERROR" || finish_word == "TIMEOUT" || finish_word == "USER_CANCEL";
}

chat::ClientError failure(std::string_view finish_word, std::string_view message) {
  const bool timeout = finish_word == "TIMEOUT";
  if (message.empty()) message = timeout ? "the model took too long" : "the model failed to generate an answer";
  return {.kind = timeout ? chat::ErrorKind::upstream_timeout : chat::ErrorKind::upstream_failed, .message = message};
}

std::string_view finish_word(const chat::Choice& choice) {
  switch (choice.finish) {
    case Finish::length: return "MAX_TOKENS";
    case Finish::tool: return "TOOL_CALL";
    // Not to be taken for an answer.
    case Finish::filter:
    case Finish::malformed_tool: return "ERROR";
    case Finish::unknown:
    case Finish::stop:
    case Finish::refusal:
    case Finish::pause: break;
  }
  return choice.at_sequence ? "STOP_SEQUENCE" : "COMPLETE";
}

chat::Usage read_usage(json::Value usage) {
  chat::Usage result;
  json::Value counts = usage["tokens"];
  if (!counts.is_object()) counts = usage["billed_units"];
  result.input = counts["input_tokens"].unsigned_integer();
  result.output = counts["output_tokens"].unsigned_integer();
  result.cache_read = usage["cached_tokens"].unsigned_integer();
  if (result.input && result.cache_read) *result.input -= std::min(*result.input, *result.cache_read);
  return result;
}

void write_usage(json::Writer& w, const chat::Usage& usage) {
  const uint64_t input = usage.total_input().value_or(0);
  const uint64_t output = usage.output.value_or(0);
  w.begin_object();
  for (const std::string_view name : {"billed_units", "tokens"}) {
    w.key(name).begin_object().member("input_tokens", input).member("output_tokens", output).end_object();
  }
  if (usage.cache_read) w.member("cached_tokens", *usage.cache_read);
  w.end_object();
}

std::string logprobs_from(json::Value item, base::Arena& arena) {
  const json::Value values = item["logprobs"];
  if (!values.is_array() || values.empty()) return {};
  double sum = 0;
  for (const json::Value value : values.elements()) sum += value.real().value_or(0);
  const std::string_view text = item["text"].string(arena);
  std::string out;
  json::Writer w(out);
  w.begin_object().member("token", text);
  // As it stands, where there is only one.
  if (values.size() == 1) {
    w.raw_member("logprob", values.first_element().raw());
  } else {
    w.member("logprob", sum);
  }
  w.key("bytes").begin_array();
  for (const char c : text) w.value(static_cast<unsigned int>(static_cast<unsigned char>(c)));
  w.end_array().key("top_logprobs").begin_array().end_array().end_object();
  return out;
}

void write_logprobs(json::Writer& w, std::string_view logprobs, json::Parser& parser, base::Arena& arena) {
  const auto root = json::parse_tree(parser, logprobs, arena);
  w.begin_array();
  if (root) {
    for (const json::Value token : root->elements()) {
      w.begin_object().member("text", token["token"].string(arena)).key("token_ids").begin_array().end_array();
      w.key("logprobs").begin_array();
      if (token["logprob"].is_number()) w.raw(token["logprob"].raw());
      w.end_array().end_object();
    }
  }
  w.end_array();
}

std::string_view answer_id(std::string_view id, std::string_view request_id) {
  constexpr size_t kUuidBytes = 36;
  const bool uuid = id.size() == kUuidBytes && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-';
  return uuid || request_id.empty() ? id : request_id;
}

const chat::Signature* read_signature(json::Value holder, const ReadContext& context) {
  const std::string_view text = holder["signature"].string(context.arena);
  if (!text.starts_with(chat::kSignatureTag)) return nullptr;
  const chat::Signature signature = chat::unwrap_signature(text, chat::Minter::none);
  return signature.present() ? context.arena.make<chat::Signature>(signature) : nullptr;
}

void write_signature(json::Writer& w, const chat::Part& part, base::Arena& arena) {
  if (part.has_signature()) w.member("signature", chat::wrap_signature(*part.signature, arena));
}

}  // namespace llmgw::dialects::cohere
