// How a call of one surface is addressed to a connection of the same protocol: path, credential headers, and what has
// to happen to the model name. `prepare_upstream` does once, when a configuration is loaded, all that does not depend
// on the call; `make_upstream_target` is pure, takes well under a microsecond and allocates only from the call's arena.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/result.h"
#include "base/secret.h"
#include "providers/endpoint.h"
#include "providers/google_credentials.h"
#include "providers/provider.h"
#include "providers/sigv4.h"

namespace llmgw::providers {

struct HeaderField {
  std::string name;  // lower case
  base::Secret value;
};

// Prompt caching that the gateway asks for where the client does not.
struct AutoCache {
  bool system = false;
  bool tools = false;
  uint32_t min_system_tokens = 1024;
};

// A connection as configured; views need to live only during prepare_upstream. Empty means "not given".
struct UpstreamOptions {
  std::string_view provider = {};
  std::string_view endpoint = {};
  base::Secret api_key = {};
  base::Secret access_token = {};
  std::string_view api_version = {};   // azure
  std::string_view organization = {};  // openai
  std::string_view project = {};       // openai: project header; vertex: Google Cloud project
  std::string_view location = {};      // vertex
  base::Secret service_account = {};   // vertex: the text of a service account's or authorized user's file
  std::string_view region = {};        // AWS
  base::Secret access_key_id = {};     // AWS, the next two too
  base::Secret secret_access_key = {};
  base::Secret session_token = {};
  std::string_view vendor = {};   // openai-compatible: whose server it is
  AutoCache auto_cache = {};      // anthropic, vertex, bedrock
  bool claude_by_invoke = false;  // bedrock: Claude is called by InvokeModel, with Anthropic's own messages
  std::vector<HeaderField> headers = {};
};

// Which key of the connection is wrong, and what to write instead. Never holds a secret.
struct UpstreamFault {
  std::string_view key;
  std::string message;
  bool no_credential = false;  // there is none, rather than a wrong one
};

// Azure's three URL shapes (Microsoft Learn, "Azure OpenAI API lifecycle"; facts of Aug 2026).
enum class AzureShape : uint8_t {
  classic,  // {base}/openai/deployments/{deployment}/{resource}?api-version=
  v1,       // {base}/openai/v1/{resource}
  foundry,  // {base}/models/{resource}?api-version=
};

// Requests are signed for this service (providers/sigv4.h).
struct AwsSigning {
  AwsCredentials credentials;
  std::string region;
  std::string service;
};

// Immutable once prepared.
struct Upstream {
  const ProviderInfo* provider = nullptr;
  Endpoint endpoint;
  bool endpoint_is_set = false;   // by the operator: it need not be the provider's
  std::string prefix;             // of the path: base path and what the vendor's shape puts before the resource
  bool prefix_versioned = false;  // the endpoint already names an API version
  AzureShape azure_shape = AzureShape::classic;
  std::string resource_scope;                // vertex: "projects/p/locations/l/", empty in express mode
  std::string api_version;                   // azure: sent when the client gave none; may be empty for v1
  std::vector<HeaderField> set_headers;      // credentials and configured headers: replace the client's of that name
  std::vector<HeaderField> default_headers;  // only where the client sent none of that name
  std::optional<AwsSigning> aws;
  std::shared_ptr<const GoogleCredentials> google;  // exchanged for a bearer token (providers/token_source.h)
  AutoCache auto_cache;
  bool claude_by_invoke = false;
  std::string vendor;       // whose table of quirks holds (providers/families.h); empty: by provider and host
  bool own_quirks = false;  // has_own_quirks(): asked of every call
};

std::expected<Upstream, std::vector<UpstreamFault>> prepare_upstream(const UpstreamOptions& options);

// One call. Views must outlive the call's arena.
struct ClientCall {
  Surface surface;
  std::string_view path;        // the client's, without query, percent-encoded as it came
  std::string_view query;       // without '?'
  std::string_view model;       // the upstream's name for the model
  std::string_view deployment;  // azure; empty: `model` is the deployment
  bool stream = false;          // the body asks for a stream; vertex: Claude has another path then
};

enum class BodyModel : uint8_t {
  keep,  // the body goes as it came: the path, not the body, selects the model
  set,   // the body's `model` must become `UpstreamTarget::model`, and be inserted where it is absent
};

// Claude's body in the clothes of another cloud: members that the path has instead, and one that names the version.
struct BodyEnvelope {
  bool drop_model = false;
  bool drop_stream = false;
  std::string_view anthropic_version;  // added where the body has none; empty: nothing is

  bool any() const { return drop_model || drop_stream || !anthropic_version.empty(); }
};

struct UpstreamTarget {
  std::string_view path_and_query;  // in the arena; starts with '/'
  BodyModel body_model = BodyModel::keep;
  std::string_view model;
  BodyEnvelope envelope = {};
};

// Whether a call of that surface for that model (the upstream's name; empty: none) passes without conversion.
bool speaks(const Upstream& upstream, std::string_view model, Surface surface);

// Errors: unsupported when the vendor speaks another protocol or has no such path; invalid_argument for a path the
// surface does not have, one with dot segments, or a missing model.
base::Result<UpstreamTarget> make_upstream_target(const Upstream& upstream, const ClientCall& call, base::Arena& arena);

}  // namespace llmgw::providers
