#include "gateway/call/retry_after.h"

#include <algorithm>
#include <charconv>

namespace llmgw::gateway {

std::optional<base::Duration> read_retry_after(const http::Headers& headers) {
  const auto number = [](std::string_view text) -> std::optional<int64_t> {
    constexpr int64_t kMax = int64_t{31} * 24 * 3600 * 1000;  // a month in milliseconds: nobody waits longer
    double value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec != std::errc{} || result.ptr != text.data() + text.size() || !(value >= 0)) return std::nullopt;
    return static_cast<int64_t>(std::min(value, static_cast<double>(kMax)));
  };
  if (const auto ms = number(headers.value("retry-after-ms"))) return std::chrono::milliseconds(*ms);
  if (const auto seconds = number(headers.value("retry-after"))) return std::chrono::seconds(*seconds);
  return std::nullopt;
}

}  // namespace llmgw::gateway
