#include "accounting/answer_details.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace llmgw::accounting {
namespace {

constexpr uint32_t kUsesMax = 10'000;  // of one answer; beyond, a number is none

}  // namespace

std::string_view price_tier(std::string_view word) {
  for (const std::string_view standard : {"default", "standard", "auto", "standard_only", "on_demand", "ON_DEMAND"}) {
    if (word == standard) return {};
  }
  if (word == "fast" || word == "ON_DEMAND_PRIORITY") return "priority";  // OpenAI's word since July 2026
  if (word == "ON_DEMAND_FLEX") return "flex";
  if (word == "PROVISIONED_THROUGHPUT") return "provisioned";
  return word;
}

AnswerDetails::Key AnswerDetails::key_of(std::string_view text) {
  if (text == "service_tier") return Key::tier;
  if (text == "serviceTier") return Key::tier_object;
  if (text == "trafficType") return Key::traffic;
  if (text == "type") return Key::type;
  if (text == "web_search_requests") return Key::searches;
  if (text == "speed") return Key::speed;
  if (text == "inference_geo") return Key::geo;
  if (text == "latency") return Key::latency;
  if (text == "maps") return Key::maps;
  return text == "webSearchQueries" ? Key::queries : Key::other;
}

void AnswerDetails::feed(std::string_view bytes) {
  for (const char c : bytes) {
    if (!in_string_) {
      structure(c);
    } else if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = unusable_ = true;
    } else if (c == '"') {
      in_string_ = false;
      text();
    } else if (c == '\n') {
      in_string_ = false;  // no string has one: a comment of the stream had a quote
    } else if (token_size_ < token_.size()) {
      token_[token_size_++] = c;
    } else {
      unusable_ = true;
    }
  }
}

void AnswerDetails::structure(char c) {
  if (c >= '0' && c <= '9') {
    if (key_ == Key::searches && number_ < kUsesMax) number_ = number_ * 10 + static_cast<uint32_t>(c - '0');
    return;
  }
  switch (c) {
    case '"':
      in_string_ = true;
      unusable_ = false;
      token_size_ = 0;
      return;
    case ':':
      key_ = unusable_ ? Key::other : key_of(token());
      number_ = 0;
      return;
    case '[': in_queries_ = key_ == Key::queries; break;
    case ']': in_queries_ = false; break;
    case '{':
      in_tier_object_ = key_ == Key::tier_object;
      if (key_ == Key::maps) now_[ProviderTool::google_maps] = 1;
      break;
    case '}': in_tier_object_ = false; [[fallthrough]];
    case ',':
      if (key_ == Key::searches) {
        now_[ProviderTool::web_search] = std::max(now_[ProviderTool::web_search], std::min(number_, kUsesMax));
      }
      break;
    case '\n':
      if (lines_) end_document();
      return;
    default: return;
  }
  key_ = Key::other;
}

// A string has ended: a name, until a colon follows, or a value.
void AnswerDetails::text() {
  if (in_queries_) {
    now_[ProviderTool::google_query] += now_[ProviderTool::google_query] < kUsesMax ? 1 : 0;
    return;
  }
  const Key key = std::exchange(key_, Key::other);
  if (unusable_ || key == Key::other) return;
  const std::string_view word = token();
  if (key == Key::tier || key == Key::tier_object || (key == Key::type && in_tier_object_)) return note_tier(word);
  // Vertex says both, and this says less.
  if (key == Key::traffic && !(price_tier(word).empty() && tier_told_)) return note_tier(word);
  if (key == Key::type) return note_type(word);
  if (key == Key::geo && word != "global" && word != "not_available") special_ = "regional";
  if (key == Key::latency && word == "optimized") special_ = "optimized";
  // A stream says so again at its end, when it is known.
  if (key == Key::speed && word == "fast") special_ = "fast";
  if (key == Key::speed && word != "fast" && special_ == "fast") special_ = {};
}

void AnswerDetails::note_type(std::string_view word) {
  if (word == "web_search_call") ++now_[ProviderTool::web_search];
  if (word == "file_search_call") ++now_[ProviderTool::file_search];
  if (word == "image_generation_call") ++now_[ProviderTool::image_generation];
  if (word == "advisor_tool_result") now_[ProviderTool::advisor] = 1;
  if (word == "code_interpreter_call" || word == "container_reference" ||
      word.ends_with("code_execution_tool_result")) {
    now_[ProviderTool::container] = 1;
  }
  now_.only_looked += word == "open_page" || word == "find_in_page" || word == "find" ? 1 : 0;
}

void AnswerDetails::tier_in_head(std::string_view word) {
  if (word.empty() || word.size() > tier_.size()) return;
  note_tier(word);
  tier_fixed_ = tier_told_;
}

void AnswerDetails::note_tier(std::string_view word) {
  if (word == "auto" || tier_fixed_) return;  // what was asked for
  tier_told_ = true;
  tier_size_ = static_cast<uint8_t>(word.size());
  std::memcpy(tier_.data(), word.data(), word.size());
}

void AnswerDetails::end_document() {
  Uses most;
  for (size_t i = 0; i < kProviderTools; ++i) most.counts[i] = uses(static_cast<ProviderTool>(i));
  before_ = most;
  now_ = {};
  key_ = Key::other;
  in_queries_ = in_tier_object_ = false;
}

uint32_t AnswerDetails::uses(ProviderTool tool) const {
  const auto index = static_cast<size_t>(tool);
  uint32_t now = now_.counts[index];
  if (tool == ProviderTool::web_search) now -= std::min(now, now_.only_looked);
  return std::max(before_.counts[index], now);
}

}  // namespace llmgw::accounting
