#include "gateway/failover/hold_back.h"

#include <algorithm>
#include <array>

namespace llmgw::gateway {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// What an event of an error begins with, whatever follows: OpenAI's and Google's object, Anthropic's and the Responses
// API's type.
bool is_error(std::string_view event, std::string_view data) {
  if (event == "error" || event == "response.failed") return true;
  constexpr size_t kBeginning = 48;
  const std::string_view beginning = data.substr(0, kBeginning);
  constexpr std::array<std::string_view, 4> kSigns{"{\"error\"", "{ \"error\"", "\"type\":\"error\"",
                                                   "\"type\": \"error\""};
  return std::ranges::any_of(kSigns, [&](std::string_view sign) { return contains(beginning, sign); }) ||
         contains(beginning, "\"response.failed\"");
}

// Events that come before the model has said anything.
bool is_prelude(std::string_view event, std::string_view data) {
  constexpr std::array<std::string_view, 8> kNames{"message_start",
                                                   "content_block_start",
                                                   "ping",
                                                   "response.created",
                                                   "response.in_progress",
                                                   "response.queued",
                                                   "response.output_item.added",
                                                   "response.content_part.added"};
  if (std::ranges::find(kNames, event) != kNames.end()) return true;
  if (!contains(data, "\"delta\":{") && !contains(data, "\"delta\": {")) return data.empty();
  if (!event.empty()) return false;
  // Chat completions: a chunk with a role and nothing else.
  const bool says = contains(data, "\"tool_calls\"") || contains(data, "\"reasoning") ||
                    contains(data, "\"refusal\":\"") || contains(data, "\"finish_reason\":\"") ||
                    contains(data, "\"finish_reason\": \"");
  if (says) return false;
  const size_t content = data.find("\"content\":");
  if (content == std::string_view::npos) return true;
  const std::string_view value = data.substr(data.find_first_not_of(' ', content + 10));
  return value.starts_with("\"\"") || value.starts_with("null");
}

}  // namespace

HoldBack::State HoldBack::judge(std::string_view event, std::string_view data) {
  if (is_error(event, data)) return State::failed;
  if (data == "[DONE]") return State::released;
  if (data.empty()) return State::holding;
  // Half a document is no event either.
  const bool document = (data.front() == '{' && data.back() == '}') || (data.front() == '[' && data.back() == ']');
  if (!document) return State::failed;
  if (is_prelude(event, data)) return State::holding;
  return --contents_left_ == 0 ? State::released : State::holding;
}

HoldBack::State HoldBack::feed(std::string_view bytes, bool done) {
  held_.append(bytes);
  for (;;) {
    auto next = reader_.next(bytes);
    if (!next) return State::failed;
    if (!*next) break;
    const State state = judge((*next)->event, (*next)->data);
    if (state != State::holding) return state;
  }
  return done || held_.size() >= kHeldBytesMax ? State::released : State::holding;
}

}  // namespace llmgw::gateway
