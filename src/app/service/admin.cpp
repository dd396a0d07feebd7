#include "app/service/admin.h"

#include "base/secret.h"
#include "base/text.h"
#include "json/writer.h"
#include "telemetry/exposition.h"

namespace llmgw::app {
namespace {

constexpr uint32_t kAdminConnectionsMax = 256;  // scrapers, probes and a few people
constexpr uint64_t kAdminBodyBytesMax = 64 * 1024;

std::string error_body(std::string_view message) {
  std::string body;
  json::Writer(body).begin_object().key("error").begin_object().member("message", message).end_object().end_object();
  return body;
}

bool bears(const http::RequestHead& head, const base::Secret& key) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view value = head.headers.value(http::HeaderId::authorization);
  if (key.empty() || value.size() <= kScheme.size()) return false;
  if (!base::equals_ignoring_case(value.substr(0, kScheme.size()), kScheme)) return false;
  return base::constant_time_equal(base::trim(value.substr(kScheme.size())), key.reveal());
}

}  // namespace

http::ServerOptions admin_server_options() {
  http::ServerOptions options;
  options.connections_max = kAdminConnectionsMax;
  options.http2 = false;
  return options;
}

AdminHandler::Answer AdminHandler::health(bool readiness) const {
  Answer result;
  json::Writer writer(result.body);
  writer.begin_object();
  if (const std::string trouble = sources_.trouble(); !trouble.empty()) {
    result.status = 503;
    writer.member("status", "failing").member("reason", trouble);
  } else if (readiness && sources_.draining()) {
    result.status = 503;
    writer.member("status", "draining");
  } else {
    writer.member("status", readiness ? "ready" : "ok");
    const char* const warning = sources_.warning();
    if (readiness && warning != nullptr) writer.member("warning", warning);
  }
  writer.end_object();
  return result;
}

AdminHandler::Answer AdminHandler::metrics(const http::RequestHead& head) const {
  const control::MetricsSettings& settings = sources_.snapshot().metrics;
  if (!settings.enabled) return {.status = 404, .body = error_body("metrics are switched off: metrics.enabled")};
  if (!settings.is_public && !bears(head, settings.key)) {
    return {.status = 401, .body = error_body("metrics need the key of metrics.key as a bearer token")};
  }
  const auto format = telemetry::choose_format(head.headers.value(http::HeaderId::accept));
  return {.content_type = telemetry::content_type(format),
          .body = telemetry::render_metrics(*sources_.registry, format)};
}

AdminHandler::Answer AdminHandler::answer(const http::RequestHead& head) const {
  if (head.method != http::Method::get && head.method != http::Method::head) {
    return {.status = 405, .body = error_body("GET only")};
  }
  if (head.path == "/health") return health(false);
  if (head.path == "/ready") return health(true);
  if (head.path == "/metrics") return metrics(head);
  return {
      .status = 404,
      .body = error_body("here are /health, /ready, /metrics and /admin/v1/; the API for models is on server.listen")};
}

net::Task<void> AdminHandler::handle(http::ServerExchange& exchange) {
  if (sources_.api != nullptr && sources_.api->owns(exchange.head().path)) {
    co_return co_await sources_.api->handle(exchange, sources_.snapshot());
  }
  if (!co_await exchange.read_body(kAdminBodyBytesMax)) co_return;
  const Answer result = answer(exchange.head());
  http::Headers headers;
  headers.append(http::HeaderId::content_type, result.content_type);
  headers.append(http::HeaderId::cache_control, "no-store");
  const auto started =
      exchange.start({.status = result.status, .headers = &headers, .content_length = result.body.size()});
  if (!started) co_return;
  const iovec buffer = net::buffer_of(result.body);
  (void)co_await exchange.write({&buffer, 1}, true);
}

http::MalformedAnswer AdminHandler::malformed_request(const http::MalformedRequest& request) {
  return {.body = error_body(request.message)};
}

}  // namespace llmgw::app
