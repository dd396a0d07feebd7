// Money as whole nano-dollars (1e-9 USD): prices of single tokens are exact, sums do not round. Pure; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace llmgw::base {

inline constexpr int64_t kNanoPerDollar = 1'000'000'000;

struct NanoDollars {
  int64_t nano = 0;

  auto operator<=>(const NanoDollars&) const = default;
};

// "12", "12.50", "0.000000125", "$5": dollars with at most nine decimals, up to 9,000,000,000. Nothing else.
std::optional<NanoDollars> parse_usd(std::string_view text);
// The shortest exact form, with at least two decimals: "12.50", "0.000000125", "-1.00".
std::string format_usd(NanoDollars amount);

}  // namespace llmgw::base
