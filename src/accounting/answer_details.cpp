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
    case '{': in_tier_object_ = key_ == Key::tier_object; break;
    case '}': in_tier_object_ = false; [[fallthrough]];
    case ',':
      if (key_ == Key::searches) now_.web_searches = std::max(now_.web_searches, std::min(number_, kUsesMax));
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
    now_.google_queries += now_.google_queries < kUsesMax ? 1 : 0;
    return;
  }
  const Key key = std::exchange(key_, Key::other);
  if (unusable_ || key == Key::other) return;
  const std::string_view word = token();
  if (key == Key::tier || key == Key::tier_object || (key == Key::type && in_tier_object_)) return note_tier(word);
  // Vertex says both, and this says less.
  if (key == Key::traffic && !(price_tier(word).empty() && tier_told_)) return note_tier(word);
  if (key != Key::type) return;
  now_.web_searches += word == "web_search_call" ? 1 : 0;
  now_.file_searches += word == "file_search_call" ? 1 : 0;
  now_.only_looked += word == "open_page" || word == "find_in_page" || word == "find" ? 1 : 0;
}

void AnswerDetails::note_tier(std::string_view word) {
  if (word == "auto") return;  // what was asked for
  tier_told_ = true;
  tier_size_ = static_cast<uint8_t>(word.size());
  std::memcpy(tier_.data(), word.data(), word.size());
}

void AnswerDetails::end_document() {
  before_ = {.web_searches = most(&Uses::web_searches),
             .file_searches = most(&Uses::file_searches),
             .google_queries = most(&Uses::google_queries)};
  now_ = {};
  key_ = Key::other;
  in_queries_ = in_tier_object_ = false;
}

uint32_t AnswerDetails::most(uint32_t Uses::* count) const {
  uint32_t now = now_.*count;
  if (count == &Uses::web_searches) now -= std::min(now, now_.only_looked);
  return std::max(before_.*count, now);
}

}  // namespace llmgw::accounting
