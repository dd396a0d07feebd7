#include "gateway/token_service.h"

#include "base/text.h"
#include "http/message.h"
#include "providers/sigv4.h"

namespace llmgw::gateway {

using base::ErrorCode;
using base::fail;
using base::Result;
using net::Task;
using Step = providers::TokenSource::Step;

namespace {

control::Connection to_token_endpoint(const control::Connection& from) {
  control::Connection connection = from;
  connection.upstream.endpoint = from.upstream.google->token_endpoint;
  // A name to verify is the provider's own.
  connection.tls.server_name.clear();
  return connection;
}

http::PoolOptions pool_options(const control::Connection& connection) {
  http::PoolOptions options;
  options.connections_max = 1;
  options.idle_max = 0;  // the next fetch is most of an hour away
  options.connect_timeout = connection.timeouts.connect;
  return options;
}

}  // namespace

TokenService::TokenService(net::Loop& loop, telemetry::Log& log, std::shared_ptr<SharedToken> token,
                           const control::Connection& connection, ConnectUpstream connect, const ProxyOf& proxy_of)
    : loop_(loop),
      log_(log),
      connection_(to_token_endpoint(connection)),
      connect_(std::move(connect)),
      token_(std::move(token)),
      changed_(loop),
      listener_(*token_, loop, [this] { changed_.notify(); }),
      pool_(loop, [this](net::Wait wait) { return connect_(connection_, wait); }, pool_options(connection_)) {
  const providers::Endpoint& endpoint = connection_.upstream.endpoint;
  if (endpoint.tls || !endpoint.unix_path.empty() || !proxy_of) return;
  if (const auto proxy = proxy_of(connection_)) {
    origin_ = "http://" + endpoint.authority;
    proxy_authorization_ = proxy->authorization;
  }
}

std::string TokenService::identity(const control::Connection& connection) {
  const auto& google = *connection.upstream.google;
  const std::string_view secrets[] = {google.key.reveal(), google.refresh_token.reveal()};
  return google.client + '\0' + google.token_uri + '\0' + base::hex(providers::sha256(secrets));
}

// A fetch that has not ended is another worker's to make.
TokenService::~TokenService() {
  tasks_.cancel_all();
  if (fetches_) token_->abandoned();
}

Task<Result<std::string_view>> TokenService::authorization(base::Arena& arena, net::Wait wait) {
  for (;;) {
    // There may be another one before this one is sent, so every call has a copy.
    if (loop_.now() < certain_until_ && token_->version() == version_) co_return arena.copy(header_.reveal());
    const SharedToken::Answer answer = token_->ask(loop_.now());
    if (answer.step == Step::use || answer.step == Step::use_and_refresh) {
      header_ = answer.header;
      certain_until_ = answer.certain_until;
      version_ = answer.version;
    }
    if (answer.step == Step::fetch || answer.step == Step::use_and_refresh) {
      fetches_ = true;
      tasks_.spawn(fetch());
    }
    if (answer.step == Step::use || answer.step == Step::use_and_refresh) {
      co_return arena.copy(answer.header.reveal());
    }
    if (answer.step == Step::failed) co_return fail(answer.error);
    while (token_->version() == answer.version) CO_TRY_VOID(co_await changed_.wait(wait));
  }
}

bool TokenService::refused(std::string_view authorization) {
  return token_->refused(authorization, loop_.now());
}

Task<void> TokenService::fetch() {
  const auto token = co_await exchange();
  fetches_ = false;
  if (token) {
    token_->succeeded(*token, loop_.now());
  } else {
    token_->failed(token.error(), loop_.now());
    log_.warn("no access token", {{"connection", connection_.name}, {"error", token.error()}});
  }
}

Task<Result<providers::AccessToken>> TokenService::exchange() {
  const net::Wait wait{loop_.now() + kTokenFetchTimeout, nullptr};
  const providers::Endpoint& endpoint = connection_.upstream.endpoint;
  CO_TRY(form, providers::token_request_form(*connection_.upstream.google, loop_.wall_now()));
  CO_TRY(upstream, co_await pool_.acquire(true, wait));
  http::Headers headers;
  headers.append(http::HeaderId::content_type, "application/x-www-form-urlencoded");
  headers.append(http::HeaderId::accept, "application/json");
  if (!proxy_authorization_.empty()) {
    headers.append(http::HeaderId::proxy_authorization, proxy_authorization_.reveal());
  }
  const std::string target = origin_ + (endpoint.base_path.empty() ? "/" : endpoint.base_path);
  const iovec body = net::buffer_of(form.reveal());
  const http::RequestStart request{.method = "POST",
                                   .target = target,
                                   .scheme = endpoint.tls ? "https" : "http",
                                   .authority = endpoint.authority,
                                   .headers = &headers,
                                   .body = {&body, 1},
                                   .upgrade = {}};
  CO_TRY_VOID(co_await upstream->send(request, wait));
  CO_TRY(head, co_await upstream->read_head(wait));
  std::string answer;
  for (bool done = false; !done;) {
    CO_TRY(bytes, co_await upstream->read_body(wait));
    if (answer.size() + bytes.data.size() > providers::kTokenAnswerBytesMax) {
      co_return fail(ErrorCode::too_large, "the token endpoint's answer is too large");
    }
    answer.append(bytes.data.data(), bytes.data.size());
    done = bytes.done;
  }
  co_return providers::parse_token_answer(head->status, answer);
}

}  // namespace llmgw::gateway
