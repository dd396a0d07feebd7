#include "http/fetch.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/text.h"
#include "http/message.h"
#include "http/pool.h"
#include "net/dial.h"
#include "net/resolver.h"
#include "net/tls.h"

namespace llmgw::http {
namespace {

using base::ErrorCode;
using base::Result;
using net::Task;

constexpr size_t kUrlBytesMax = 8192;

// What a connection needs while it is made.
class Connector {
 public:
  Connector(net::Loop& loop, net::Network& network, const Url& url, const FetchRequest& request)
      : loop_(loop), network_(network), url_(url), ca_file_(request.ca_file), direct_(request.direct) {}

  Result<void> prepare() {
    TRY(resolver, net::make_dns_resolver(loop_, {}));
    resolver_ = std::move(resolver);
    dialer_.emplace(loop_, network_, *resolver_);
    TRY(settings, net::proxy_settings([](const char* name) -> const char* { return std::getenv(name); }));
    const net::Proxy* const chosen = direct_ ? nullptr : settings.choose(url_.host, url_.port, url_.tls);
    if (chosen != nullptr) proxy_ = *chosen;
    if (url_.tls) {
      TRY(context, net::TlsClientContext::create({.ca_file = ca_file_, .alpn = {"http/1.1"}}));
      tls_ = std::move(context);
    }
    if (proxy_ && proxy_->tls) {
      TRY(context, net::TlsClientContext::create({.ca_file = ca_file_, .system_too = true, .alpn = {"http/1.1"}}));
      proxy_tls_ = std::move(context);
    }
    return {};
  }
  Task<Result<std::unique_ptr<net::Stream>>> connect(net::Wait wait) {
    const net::DialTarget target{.host = url_.host,
                                 .port = url_.port,
                                 .tls = tls_ ? &*tls_ : nullptr,
                                 .proxy = proxy_ ? &*proxy_ : nullptr,
                                 .proxy_tls = proxy_tls_ ? &*proxy_tls_ : nullptr};
    co_return co_await dialer_->dial(target, wait);
  }
  // Of a proxy that forwards plain requests; null: none.
  const net::Proxy* forwarding_proxy() const { return proxy_ && !url_.tls ? &*proxy_ : nullptr; }

 private:
  net::Loop& loop_;
  net::Network& network_;
  const Url& url_;
  const std::string& ca_file_;
  const bool direct_;
  std::unique_ptr<net::Resolver> resolver_;
  std::optional<net::Dialer> dialer_;
  std::optional<net::Proxy> proxy_;
  std::optional<net::TlsClientContext> tls_;
  std::optional<net::TlsClientContext> proxy_tls_;
};

Task<Result<FetchAnswer>> exchange(ClientExchange& upstream, const RequestStart& start, size_t bytes_max,
                                   net::Wait wait) {
  CO_TRY_VOID(co_await upstream.send(start, wait));
  CO_TRY(head, co_await upstream.read_head(wait));
  FetchAnswer answer;
  answer.status = head->status;
  for (const Header& header : head->headers) {
    std::string name(header.name);
    std::ranges::transform(name, name.begin(), base::to_lower);
    answer.headers.emplace_back(std::move(name), std::string(header.value));
  }
  for (bool done = false; !done;) {
    CO_TRY(bytes, co_await upstream.read_body(wait));
    if (answer.body.size() + bytes.data.size() > bytes_max) {
      co_return base::fail(ErrorCode::too_large, "the answer is too large");
    }
    answer.body.append(bytes.data.data(), bytes.data.size());
    done = bytes.done;
  }
  co_return answer;
}

}  // namespace

std::string_view FetchAnswer::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  const auto bad = base::fail(ErrorCode::invalid_argument, "not a URL of the form http(s)://host[:port]/path");
  if (text.size() > kUrlBytesMax) return bad;
  if (text.starts_with("https://")) {
    url.tls = true;
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else {
    return bad;
  }
  const size_t slash = text.find_first_of("/?#");
  std::string_view authority = text.substr(0, slash);
  url.target = slash == std::string_view::npos ? "/" : std::string(text.substr(slash, text.find('#') - slash));
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  const bool visible = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
  if (authority.empty() || !visible || authority.find('@') != std::string_view::npos) return bad;
  url.authority = authority;
  url.port = url.tls ? 443 : 80;
  const size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  if (bracket == std::string_view::npos) return bad;
  if (const size_t colon = authority.find(':', bracket); colon != std::string_view::npos) {
    const auto port = base::parse_decimal(authority.substr(colon + 1));
    if (!port || *port == 0 || *port > UINT16_MAX) return bad;
    url.port = static_cast<uint16_t>(*port);
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[')) authority = authority.substr(1, bracket - 1);
  if (authority.empty()) return bad;
  url.host = authority;
  return url;
}

Task<Result<FetchAnswer>> fetch(net::Loop& loop, net::Network& network, FetchRequest request, net::Wait wait) {
  CO_TRY(url, parse_url(request.url));
  Connector connector(loop, network, url, request);
  CO_TRY_VOID(connector.prepare());
  PoolOptions options;
  options.connections_max = 1;
  options.idle_max = 0;
  Pool pool(loop, [&connector](net::Wait limit) { return connector.connect(limit); }, options);
  CO_TRY(upstream, co_await pool.acquire(true, wait));
  Headers headers;
  for (const auto& [name, value] : request.headers) headers.append(name, value);
  if (!request.authorization.empty()) headers.append(HeaderId::authorization, request.authorization.reveal());
  std::string target = url.target;
  if (const net::Proxy* proxy = connector.forwarding_proxy()) {
    target.insert(0, "http://" + url.authority);
    if (!proxy->authorization.empty()) {
      headers.append(HeaderId::proxy_authorization, proxy->authorization.reveal());
    }
  }
  const iovec body = net::buffer_of(request.body);
  const std::span<const iovec> whole(&body, request.body.empty() && request.method == "GET" ? 0 : 1);
  const RequestStart start{.method = request.method,
                           .target = target,
                           .scheme = url.tls ? "https" : "http",
                           .authority = url.authority,
                           .headers = &headers,
                           .body = whole,
                           .upgrade = {}};
  auto answer = co_await exchange(*upstream, start, request.answer_bytes_max, wait);
  upstream.reset();
  co_return answer;
}

Result<FetchAnswer> fetch_and_wait(FetchRequest request, base::Duration limit, std::stop_token stop) {
  net::Loop loop(net::make_epoll_poller());
  const auto network = net::make_socket_network(loop);
  std::optional<Result<FetchAnswer>> answer;
  net::TaskGroup tasks;
  tasks.spawn([](net::Loop& on, net::Network& through, FetchRequest what, base::Duration within,
                 std::optional<Result<FetchAnswer>>& out) -> Task<void> {
    out = co_await fetch(on, through, std::move(what), {.deadline = on.now() + within});
    on.stop();
  }(loop, *network, std::move(request), limit, answer));
  // Posted, so that it is not lost where it comes before run().
  const std::stop_callback on_stop(std::move(stop), [&loop] { loop.post([&loop] { loop.stop(); }); });
  if (!answer) loop.run();
  if (!answer) return base::fail(ErrorCode::cancelled, "stopped");
  return std::move(*answer);
}

}  // namespace llmgw::http
