#include "gateway/call/own_headers.h"

#include <charconv>
#include <string>
#include <vector>

#include "base/did_you_mean.h"

namespace llmgw::gateway {
namespace {

constexpr int64_t kDayMs = 24 * 3600 * 1000;

std::optional<int64_t> number(std::string_view text, int64_t least, int64_t most) {
  int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || value < least || value > most) {
    return std::nullopt;
  }
  return value;
}

std::string whole_number(int64_t least, int64_t most) {
  return "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
}

std::string expected_policy(std::string_view text) {
  const auto names = routing::policy_names();
  std::string message = "expected one of ";
  for (size_t i = 0; i < names.size(); ++i) message += (i == 0 ? "" : ", ") + std::string(names[i]);
  return message + base::did_you_mean(text, names);
}

}  // namespace

std::optional<base::Duration> timeout_of(const http::Headers& headers, std::string_view name) {
  const auto ms = number(headers.value(name), 1, kDayMs);
  if (!ms) return std::nullopt;
  return std::chrono::milliseconds(*ms);
}

std::optional<int32_t> priority_of(const http::Headers& headers) {
  const auto value = number(headers.value(kPriorityHeader), -kPriorityMost, kPriorityMost);
  if (!value) return std::nullopt;
  return static_cast<int32_t>(*value);
}

std::optional<routing::PolicyKind> policy_of(const http::Headers& headers) {
  return routing::policy_by_name(headers.value(kPolicyHeader));
}

int64_t hops_of(const http::Headers& headers) {
  return number(headers.value(kHopsHeader), 1, INT64_MAX - 1).value_or(0);
}

dialects::Outcome<void> check_own_headers(const http::Headers& headers, base::Arena& arena) {
  const auto wrong = [&](std::string_view name, const std::string& expected) {
    return std::unexpected(chat::ClientError{.kind = chat::ErrorKind::invalid_request,
                                             .message = arena.copy("the header " + std::string(name) + ": " + expected),
                                             .param = name});
  };
  for (const std::string_view name :
       {kConnectTimeoutHeader, kFirstByteTimeoutHeader, kIdleTimeoutHeader, kTotalTimeoutHeader}) {
    if (headers.value(name).empty() || timeout_of(headers, name)) continue;
    return wrong(name, "expected milliseconds, " + whole_number(1, kDayMs));
  }
  if (!headers.value(kPriorityHeader).empty() && !priority_of(headers)) {
    return wrong(kPriorityHeader, "expected " + whole_number(-kPriorityMost, kPriorityMost));
  }
  const std::string_view policy = headers.value(kPolicyHeader);
  if (!policy.empty() && !policy_of(headers)) return wrong(kPolicyHeader, expected_policy(policy));
  // No 5xx: each gateway of the circle would try again.
  if (hops_of(headers) >= kHopsMax) {
    const std::string message = "this call has come through " + std::to_string(kHopsMax) +
                                " gateways already: the endpoint of a connection leads back to a gateway that the "
                                "call has passed";
    return std::unexpected(chat::ClientError{.kind = chat::ErrorKind::invalid_request,
                                             .message = arena.copy(message),
                                             .param = kHopsHeader,
                                             .code = "loop_detected"});
  }
  return {};
}

}  // namespace llmgw::gateway
