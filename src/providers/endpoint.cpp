#include "providers/endpoint.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "providers/surface.h"

namespace llmgw::providers {
namespace {

using Fault = std::unexpected<std::string>;

Fault fault(std::string_view message) {
  return Fault(std::string(message));
}

bool is_host_character(char c) {
  return base::is_digit(c) || (base::to_lower(c) >= 'a' && base::to_lower(c) <= 'z') || c == '.' || c == '-' ||
         c == '_';
}

bool is_address_character(char c) {
  return base::is_digit(c) || (base::to_lower(c) >= 'a' && base::to_lower(c) <= 'f') || c == ':' || c == '.';
}

bool is_path_character(char c) {
  return c > ' ' && c < 0x7f && std::string_view("\"<>\\^`{|}?#").find(c) == std::string_view::npos;
}

// What the gateway writes behind a base path itself: whoever copies an address from a curl command has it in there.
constexpr std::string_view kApiPaths[] = {
    "/chat/completions", "/completions", "/embeddings", "/responses",       "/messages",
    "/v2/chat",          "/v2/embed",    "/rerank",     ":generateContent", ":streamGenerateContent"};

std::expected<std::string, std::string> parse_base_path(std::string_view path) {
  if (path.find('?') != std::string_view::npos) {
    return fault("the endpoint has a query; write only scheme, host and path (api_version is a key of its own)");
  }
  if (path.find('#') != std::string_view::npos)
    return fault("the endpoint has a fragment; remove '#' and what follows");
  if (!std::all_of(path.begin(), path.end(), is_path_character) || !base::percent_decode(path)) {
    return fault("the endpoint's path has a character that is not allowed in a URL; percent-encode it");
  }
  if (has_dot_segment(path)) return fault("the endpoint's path has '.' or '..' segments; write the plain path");
  while (path.ends_with('/')) path.remove_suffix(1);
  for (const std::string_view own : kApiPaths) {
    if (!path.ends_with(own)) continue;
    return Fault("the endpoint ends in \"" + std::string(own) + "\", which the gateway adds itself; write only what " +
                 "stands before " + (own.front() == ':' ? "\"/models\"" : "it"));
  }
  return std::string(path);
}

std::expected<Endpoint, std::string> parse_unix(std::string_view rest) {
  Endpoint endpoint;
  const size_t colon = rest.find(':');
  const auto socket = rest.substr(0, colon);
  constexpr size_t kSocketPathMax = 107;  // sizeof(sockaddr_un::sun_path) - 1
  if (!socket.starts_with('/') || socket.size() < 2 || socket.size() > kSocketPathMax) {
    return fault("the unix socket needs an absolute path of at most 107 bytes, such as \"unix:/run/engine.sock\"");
  }
  if (colon != std::string_view::npos) {
    const auto path = rest.substr(colon + 1);
    if (!path.starts_with('/')) {
      return fault("the base path after a unix socket starts with '/', as in \"unix:/run/engine.sock:/v1\"");
    }
    auto base_path = parse_base_path(path);
    if (!base_path) return Fault(std::move(base_path).error());
    endpoint.base_path = std::move(*base_path);
  }
  endpoint.unix_path = socket;
  endpoint.host = endpoint.authority = "localhost";
  return endpoint;
}

std::expected<void, std::string> parse_authority(std::string_view authority, Endpoint& endpoint) {
  if (authority.find('@') != std::string_view::npos) {
    return fault("the endpoint has credentials before '@'; remove them and use api_key, access_token or headers");
  }
  std::string_view host = authority;
  std::string_view port;
  bool has_port = false;
  if (authority.starts_with('[')) {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) return fault("the endpoint's IPv6 address lacks its ']'");
    host = authority.substr(1, close - 1);
    if (host.find(':') == std::string_view::npos || !std::all_of(host.begin(), host.end(), is_address_character)) {
      return fault("what stands between '[' and ']' in the endpoint is not an IPv6 address");
    }
    const auto rest = authority.substr(close + 1);
    if (!rest.empty() && !rest.starts_with(':')) return fault("after ']' only ':port' may follow in the endpoint");
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else if (const size_t colon = authority.find(':'); colon != std::string_view::npos) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
    has_port = true;
  }
  if (host.empty()) return fault("the endpoint has no host; write it as \"https://host/path\"");
  if (!authority.starts_with('[') && !std::all_of(host.begin(), host.end(), is_host_character)) {
    return fault("the endpoint's host has a character that no host name has");
  }
  const uint16_t default_port = endpoint.tls ? 443 : 80;
  const auto number = has_port ? base::parse_decimal(port) : default_port;
  if (!number || *number == 0 || *number > 65535) return fault("the endpoint's port must be between 1 and 65535");
  endpoint.host = host;
  std::transform(endpoint.host.begin(), endpoint.host.end(), endpoint.host.begin(), base::to_lower);
  endpoint.port = static_cast<uint16_t>(*number);
  endpoint.authority = authority.starts_with('[') ? "[" + endpoint.host + "]" : endpoint.host;
  if (endpoint.port != default_port) endpoint.authority += ":" + std::to_string(endpoint.port);
  return {};
}

}  // namespace

std::expected<Endpoint, std::string> parse_endpoint(std::string_view text) {
  if (text.size() > kEndpointBytesMax) return fault("the endpoint is longer than 2048 bytes");
  if (text.starts_with("unix:")) return parse_unix(text.substr(5));
  Endpoint endpoint;
  if (text.starts_with("https://")) {
    endpoint.tls = true;
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else {
    return fault("the endpoint must start with \"https://\", \"http://\" or \"unix:/\"");
  }
  const size_t path_start = text.find_first_of("/?#");
  if (auto parsed = parse_authority(text.substr(0, path_start), endpoint); !parsed) {
    return Fault(std::move(parsed).error());
  }
  if (path_start != std::string_view::npos) {
    auto base_path = parse_base_path(text.substr(path_start));
    if (!base_path) return Fault(std::move(base_path).error());
    endpoint.base_path = std::move(*base_path);
  }
  return endpoint;
}

}  // namespace llmgw::providers
