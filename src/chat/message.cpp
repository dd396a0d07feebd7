#include "chat/message.h"

#include "chat/answer.h"
#include "chat/request.h"

namespace llmgw::chat {

std::string_view to_string(Role role) {
  switch (role) {
    case Role::system: return "system";
    case Role::developer: return "developer";
    case Role::user: return "user";
    case Role::assistant: return "assistant";
    case Role::tool: return "tool";
  }
  return "user";
}

std::string_view to_string(Finish finish) {
  switch (finish) {
    case Finish::unknown: return "unknown";
    case Finish::stop: return "stop";
    case Finish::length: return "length";
    case Finish::tool: return "tool";
    case Finish::filter: return "filter";
    case Finish::refusal: return "refusal";
    case Finish::pause: return "pause";
    case Finish::malformed_tool: return "malformed_tool";
  }
  return "unknown";
}

std::string_view to_string(Effort effort) {
  switch (effort) {
    case Effort::unset: return "";
    case Effort::none: return "none";
    case Effort::minimal: return "minimal";
    case Effort::low: return "low";
    case Effort::medium: return "medium";
    case Effort::high: return "high";
    case Effort::xhigh: return "xhigh";
    case Effort::max: return "max";
  }
  return "";
}

Effort effort_from(std::string_view word) {
  for (const Effort effort :
       {Effort::none, Effort::minimal, Effort::low, Effort::medium, Effort::high, Effort::xhigh, Effort::max}) {
    if (to_string(effort) == word) return effort;
  }
  return Effort::unset;
}

}  // namespace llmgw::chat
