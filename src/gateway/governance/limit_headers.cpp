#include "gateway/governance/limit_headers.h"

#include <algorithm>
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

namespace {

constexpr size_t kNumberBytesMax = 20;  // what UINT64_MAX has
constexpr size_t kResetBytesMax = 32;   // "153722867280h59m59.999s"

char* put_number(char* out, uint64_t value) {
  return std::to_chars(out, out + kNumberBytesMax, value).ptr;
}

char* put_reset(char* out, base::Duration time) {
  const auto total =
      static_cast<uint64_t>(std::max<int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(time).count()));
  if (total < 1000) {
    out = put_number(out, total);
    *out++ = 'm';
    *out++ = 's';
    return out;
  }
  const uint64_t minutes = total / 60'000;
  if (minutes >= 60) {
    out = put_number(out, minutes / 60);
    *out++ = 'h';
  }
  if (minutes > 0) {
    out = put_number(out, minutes % 60);
    *out++ = 'm';
  }
  out = put_number(out, total % 60'000 / 1000);
  if (uint64_t thousandths = total % 1000; thousandths != 0) {
    *out++ = '.';
    for (uint64_t place = 100; thousandths != 0; thousandths %= place, place /= 10) {
      *out++ = static_cast<char>('0' + thousandths / place);
    }
  }
  *out++ = 's';
  return out;
}

}  // namespace

std::string reset_text(base::Duration time) {
  std::array<char, kResetBytesMax> text;
  return {text.data(), put_reset(text.data(), time)};
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
  // All values side by side.
  char* out = arena.bytes(2 * (2 * kNumberBytesMax + kResetBytesMax)).data();
  const auto add = [&](std::string_view name, char* end) {
    headers.append({name, {out, end}, http::HeaderId::other, true});
    out = end;
  };
  for (const bool of_tokens : {false, true}) {
    const admission::Allowance& allowance = of_tokens ? tokens : requests;
    if (allowance.limit == 0) continue;
    const Names& names = kNames[anthropic ? 1 : 0][of_tokens ? 1 : 0];
    const base::Duration reset(allowance.reset);
    add(names.limit, put_number(out, allowance.limit));
    add(names.remaining, put_number(out, allowance.remaining));
    if (!anthropic) {
      add(names.reset, put_reset(out, reset));
      continue;
    }
    // Whole seconds, rounded up: never before it is true.
    const auto at = std::chrono::ceil<std::chrono::seconds>(now + reset);
    const std::string text = control::format_timestamp({at.time_since_epoch().count()});
    add(names.reset, std::ranges::copy(text.substr(0, kResetBytesMax), out).out);
  }
}

}  // namespace llmgw::gateway
