#include "providers/upstream.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "providers/vendor.h"

namespace llmgw::providers {
namespace {

// Vendors whose own protocol this version cannot speak; their names are known so that the refusal can say so.
constexpr ProviderInfo kNotServed[] = {
    {"bedrock", ProviderKind::bedrock, false, "", CredentialNeed::required, "bedrock"},
    {"cohere", ProviderKind::cohere, false, "https://api.cohere.com", CredentialNeed::required, "cohere"},
};

constexpr std::array<const Vendor*, 5> kVendors = {&kOpenAi, &kAzure, &kAnthropic, &kGoogle, &kVertex};

const Vendor* vendor_of(ProviderKind kind) {
  for (const auto* vendor : kVendors) {
    if (vendor->kind == kind) return vendor;
  }
  return nullptr;
}

std::vector<const ProviderInfo*> collect_providers() {
  std::vector<const ProviderInfo*> result;
  for (const auto* vendor : kVendors) {
    for (const auto& info : vendor->names) result.push_back(&info);
  }
  for (const auto& info : kNotServed) result.push_back(&info);
  return result;
}

bool is_vendor_host(const Endpoint& endpoint, const ProviderInfo& info) {
  const auto own = parse_endpoint(info.default_endpoint);
  return own && own->host == endpoint.host;
}

void check_credential(const UpstreamOptions& options, const Upstream& upstream, std::vector<UpstreamFault>& faults) {
  const auto& info = *upstream.provider;
  if (!options.api_key.empty() && !options.access_token.empty()) {
    faults.push_back({"access_token", "api_key and access_token exclude each other; keep one"});
  }
  if (!options.api_key.empty() || !options.access_token.empty()) return;
  // A proxy or an engine behind another address may do without.
  const bool own_address = info.kind != ProviderKind::openai || is_vendor_host(upstream.endpoint, info);
  if (info.credential == CredentialNeed::optional || !own_address) return;
  faults.push_back({"api_key", "provider '" + std::string(info.name) +
                                   "' needs a credential; add api_key = \"env:NAME\" or \"file:PATH\""});
}

bool replaces_credential(std::string_view name, const Upstream& upstream) {
  return std::ranges::any_of(upstream.set_headers, [&](const HeaderField& field) { return field.name == name; });
}

}  // namespace

std::span<const ProviderInfo* const> all_providers() {
  static const std::vector<const ProviderInfo*> providers = collect_providers();
  return providers;
}

const ProviderInfo* find_provider(std::string_view name) {
  for (const auto* info : all_providers()) {
    if (info->name == name) return info;
  }
  return nullptr;
}

bool speaks(ProviderKind kind, Surface surface) {
  const auto* vendor = vendor_of(kind);
  return vendor != nullptr && vendor->speaks(surface);
}

std::expected<Upstream, std::vector<UpstreamFault>> prepare_upstream(const UpstreamOptions& options) {
  std::vector<UpstreamFault> faults;
  const auto failed = [&] { return std::unexpected(std::move(faults)); };
  Upstream upstream;
  upstream.provider = find_provider(options.provider);
  if (upstream.provider == nullptr) {
    faults.push_back({"provider", "no such provider"});
    return failed();
  }
  const auto* vendor = vendor_of(upstream.provider->kind);
  if (vendor == nullptr) {
    faults.push_back({"provider", "provider '" + std::string(options.provider) + "' is not supported by this version"});
    return failed();
  }
  const std::string endpoint =
      options.endpoint.empty() ? vendor->default_endpoint(options) : std::string(options.endpoint);
  if (endpoint.empty()) {
    faults.push_back({"endpoint", "provider '" + std::string(options.provider) +
                                      "' needs endpoint = \"https://...\" (it has no address of its own)"});
    return failed();
  }
  auto parsed = parse_endpoint(endpoint);
  if (!parsed) {
    faults.push_back({"endpoint", std::move(parsed).error()});
    return failed();
  }
  upstream.endpoint = std::move(*parsed);
  check_credential(options, upstream, faults);
  vendor->prepare(options, upstream, faults);
  for (const auto& field : options.headers) {
    if (replaces_credential(field.name, upstream)) {
      faults.push_back(
          {"headers", "headers sets '" + field.name + "', which the connection's credential sets already"});
      continue;
    }
    upstream.set_headers.push_back(field);
  }
  if (!faults.empty()) return failed();
  return upstream;
}

base::Result<UpstreamTarget> make_upstream_target(const Upstream& upstream, const ClientCall& call,
                                                  base::Arena& arena) {
  const auto* vendor = vendor_of(upstream.provider->kind);
  if (vendor == nullptr || !vendor->speaks(call.surface)) {
    return base::fail(base::ErrorCode::unsupported, "the connection's provider speaks another protocol");
  }
  return vendor->target(upstream, call, arena);
}

}  // namespace llmgw::providers
