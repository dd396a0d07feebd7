#include "gateway/upstream_connector.h"

#include <cstdlib>

#include "base/text.h"

namespace llmgw::gateway {
namespace {

using base::Result;
using control::Http2Mode;
using control::ProxyChoice;
using net::Stream;
using net::Task;

constexpr const char* kProxyContext = "proxy";  // and its authorities; a connection's key has a NUL in it

std::vector<std::string> alpn_of(Http2Mode mode) {
  switch (mode) {
    case Http2Mode::automatic: return {"h2", "http/1.1"};
    case Http2Mode::on: return {"h2"};
    case Http2Mode::off: break;
  }
  return {"http/1.1"};
}

net::TlsClientOptions options_of(const control::Connection& connection) {
  const control::TlsClientSettings& tls = connection.tls;
  return {.verify = tls.verify,
          .ca_file = tls.ca_file,
          .certificate = {.chain_file = tls.client_certificate, .key_file = tls.client_key},
          .alpn = alpn_of(connection.pool.http2)};
}

// A proxy's certificate is the company's own or one that everybody trusts, whatever the upstream's is.
net::TlsClientOptions proxy_options(const control::Connection& connection) {
  return {.ca_file = connection.tls.ca_file, .system_too = true, .alpn = {"http/1.1"}};
}

// Connections with the same key may share a context, and with it resumable sessions.
std::string context_key(const control::Connection& connection) {
  const control::TlsClientSettings& tls = connection.tls;
  std::string key;
  for (const std::string* part : {&tls.ca_file, &tls.client_certificate, &tls.client_key}) {
    key.append(*part).push_back('\0');
  }
  key.push_back(tls.verify ? 'v' : '-');
  key.push_back(static_cast<char>('0' + static_cast<int>(connection.pool.http2)));
  return key;
}

Result<net::ProxySettings> environment_proxies() {
  return net::proxy_settings([](const char* name) -> const char* { return std::getenv(name); });
}

// net's reader knows how authorization is written; it wants a URL.
Result<net::Proxy> fixed_proxy(const ProxyChoice& choice) {
  std::string url = choice.endpoint.tls ? "https://" : "http://";
  if (const std::string_view user = choice.user.reveal(); !user.empty()) {
    const size_t colon = user.find(':');
    url += base::percent_encode(user.substr(0, colon));
    if (colon != std::string_view::npos) url += ":" + base::percent_encode(user.substr(colon + 1));
    url += "@";
  }
  const std::string& host = choice.endpoint.host;
  url += host.find(':') == std::string::npos ? host : "[" + host + "]";
  url += ":" + std::to_string(choice.endpoint.port);
  return net::parse_proxy(url);
}

// The proxy for a connection whose environment says `environment`.
std::optional<net::Proxy> choose_proxy(const control::Connection& connection, const net::ProxySettings& environment) {
  const providers::Endpoint& endpoint = connection.upstream.endpoint;
  const ProxyChoice& choice = connection.pool.proxy;
  if (!endpoint.unix_path.empty()) return std::nullopt;
  switch (choice.kind) {
    case ProxyChoice::Kind::none: return std::nullopt;
    case ProxyChoice::Kind::fixed: {
      auto proxy = fixed_proxy(choice);
      return proxy ? std::optional(std::move(*proxy)) : std::nullopt;
    }
    case ProxyChoice::Kind::environment: break;
  }
  const net::Proxy* chosen = environment.choose(endpoint.host, endpoint.port, endpoint.tls);
  return chosen == nullptr ? std::nullopt : std::optional(*chosen);
}

}  // namespace

UpstreamConnector::UpstreamConnector(net::Loop& loop, net::Network& network) : loop_(loop), network_(network) {
  if (auto settings = environment_proxies()) environment_ = std::move(*settings);
}

std::expected<void, std::string> UpstreamConnector::check(const control::Connection& connection) {
  net::ProxySettings environment;
  if (connection.pool.proxy.kind == ProxyChoice::Kind::environment) {
    auto settings = environment_proxies();
    if (!settings) {
      return std::unexpected(std::string(settings.error().context) + "; correct the variable, or set proxy = \"none\"");
    }
    environment = std::move(*settings);
  }
  const control::TlsClientSettings& tls = connection.tls;
  if (tls.ca_file.empty() && tls.client_certificate.empty()) return {};
  const auto proxy = choose_proxy(connection, environment);
  const bool well = (!connection.upstream.endpoint.tls || net::TlsClientContext::create(options_of(connection))) &&
                    (!proxy || !proxy->tls || net::TlsClientContext::create(proxy_options(connection)));
  if (!well) return std::unexpected("tls: " + std::string(net::last_tls_error()));
  return {};
}

void UpstreamConnector::adopt(const control::Snapshot& snapshot) {
  contexts_.clear();
  if (dns_.ttl_min != snapshot.dns_ttl_min || dns_.ttl_max != snapshot.dns_ttl_max) names_.reset();
  dns_.ttl_min = snapshot.dns_ttl_min;
  dns_.ttl_max = snapshot.dns_ttl_max;
}

std::optional<net::Proxy> UpstreamConnector::proxy_of(const control::Connection& connection) const {
  return choose_proxy(connection, environment_);
}

Result<net::TlsClientContext> UpstreamConnector::context_for(const control::Connection& connection) {
  const std::string key = context_key(connection);
  if (const auto found = contexts_.find(key); found != contexts_.end()) return found->second;
  TRY(context, net::TlsClientContext::create(options_of(connection)));
  return contexts_.emplace(key, std::move(context)).first->second;
}

Result<net::TlsClientContext> UpstreamConnector::proxy_context(const control::Connection& connection) {
  const std::string key = kProxyContext + connection.tls.ca_file;
  if (const auto found = contexts_.find(key); found != contexts_.end()) return found->second;
  TRY(context, net::TlsClientContext::create(proxy_options(connection)));
  return contexts_.emplace(key, std::move(context)).first->second;
}

Result<std::shared_ptr<UpstreamConnector::Names>> UpstreamConnector::names() {
  if (names_ == nullptr) {
    auto made = std::make_shared<Names>();
    TRY(resolver, net::make_dns_resolver(loop_, dns_));
    made->resolver = std::move(resolver);
    made->dialer.emplace(loop_, network_, *made->resolver);
    names_ = std::move(made);
  }
  return names_;
}

Task<Result<std::unique_ptr<Stream>>> UpstreamConnector::connect(const control::Connection& connection,
                                                                 net::Wait wait) {
  const providers::Endpoint& endpoint = connection.upstream.endpoint;
  // All of these live until the connection is made, whatever a reload does meanwhile.
  CO_TRY(names_in_use, names());
  std::optional<net::TlsClientContext> tls;
  std::optional<net::TlsClientContext> proxy_tls;
  const std::optional<net::Proxy> proxy = proxy_of(connection);
  net::DialTarget target{.host = endpoint.host,
                         .port = endpoint.port,
                         .unix_path = endpoint.unix_path,
                         .server_name = connection.tls.server_name};
  if (endpoint.tls) {
    CO_TRY(context, context_for(connection));
    target.tls = &tls.emplace(std::move(context));
  }
  if (proxy) {
    target.proxy = &*proxy;
    if (proxy->tls) {
      CO_TRY(context, proxy_context(connection));
      target.proxy_tls = &proxy_tls.emplace(std::move(context));
    }
  }
  co_return co_await names_in_use->dialer->dial(target, wait);
}

}  // namespace llmgw::gateway
