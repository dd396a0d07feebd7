#include "gateway/call/retry_after.h"

#include <algorithm>
#include <charconv>

#include "http/http_date.h"

namespace llmgw::gateway {
namespace {

constexpr int64_t kMonthSeconds = int64_t{31} * 24 * 3600;  // nobody waits longer

std::optional<int64_t> number(std::string_view text) {
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc{} || result.ptr != text.data() + text.size() || !(value >= 0)) return std::nullopt;
  return static_cast<int64_t>(std::min(value, static_cast<double>(kMonthSeconds * 1000)));
}

}  // namespace

std::optional<base::Duration> read_retry_after(const http::Headers& headers, base::WallTime now) {
  if (const auto ms = number(headers.value("retry-after-ms"))) {
    return std::chrono::milliseconds(std::min(*ms, kMonthSeconds * 1000));
  }
  const std::string_view asked = headers.value(http::HeaderId::retry_after);
  if (const auto seconds = number(asked)) return std::chrono::seconds(std::min(*seconds, kMonthSeconds));
  const auto date = http::parse_http_date(asked);
  if (!date) return std::nullopt;
  const auto own = http::parse_http_date(headers.value(http::HeaderId::date));
  const int64_t from = own.value_or(std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count());
  return std::chrono::seconds(std::clamp<int64_t>(*date - from, 0, kMonthSeconds));
}

}  // namespace llmgw::gateway
