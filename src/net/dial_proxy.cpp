#include "net/dial_proxy.h"

#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace llmgw::net {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr size_t kCredentialsBytesMax = 1024;

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), base::to_lower);
  return result;
}

std::string_view without_brackets(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') return host.substr(1, host.size() - 2);
  return host;
}

// 4 or 16 bytes; empty for a name. An IPv4 address mapped into IPv6 counts as IPv4.
std::vector<uint8_t> address_bytes(std::string_view host) {
  const auto address = Address::from_ip(without_brackets(host), 0);
  if (!address) return {};
  if (address->family() == AF_INET) {
    const auto* bytes =
        reinterpret_cast<const uint8_t*>(&reinterpret_cast<const sockaddr_in*>(address->data())->sin_addr);
    return {bytes, bytes + 4};
  }
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(address->data())->sin6_addr;
  return {v6.s6_addr + (IN6_IS_ADDR_V4MAPPED(&v6) ? 12 : 0), v6.s6_addr + 16};
}

bool same_prefix(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b, unsigned bits) {
  if (a.size() != b.size()) return false;
  const size_t whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff << (8 - bits % 8));
  return ((a[whole] ^ b[whole]) & mask) == 0;
}

bool is_loopback(std::string_view host) {
  const std::string name = lower(host);
  if (name == "localhost" || name == "localhost." || name.ends_with(".localhost")) return true;
  const auto bytes = address_bytes(host);
  if (bytes.size() == 4) return bytes[0] == 127;
  return bytes.size() == 16 && std::all_of(bytes.begin(), bytes.end() - 1, [](uint8_t b) { return b == 0; }) &&
         bytes.back() == 1;
}

// Splits "host", "host:port", "[v6]:port" or a bare IPv6 address. False: the port is no port.
bool split_port(std::string_view text, std::string_view& host, std::optional<uint16_t>& port) {
  host = text;
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']')) return true;
  if (text.find(':') != colon && text.find(']') == std::string_view::npos) return true;
  const auto number = base::parse_decimal(text.substr(colon + 1));
  if (!number || *number == 0 || *number > 65535) return false;
  port = static_cast<uint16_t>(*number);
  host = text.substr(0, colon);
  return true;
}

Result<base::Secret> basic_authorization(std::string_view user_info) {
  const size_t colon = user_info.find(':');
  auto user = base::percent_decode(user_info.substr(0, colon));
  auto password = base::percent_decode(colon == std::string_view::npos ? "" : user_info.substr(colon + 1));
  if (!user || !password || user->find(':') != std::string::npos ||
      user->size() + password->size() > kCredentialsBytesMax) {
    return fail(ErrorCode::invalid_argument, "user or password of the proxy are malformed");
  }
  const base::Secret plain(*user + ":" + *password);
  std::string encoded((plain.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                      reinterpret_cast<const unsigned char*>(plain.reveal().data()), static_cast<int>(plain.size()));
  encoded.resize(static_cast<size_t>(size));
  encoded.insert(0, "Basic ");
  base::Secret authorization(encoded);
  for (std::string* text : {&encoded, &*user, &*password}) OPENSSL_cleanse(text->data(), text->size());
  return authorization;
}

}  // namespace

Result<Proxy> parse_proxy(std::string_view url) {
  Proxy proxy;
  if (const size_t scheme_end = url.find("://"); scheme_end != std::string_view::npos) {
    const std::string scheme = lower(url.substr(0, scheme_end));
    if (scheme != "http" && scheme != "https") {
      return fail(ErrorCode::unsupported, "a proxy is reached by http:// or https://");
    }
    proxy.tls = scheme == "https";
    url.remove_prefix(scheme_end + 3);
  }
  url = url.substr(0, url.find_first_of("/?#"));
  if (const size_t at = url.rfind('@'); at != std::string_view::npos) {
    TRY(authorization, basic_authorization(url.substr(0, at)));
    proxy.authorization = std::move(authorization);
    url.remove_prefix(at + 1);
  }
  std::string_view host;
  std::optional<uint16_t> port;
  if (!split_port(url, host, port) || host.empty()) {
    return fail(ErrorCode::invalid_argument, "a proxy is written http://host:port");
  }
  proxy.host = lower(without_brackets(host));
  proxy.port = port.value_or(proxy.tls ? 443 : 80);
  return proxy;
}

std::optional<NoProxy::Entry> NoProxy::parse_entry(std::string_view text) {
  Entry entry;
  std::string_view host;
  if (const size_t slash = text.find('/'); slash != std::string_view::npos) {
    const auto bits = base::parse_decimal(text.substr(slash + 1));
    entry.prefix = address_bytes(text.substr(0, slash));
    if (!bits || entry.prefix.empty() || *bits > entry.prefix.size() * 8) return std::nullopt;
    entry.prefix_bits = static_cast<unsigned>(*bits);
    return entry;
  }
  std::optional<uint16_t> port;
  if (!split_port(text, host, port)) return std::nullopt;
  entry.port = port.value_or(0);
  entry.prefix = address_bytes(host);
  entry.prefix_bits = static_cast<unsigned>(entry.prefix.size() * 8);
  if (!entry.prefix.empty()) return entry;
  if (host.starts_with("*.")) host.remove_prefix(1);
  if (host.starts_with('.')) host.remove_prefix(1);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty()) return std::nullopt;
  entry.name = lower(host);
  return entry;
}

NoProxy NoProxy::parse(std::string_view list) {
  NoProxy result;
  while (!list.empty()) {
    const size_t end = list.find_first_of(", \t");
    const std::string_view text = list.substr(0, end);
    list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
    if (text.empty()) continue;
    if (text == "*") {
      result.everywhere_ = true;
    } else if (auto entry = parse_entry(text)) {
      result.entries_.push_back(std::move(*entry));
    }
  }
  return result;
}

bool NoProxy::matches(std::string_view host, uint16_t port) const {
  if (everywhere_) return true;
  std::string name = lower(host);
  if (name.ends_with('.')) name.pop_back();
  const auto bytes = address_bytes(host);
  return std::ranges::any_of(entries_, [&](const Entry& entry) {
    if (entry.port != 0 && entry.port != port) return false;
    if (!entry.prefix.empty()) return same_prefix(entry.prefix, bytes, entry.prefix_bits);
    if (!bytes.empty() || !name.ends_with(entry.name)) return false;
    return name.size() == entry.name.size() || name[name.size() - entry.name.size() - 1] == '.';
  });
}

const Proxy* ProxySettings::choose(std::string_view host, uint16_t port, bool tls) const {
  const std::optional<Proxy>& proxy = tls ? https : http;
  if (!proxy || (!proxy_loopback && is_loopback(host)) || no_proxy.matches(host, port)) return nullptr;
  return &*proxy;
}

Result<ProxySettings> proxy_settings(const std::function<const char*(const char*)>& lookup) {
  const auto value = [&](const char* lower_name, const char* upper_name) -> std::string_view {
    const char* text = lookup(lower_name);
    if (text == nullptr) text = lookup(upper_name);
    return text != nullptr ? base::trim(text) : std::string_view();
  };
  const std::string_view all = value("all_proxy", "ALL_PROXY");
  ProxySettings settings;
  std::string_view text = value("http_proxy", "HTTP_PROXY");
  if (text.empty()) text = all;
  if (!text.empty()) {
    auto proxy = parse_proxy(text);
    if (!proxy)
      return fail(proxy.error().code, "HTTP_PROXY or ALL_PROXY must be http://host:port or https://host:port");
    settings.http = std::move(*proxy);
  }
  text = value("https_proxy", "HTTPS_PROXY");
  if (text.empty()) text = all;
  if (!text.empty()) {
    auto proxy = parse_proxy(text);
    if (!proxy) {
      return fail(proxy.error().code, "HTTPS_PROXY or ALL_PROXY must be http://host:port or https://host:port");
    }
    settings.https = std::move(*proxy);
  }
  settings.no_proxy = NoProxy::parse(value("no_proxy", "NO_PROXY"));
  return settings;
}

}  // namespace llmgw::net
