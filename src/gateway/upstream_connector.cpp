#include "gateway/upstream_connector.h"

namespace llmgw::gateway {
namespace {

using base::ErrorCode;
using base::Result;
using control::Http2Mode;
using net::Stream;
using net::Task;

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

}  // namespace

Result<void> UpstreamConnector::check(const control::Connection& connection) {
  if (!connection.upstream.endpoint.tls) return {};
  if (connection.tls.ca_file.empty() && connection.tls.client_certificate.empty()) return {};
  TRY(context, net::TlsClientContext::create(options_of(connection)));
  return {};
}

Result<net::TlsClientContext*> UpstreamConnector::context_for(const control::Connection& connection) {
  const std::string key = context_key(connection);
  if (const auto found = contexts_.find(key); found != contexts_.end()) return &found->second;
  TRY(context, net::TlsClientContext::create(options_of(connection)));
  return &contexts_.emplace(key, std::move(context)).first->second;
}

Task<Result<std::unique_ptr<Stream>>> UpstreamConnector::dial(const control::Connection& connection, net::Wait wait) {
  const providers::Endpoint& endpoint = connection.upstream.endpoint;
  if (!endpoint.unix_path.empty()) {
    CO_TRY(address, net::Address::from_unix_path(endpoint.unix_path));
    co_return co_await network_.connect(address, wait);
  }
  CO_TRY(address, net::Address::from_ip(endpoint.host == "localhost" ? "127.0.0.1" : endpoint.host, endpoint.port));
  co_return co_await network_.connect(address, wait);
}

Task<Result<std::unique_ptr<Stream>>> UpstreamConnector::connect(const control::Connection& connection,
                                                                 net::Wait wait) {
  CO_TRY(stream, co_await dial(connection, wait));
  if (!connection.upstream.endpoint.tls) co_return std::move(stream);
  CO_TRY(context, context_for(connection));
  const std::string& name =
      connection.tls.server_name.empty() ? connection.upstream.endpoint.host : connection.tls.server_name;
  co_return co_await net::tls_connect(std::move(stream), *context, name, wait);
}

}  // namespace llmgw::gateway
