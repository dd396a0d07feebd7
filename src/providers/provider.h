// What the program knows of each vendor, as data: the names a configuration may use, what they need, and where they
// live. Static tables; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "providers/surface.h"

namespace llmgw::providers {

// Vendors that differ in URL shape, credential or protocol. Everything that only differs in its address is `openai`.
enum class ProviderKind : uint8_t { openai, azure, anthropic, google, vertex, bedrock, cohere };

enum class CredentialNeed : uint8_t { required, optional };

struct ProviderInfo {
  std::string_view name;  // the word in `provider = "..."`
  ProviderKind kind;
  std::string_view
      default_endpoint;       // empty: the configuration must give one, or (vertex) it follows from the location
  CredentialNeed credential;  // with the default endpoint; another endpoint of kind openai may need none
  std::string_view owned_by;  // what /v1/models says unless configured
  bool by_region = false;     // AWS: the default endpoint follows from the region
};

// Every name a configuration may use.
std::span<const ProviderInfo* const> all_providers();
// Null when there is none of that name.
const ProviderInfo* find_provider(std::string_view name);
// Claude, by any of the names Anthropic, Google and AWS give it.
bool is_claude(std::string_view model);

}  // namespace llmgw::providers
