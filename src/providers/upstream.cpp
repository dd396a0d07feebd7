#include "providers/upstream.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "providers/families.h"
#include "providers/vendor.h"

namespace llmgw::providers {
namespace {

constexpr std::array<const Vendor*, 7> kVendors = {&kOpenAi, &kAzure,   &kAnthropic, &kGoogle,
                                                   &kVertex, &kBedrock, &kCohere};

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
  return result;
}

bool is_vendor_host(const Endpoint& endpoint, const ProviderInfo& info) {
  const auto own = parse_endpoint(info.default_endpoint);
  return own && own->host == endpoint.host;
}

void check_credential(const UpstreamOptions& options, const Upstream& upstream, std::vector<UpstreamFault>& faults) {
  const auto& info = *upstream.provider;
  const std::array<std::pair<std::string_view, const base::Secret*>, 4> kinds = {
      {{"api_key", &options.api_key},
       {"access_token", &options.access_token},
       {"access_key_id", &options.access_key_id},
       {"service_account_file", &options.service_account}}};
  std::string_view first;
  for (const auto& [key, value] : kinds) {
    if (value->empty()) continue;
    if (!first.empty()) {
      faults.push_back({key, std::string(first) + " and " + std::string(key) + " exclude each other; keep one"});
    }
    first = key;
  }
  if (options.access_key_id.empty() != options.secret_access_key.empty()) {
    const bool no_id = options.access_key_id.empty();
    faults.push_back({no_id ? "access_key_id" : "secret_access_key",
                      "access_key_id and secret_access_key belong together; give both", true});
    return;
  }
  if (!first.empty()) return;
  // A proxy or an engine behind another address may do without.
  const bool own_address = info.kind != ProviderKind::openai || is_vendor_host(upstream.endpoint, info);
  if (info.credential == CredentialNeed::optional || !own_address) return;
  faults.push_back(
      {"api_key",
       "provider '" + std::string(info.name) + "' needs a credential; add api_key = \"env:NAME\" or \"file:PATH\"",
       true});
}

bool replaces_credential(std::string_view name, const Upstream& upstream) {
  if (name == "authorization" && (upstream.aws || upstream.google)) return true;
  return std::ranges::any_of(upstream.set_headers, [&](const HeaderField& field) { return field.name == name; });
}

}  // namespace

std::span<const ProviderInfo* const> all_providers() {
  static const std::vector<const ProviderInfo*> kProviders = collect_providers();
  return kProviders;
}

const ProviderInfo* find_provider(std::string_view name) {
  for (const auto* info : all_providers()) {
    if (info->name == name) return info;
  }
  return nullptr;
}

bool speaks(const Upstream& upstream, std::string_view model, Surface surface) {
  const auto* vendor = vendor_of(upstream.provider->kind);
  if (vendor == nullptr || !vendor->speaks(surface)) return false;
  return vendor->model_speaks == nullptr || vendor->model_speaks(upstream, model, surface);
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
  upstream.vendor = options.vendor;
  upstream.auto_cache = options.auto_cache;
  upstream.claude_by_invoke = options.claude_by_invoke;
  const std::string endpoint =
      options.endpoint.empty() ? vendor->default_endpoint(options) : std::string(options.endpoint);
  if (endpoint.empty() && upstream.provider->by_region) {
    faults.push_back({"region", "provider '" + std::string(options.provider) +
                                    "' needs region = \"...\", or an endpoint of its own"});
    return failed();
  }
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
  upstream.endpoint_is_set = !options.endpoint.empty() && options.endpoint != vendor->default_endpoint(options);
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
  upstream.own_quirks = has_own_quirks(upstream);
  return upstream;
}

base::Result<UpstreamTarget> make_upstream_target(const Upstream& upstream, const ClientCall& call,
                                                  base::Arena& arena) {
  const auto* vendor = vendor_of(upstream.provider->kind);
  if (!speaks(upstream, call.model, call.surface)) {
    return base::fail(base::ErrorCode::unsupported, "the connection's provider speaks another protocol");
  }
  return vendor->target(upstream, call, arena);
}

}  // namespace llmgw::providers
