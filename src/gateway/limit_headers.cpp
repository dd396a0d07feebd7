#include "gateway/limit_headers.h"

#include <array>
#include <charconv>
#include <string>

#include "control/units.h"

namespace llmgw::gateway {
namespace {

using chat::Dialect;

struct Names {
  std::string_view limit, remaining, reset;
};
constexpr Names kNames[2][2] = {
    {{"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"},
     {"x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"}},
    {{"anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining",
      "anthropic-ratelimit-requests-reset"},
     {"anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"}}};

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
  const auto add = [&](std::string_view name, std::string_view value) {
    headers.append({name, arena.copy(value), http::HeaderId::other, true});
  };
  const auto add_number = [&](std::string_view name, uint64_t value) {
    std::array<char, 20> digits;
    add(name, {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr});
  };
  for (const bool of_tokens : {false, true}) {
    const admission::Allowance& allowance = of_tokens ? tokens : requests;
    if (allowance.limit == 0) continue;
    const Names& names = kNames[anthropic ? 1 : 0][of_tokens ? 1 : 0];
    const base::Duration reset(allowance.reset);
    add_number(names.limit, allowance.limit);
    add_number(names.remaining, allowance.remaining);
    // Whole seconds, rounded up: never before it is true.
    const auto at = std::chrono::ceil<std::chrono::seconds>(now + reset);
    add(names.reset, anthropic ? control::format_timestamp({at.time_since_epoch().count()}) : reset_text(reset));
  }
}

}  // namespace llmgw::gateway
