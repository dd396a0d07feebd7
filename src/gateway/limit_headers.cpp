#include "gateway/limit_headers.h"

#include <string>

#include "control/units.h"

namespace llmgw::gateway {
namespace {

using chat::Dialect;

constexpr std::string_view kOpenAiPrefix = "x-ratelimit-";
constexpr std::string_view kAnthropicPrefix = "anthropic-ratelimit-";

void drop_providers(http::Headers& headers) {
  bool any = false;
  for (const http::Header& header : headers) {
    any = any || header.name.starts_with(kOpenAiPrefix) || header.name.starts_with(kAnthropicPrefix);
  }
  if (!any) return;
  http::Headers kept;
  for (const http::Header& header : headers) {
    if (!header.name.starts_with(kOpenAiPrefix) && !header.name.starts_with(kAnthropicPrefix)) kept.append(header);
  }
  headers.clear();
  for (const http::Header& header : kept) headers.append(header);
}

}  // namespace

std::string reset_text(base::Duration time) {
  const int64_t total = std::chrono::ceil<std::chrono::milliseconds>(time).count();
  if (total < 1000) return std::to_string(total) + "ms";
  const int64_t minutes = total / 60'000;
  const int64_t rest = total % 60'000;
  std::string seconds = std::to_string(rest / 1000);
  if (rest % 1000 != 0) {
    std::string decimals = std::to_string(rest % 1000);
    decimals.insert(0, 3 - decimals.size(), '0');
    while (decimals.ends_with('0')) decimals.pop_back();
    seconds += "." + decimals;
  }
  const std::string hours = minutes >= 60 ? std::to_string(minutes / 60) + "h" : "";
  return hours + (minutes > 0 ? std::to_string(minutes % 60) + "m" : "") + seconds + "s";
}

void write_limit_headers(Dialect dialect, const admission::Allowance& requests, const admission::Allowance& tokens,
                         base::WallTime now, base::Arena& arena, http::Headers& headers) {
  drop_providers(headers);
  const bool anthropic = dialect == Dialect::anthropic;
  switch (dialect) {
    case Dialect::gemini:
    case Dialect::vertex:
    case Dialect::bedrock:
    case Dialect::cohere: return;
    default: break;
  }
  const auto add = [&](std::string_view kind, std::string_view what, const std::string& value) {
    const std::string name = anthropic ? std::string(kAnthropicPrefix).append(kind).append("-").append(what)
                                       : std::string(kOpenAiPrefix).append(what).append("-").append(kind);
    headers.append(arena.copy(name), arena.copy(value));
  };
  for (const auto& [kind, allowance] : {std::pair("requests", &requests), std::pair("tokens", &tokens)}) {
    if (allowance->limit == 0) continue;
    const base::Duration reset(allowance->reset);
    add(kind, "limit", std::to_string(allowance->limit));
    add(kind, "remaining", std::to_string(allowance->remaining));
    // Whole seconds, rounded up: never before it is true.
    const auto at = std::chrono::ceil<std::chrono::seconds>(now + reset);
    add(kind, "reset", anthropic ? control::format_timestamp({at.time_since_epoch().count()}) : reset_text(reset));
  }
}

}  // namespace llmgw::gateway
