// What a vendor's file offers to the rest of this folder.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "providers/upstream.h"

namespace llmgw::providers {

struct Vendor {
  ProviderKind kind;
  std::span<const ProviderInfo> names;
  // Whether some model of the vendor can be called by that surface without conversion.
  bool (*speaks)(Surface surface);
  // Whether this one can; null: all that `speaks` says.
  bool (*model_speaks)(const Upstream& upstream, std::string_view model, Surface surface) = nullptr;
  // Where the vendor is when the configuration gives no endpoint; empty when it has to.
  std::string (*default_endpoint)(const UpstreamOptions& options);
  // Fills everything of `upstream` but provider, endpoint and the configured extra headers.
  void (*prepare)(const UpstreamOptions& options, Upstream& upstream, std::vector<UpstreamFault>& faults);
  base::Result<UpstreamTarget> (*target)(const Upstream& upstream, const ClientCall& call, base::Arena& arena);
};

extern const Vendor kOpenAi;
extern const Vendor kAzure;
extern const Vendor kAnthropic;
extern const Vendor kGoogle;
extern const Vendor kVertex;
extern const Vendor kBedrock;
extern const Vendor kCohere;

// Puts a path and query together in an arena; the caller says once how long it may get.
class TargetWriter {
 public:
  TargetWriter(base::Arena& arena, size_t bytes_max) : buffer_(arena.bytes(bytes_max)) {}

  TargetWriter& add(std::string_view text);
  // Percent-encodes everything but RFC 3986's unreserved characters.
  TargetWriter& add_encoded(std::string_view text);
  // The client's query without credentials and without the parameters of those names.
  TargetWriter& add_query(std::string_view query, std::initializer_list<std::string_view> drop = {});
  TargetWriter& add_parameter(std::string_view name, std::string_view value);

  std::string_view text() const { return {buffer_.data(), size_}; }

 private:
  std::span<char> buffer_;
  size_t size_ = 0;
  bool has_query_ = false;
};

// Room for a target: raw text once, encoded text three times, separators.
constexpr size_t target_bytes_max(size_t raw, size_t encoded) {
  return raw + 3 * encoded + 64;
}

// True when `query` has a parameter of that name, however it is percent-encoded.
bool has_parameter(std::string_view query, std::string_view name);

// True when a segment of the path is an API version.
bool has_version_segment(std::string_view path);

// "Bearer <token>" as a Secret.
base::Secret bearer(const base::Secret& token);

// An OAuth access token in the place of an API key (Google's "ya29." tokens, a JWT's "eyJ").
bool looks_like_oauth_token(const base::Secret& secret);
// Says so as a fault.
void refuse_oauth_token_as_key(const UpstreamOptions& options, std::vector<UpstreamFault>& faults);

// Fills `upstream.aws` from an access key, or sets the bearer header from an API key.
void prepare_aws(const UpstreamOptions& options, std::string_view service, Upstream& upstream,
                 std::vector<UpstreamFault>& faults);

}  // namespace llmgw::providers
