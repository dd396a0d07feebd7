// The ways of choosing an instance, and their names. Constants; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace llmgw::routing {

enum class PolicyKind : uint8_t {
  adaptive,        // prefix and load, see above
  prefix,          // the longest cached prefix, then the least load
  least_tokens,    // uncached prompt tokens in flight
  least_requests,  // requests in flight
  power_of_two,    // the less loaded of two at random
  round_robin,
  weighted,    // at random by weight
  latency,     // peak EWMA of the time to first token, times requests in flight
  cost,        // the cheapest, then the least loaded
  rendezvous,  // by session, highest random weight, among those not loaded far above the mean
  split,       // stable by session: A/B and canary
  ordered,     // the first that is fit
};
inline constexpr size_t kPolicyCount = 12;

// In the order of PolicyKind.
inline constexpr std::array<std::string_view, kPolicyCount> kPolicyNames{
    "adaptive", "prefix",  "least-tokens", "least-requests", "power-of-two", "round-robin",
    "weighted", "latency", "cost",         "rendezvous",     "split",        "ordered"};
inline std::span<const std::string_view> policy_names() {
  return kPolicyNames;
}
std::optional<PolicyKind> policy_by_name(std::string_view name);

}  // namespace llmgw::routing
