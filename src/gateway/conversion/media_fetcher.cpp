#include "gateway/conversion/media_fetcher.h"

#include <algorithm>

#include "base/text.h"
#include "http/content_coding.h"
#include "http/pool.h"
#include "net/dial.h"
#include "net/public_address.h"
#include "providers/endpoint.h"

namespace llmgw::gateway {

using base::ErrorCode;
using base::fail;
using base::Result;
using http::HeaderId;
using net::Task;

namespace {

constexpr size_t kUrlBytesMax = 8192;  // signed URLs of object stores stay below 4 KiB

struct Url {
  bool tls = false;
  std::string host;
  uint16_t port = 0;
  std::string authority;
  std::string target;  // path and query
};

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kUrlBytesMax) return fail(ErrorCode::invalid_argument, "the URL is too long");
  text = text.substr(0, text.find('#'));
  const size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return fail(ErrorCode::invalid_argument, "the URL has no scheme");
  size_t path = text.find_first_of("/?", scheme + 3);
  if (path == std::string_view::npos) path = text.size();
  // The operators' parser knows schemes, hosts and ports; it takes no path it does not need. Schemes are the same in
  // capitals.
  std::string origin(text.substr(0, path));
  std::transform(origin.begin(), origin.begin() + static_cast<ptrdiff_t>(scheme), origin.begin(), base::to_lower);
  auto endpoint = providers::parse_endpoint(origin);
  if (!endpoint || !endpoint->unix_path.empty()) {
    return fail(ErrorCode::invalid_argument, "the URL must be http:// or https:// with a host");
  }
  Url url{.tls = endpoint->tls,
          .host = std::move(endpoint->host),
          .port = endpoint->port,
          .authority = std::move(endpoint->authority),
          .target = std::string(text.substr(path))};
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  for (const char c : url.target) {
    if (c <= ' ' || c == 0x7F) return fail(ErrorCode::invalid_argument, "the URL has a character that must be escaped");
  }
  return url;
}

bool is_redirect(uint16_t status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string resolve_location(const Url& base, std::string_view location) {
  if (location.find("://") != std::string_view::npos) return std::string(location);
  const std::string origin = (base.tls ? "https://" : "http://") + base.authority;
  if (location.starts_with("//")) return (base.tls ? "https:" : "http:") + std::string(location);
  if (location.starts_with('/')) return origin + std::string(location);
  const std::string path = base.target.substr(0, base.target.find('?'));
  return origin + path.substr(0, path.rfind('/') + 1) + std::string(location);
}

}  // namespace

MediaFetcher::MediaFetcher(net::Loop& loop, net::Network& network) : loop_(loop), network_(network) {}
MediaFetcher::~MediaFetcher() = default;

Result<void> MediaFetcher::prepare() {
  if (resolver_ == nullptr) {
    TRY(resolver, net::make_dns_resolver(loop_));
    resolver_ = std::move(resolver);
    public_resolver_ = net::make_public_resolver(*resolver_);
  }
  if (tls_ == nullptr) {
    TRY(context, net::TlsClientContext::create({.alpn = {"http/1.1"}}));
    tls_ = std::make_unique<net::TlsClientContext>(std::move(context));
  }
  return {};
}

// One request. The result is where it is redirected to, or empty if `media` is filled.
Task<Result<std::string>> MediaFetcher::fetch_once(const std::string& text, const FetchLimits& limits, net::Wait wait,
                                                   FetchedMedia& media) {
  CO_TRY(url, parse_url(text));
  net::Dialer dialer(loop_, network_, limits.private_addresses ? *resolver_ : *public_resolver_);
  const net::DialTarget target{.host = url.host, .port = url.port, .tls = url.tls ? tls_.get() : nullptr};
  http::Pool pool(loop_, [&](net::Wait connect_wait) { return dialer.dial(target, connect_wait); },
                  {.connections_max = 1, .idle_max = 0, .head_limits = {}});
  CO_TRY(exchange, co_await pool.acquire(true, wait));
  http::Headers headers;
  headers.append("accept", "*/*");
  headers.append("accept-encoding", "identity");
  headers.append("user-agent", "llm-gateway");
  const http::RequestStart request{.method = "GET",
                                   .target = url.target,
                                   .scheme = url.tls ? "https" : "http",
                                   .authority = url.authority,
                                   .headers = &headers,
                                   .body = {},
                                   .upgrade = {}};
  CO_TRY_VOID(co_await exchange->send(request, wait));
  CO_TRY(head, co_await exchange->read_head(wait));
  if (is_redirect(head->status)) {
    const std::string_view location = head->headers.value("location");
    if (location.empty()) co_return fail(ErrorCode::protocol, "the URL redirects to nowhere");
    co_return resolve_location(url, location);
  }
  if (head->status != 200) co_return fail(ErrorCode::not_found, "the URL does not answer with status 200");
  if (head->framing == http::Framing::content_length && head->content_length > limits.bytes_max) {
    co_return fail(ErrorCode::too_large, "the file behind the URL is too large");
  }
  const std::string_view type = head->headers.value(HeaderId::content_type);
  media.media_type = type.substr(0, type.find_first_of("; "));
  // Some servers compress whatever they are asked for.
  CO_TRY(decoder, http::ContentDecoder::create(head->headers.value(HeaderId::content_encoding), limits.bytes_max));
  for (bool done = false; !done;) {
    CO_TRY(bytes, co_await exchange->read_body(wait));
    if (media.bytes.size() + bytes.data.size() > limits.bytes_max) {
      co_return fail(ErrorCode::too_large, "the file behind the URL is too large");
    }
    const std::string_view data(bytes.data.data(), bytes.data.size());
    const size_t before = media.bytes.size();
    if (decoder == nullptr) {
      media.bytes += data;
    } else {
      CO_TRY_VOID(decoder->feed(data, media.bytes));
    }
    if (limits.take && !limits.take(media.bytes.size() - before)) {
      co_return fail(ErrorCode::exhausted, "no memory for the file behind the URL");
    }
    done = bytes.done;
  }
  if (decoder != nullptr && !decoder->finished()) co_return fail(ErrorCode::protocol, "the file is badly compressed");
  if (media.bytes.empty()) co_return fail(ErrorCode::invalid_argument, "the file behind the URL is empty");
  co_return std::string();
}

Task<Result<FetchedMedia>> MediaFetcher::fetch(std::string url, FetchLimits limits, net::Cancellation* cancellation) {
  CO_TRY_VOID(prepare());
  const net::Wait wait{loop_.now() + limits.timeout, cancellation};
  for (int hop = 0; hop <= limits.redirects_max; ++hop) {
    FetchedMedia media;
    CO_TRY(next, co_await fetch_once(url, limits, wait, media));
    if (next.empty()) co_return media;
    url = std::move(next);
  }
  co_return fail(ErrorCode::protocol, "the URL redirects too often");
}

}  // namespace llmgw::gateway
