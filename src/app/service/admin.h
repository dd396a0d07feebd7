// What server.admin_listen serves: /health, /ready, /metrics and the admin API, on the control thread, so that they
// answer when the workers do not. One thread, the loop's.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/snapshot.h"
#include "gateway/entrance/admin_entrance.h"
#include "http/exchange.h"
#include "http/server.h"
#include "telemetry/metrics.h"

namespace llmgw::app {

class AdminHandler final : public http::RequestHandler {
 public:
  struct Sources {
    const telemetry::Registry* registry = nullptr;
    std::function<std::string()> trouble;  // why the program does not serve as it should; empty: it does
    std::function<bool()> draining;
    std::function<const char*()> warning;  // what of it is missing; null: nothing
    std::function<const control::Snapshot&()> snapshot;
    gateway::AdminEntrance* api = nullptr;  // the admin API
  };
  explicit AdminHandler(Sources sources) : sources_(std::move(sources)) {}

  // Before the first request.
  void set_registry(const telemetry::Registry& registry) { sources_.registry = &registry; }

  net::Task<void> handle(http::ServerExchange& exchange) override;
  http::MalformedAnswer malformed_request(const http::MalformedRequest& request) override;

 private:
  struct Answer {
    uint16_t status = 200;
    std::string_view content_type = "application/json";
    std::string body;
  };
  Answer answer(const http::RequestHead& head) const;
  Answer health(bool readiness) const;
  Answer metrics(const http::RequestHead& head) const;

  Sources sources_;
};

// Limits fit for a few scrapers and probes.
http::ServerOptions admin_server_options();

}  // namespace llmgw::app
