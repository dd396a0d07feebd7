#include "base/money.h"

#include "base/text.h"

namespace llmgw::base {
namespace {

constexpr size_t kDecimals = 9;
// What an int64_t of nano-dollars holds, rounded down.
constexpr uint64_t kDollarsMax = 9'000'000'000;

}  // namespace

std::optional<NanoDollars> parse_usd(std::string_view text) {
  if (text.starts_with('$')) text.remove_prefix(1);
  const size_t point = text.find('.');
  const auto whole = parse_decimal(text.substr(0, point));
  if (!whole || *whole > kDollarsMax) return std::nullopt;
  uint64_t nano = 0;
  if (point != std::string_view::npos) {
    std::string_view decimals = text.substr(point + 1);
    if (decimals.size() > kDecimals) return std::nullopt;
    const auto fraction = parse_decimal(decimals);
    if (!fraction) return std::nullopt;
    nano = *fraction;
    for (size_t i = decimals.size(); i < kDecimals; ++i) nano *= 10;
  }
  if (*whole == kDollarsMax && nano != 0) return std::nullopt;
  return NanoDollars{static_cast<int64_t>(*whole * kNanoPerDollar + nano)};
}

std::string format_usd(NanoDollars amount) {
  const bool negative = amount.nano < 0;
  const uint64_t size = negative ? ~static_cast<uint64_t>(amount.nano) + 1 : static_cast<uint64_t>(amount.nano);
  std::string decimals = std::to_string(size % kNanoPerDollar);
  decimals.insert(0, kDecimals - decimals.size(), '0');
  while (decimals.size() > 2 && decimals.ends_with('0')) decimals.pop_back();
  return (negative ? "-" : "") + std::to_string(size / kNanoPerDollar) + "." + decimals;
}

}  // namespace llmgw::base
