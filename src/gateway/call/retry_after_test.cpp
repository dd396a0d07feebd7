#include "gateway/call/retry_after.h"

#include <gtest/gtest.h>

namespace llmgw::gateway {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kAt = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr base::WallTime kNow{std::chrono::seconds(784'111'777)};  // the same

std::optional<base::Duration> read(std::string_view after, std::string_view date = {}, base::WallTime now = kNow) {
  http::Headers headers;
  headers.append(http::HeaderId::retry_after, after);
  if (!date.empty()) headers.append(http::HeaderId::date, date);
  return read_retry_after(headers, now);
}

TEST(RetryAfter, Seconds) {
  EXPECT_EQ(read("7"), 7s);
  EXPECT_EQ(read("0"), 0s);
  EXPECT_EQ(read("99999999999"), 31 * 24h);
  EXPECT_EQ(read("-1"), std::nullopt);
  EXPECT_EQ(read("soon"), std::nullopt);
}

TEST(RetryAfter, Milliseconds) {
  http::Headers headers;
  headers.append("retry-after-ms", "250");
  headers.append(http::HeaderId::retry_after, "7");
  EXPECT_EQ(read_retry_after(headers, kNow), 250ms);
}

TEST(RetryAfter, ADateByTheAnswersOwnClockOrOurs) {
  EXPECT_EQ(read("Sun, 06 Nov 1994 08:49:57 GMT"), 20s);
  EXPECT_EQ(read("Sun, 06 Nov 1994 08:49:57 GMT", kAt, kNow + 1h), 20s);
  EXPECT_EQ(read("Sun, 06 Nov 1994 08:49:57 GMT", "garbage"), 20s);
  EXPECT_EQ(read("Sun, 06 Nov 1994 08:49:00 GMT"), 0s);
  EXPECT_EQ(read("Sun, 06 Nov 2094 08:49:00 GMT"), 31 * 24h);
}

}  // namespace
}  // namespace llmgw::gateway
