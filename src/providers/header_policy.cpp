#include "providers/header_policy.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace llmgw::providers {
namespace {

struct Entry {
  std::string_view name;
  HeaderRule rule;
};

using enum HeaderRule;

// Sorted by length, then by text: a name is compared only with those of its length.
constexpr bool in_order(const Entry& a, const Entry& b) {
  return a.name.size() != b.name.size() ? a.name.size() < b.name.size() : a.name < b.name;
}

template <size_t N>
constexpr std::array<Entry, N> sorted(std::array<Entry, N> table) {
  std::ranges::sort(table, in_order);
  return table;
}

constexpr auto kRequest = sorted(std::to_array<Entry>({
    {"connection", hop_by_hop},
    {"keep-alive", hop_by_hop},
    {"proxy-connection", hop_by_hop},
    {"te", hop_by_hop},
    {"trailer", hop_by_hop},
    {"transfer-encoding", hop_by_hop},
    {"upgrade", hop_by_hop},
    {"http2-settings", hop_by_hop},
    {"host", framing},
    {"content-length", framing},
    {"expect", framing},
    {"authorization", credential},
    {"proxy-authorization", credential},
    {"x-api-key", credential},
    {"api-key", credential},
    {"x-goog-api-key", credential},
    {"x-goog-user-project", credential},
    {"x-goog-iam-authorization-token", credential},
    {"cookie", credential},
    {"openai-organization", credential},
    {"openai-project", credential},
    {"x-amz-date", credential},
    {"x-amz-security-token", credential},
    {"x-amz-content-sha256", credential},
    {"forwarded", network},
    {"via", network},
    {"x-forwarded-for", network},
    {"x-forwarded-host", network},
    {"x-forwarded-port", network},
    {"x-forwarded-proto", network},
    {"x-forwarded-server", network},
    {"x-forwarded-prefix", network},
    {"x-real-ip", network},
    {"x-client-ip", network},
    {"x-cluster-client-ip", network},
    {"true-client-ip", network},
    {"cf-connecting-ip", network},
    {"origin", network},
    {"referer", network},
    {"accept-encoding", negotiation},
}));

constexpr auto kResponse = sorted(std::to_array<Entry>({
    {"connection", hop_by_hop},
    {"keep-alive", hop_by_hop},
    {"proxy-connection", hop_by_hop},
    {"te", hop_by_hop},
    {"trailer", hop_by_hop},
    {"transfer-encoding", hop_by_hop},
    {"upgrade", hop_by_hop},
    {"content-length", framing},
    {"date", framing},
    {"set-cookie", credential},
    {"set-cookie2", credential},
    {"www-authenticate", credential},
    {"proxy-authenticate", credential},
    {"proxy-authentication-info", credential},
    {"authentication-info", credential},
    {"openai-organization", credential},
    {"openai-project", credential},
    {"anthropic-organization-id", credential},
    {"alt-svc", network},
    {"via", network},
    {"server", network},
    {"nel", network},
    {"report-to", network},
    {"reporting-endpoints", network},
    {"strict-transport-security", network},
    {"public-key-pins", network},
    {"clear-site-data", network},
    {"x-request-id", gateway},
}));

constexpr std::string_view kOwnPrefix = "x-llm-gateway-";
constexpr size_t kNameBytesMax = 32;  // no name in a table is longer

template <size_t N>
HeaderRule find(const std::array<Entry, N>& table, std::string_view name) {
  static_assert(kNameBytesMax >= std::string_view("x-goog-iam-authorization-token").size());
  if (name.size() >= kOwnPrefix.size() && base::equals_ignoring_case(name.substr(0, kOwnPrefix.size()), kOwnPrefix)) {
    return gateway;
  }
  if (name.size() > kNameBytesMax) return forward;
  std::array<char, kNameBytesMax> lower;
  std::ranges::transform(name, lower.begin(), base::to_lower);
  const Entry wanted{{lower.data(), name.size()}, forward};
  const auto found = std::ranges::lower_bound(table, wanted, in_order);
  return found != table.end() && found->name == wanted.name ? found->rule : forward;
}

}  // namespace

HeaderRule request_header_rule(std::string_view name) {
  return find(kRequest, name);
}

HeaderRule response_header_rule(std::string_view name) {
  return find(kResponse, name);
}

}  // namespace llmgw::providers
