// Whether what is sent to a URL is safe from listeners on the way. Pure; any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace llmgw::control {

// By TLS, or because it stays on this machine. A name that only begins like this machine's is another's.
constexpr bool is_private_url(std::string_view url) {
  constexpr std::string_view kPlain = "http://";
  if (url.starts_with("https://")) return true;
  if (!url.starts_with(kPlain)) return false;
  url.remove_prefix(kPlain.size());
  std::string_view host = url.substr(0, url.find_first_of("/?#"));
  const size_t port = host.find(':', host.starts_with('[') ? std::min(host.find(']'), host.size()) : 0);
  const std::string_view number = port == std::string_view::npos ? std::string_view() : host.substr(port + 1);
  if (number.find_first_not_of("0123456789") != std::string_view::npos) return false;
  host = host.substr(0, port);
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

}  // namespace llmgw::control
