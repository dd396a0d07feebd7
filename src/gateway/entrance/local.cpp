// What the gateway answers without an upstream: health, readiness, metrics, the list of models.
#include <algorithm>
#include <vector>

#include "base/secret.h"
#include "base/text.h"
#include "dialects/models_list.h"
#include "gateway/call/call.h"
#include "gateway/entrance/auth_key.h"
#include "json/writer.h"
#include "telemetry/exposition.h"

namespace llmgw::gateway {
namespace {

using chat::ErrorKind;
using dialects::ModelInfo;
using http::HeaderId;
using net::Task;

// Every vendor of embeddings has the word in its models' names (text-embedding-3-small, embed-v4.0, nomic-embed-text).
ModelInfo info_of(const control::Model& model, std::string_view name) {
  constexpr std::string_view kWord = "embed";
  const std::string_view upstream = model.upstream_name(name);
  const auto found = std::search(upstream.begin(), upstream.end(), kWord.begin(), kWord.end(),
                                 [](char a, char b) { return base::to_lower(a) == b; });
  return {.name = name,
          .owned_by = model.owned_by,
          .created = model.created,
          .purpose = found == upstream.end() ? dialects::Purpose::generation : dialects::Purpose::embedding};
}

// Every name a key may call, once, in the order of the configuration. Patterns are no names.
std::vector<ModelInfo> visible_models(const control::Snapshot& snapshot, const control::Principal& principal) {
  std::vector<ModelInfo> models;
  for (const control::Assignment& own : snapshot.assignments_of(principal)) {
    if (!snapshot.resolve(principal, own.alias)) continue;  // taken away further up
    const control::Model& model = snapshot.models[own.group.targets.front().id];
    models.push_back(info_of(model, own.alias));
  }
  for (const control::Model& model : snapshot.models) {
    if (model.name.find('*') != std::string::npos || !snapshot.allows(principal, model.name)) continue;
    models.push_back(info_of(model, model.name));
  }
  // The same name on several connections is one model; `owned_by` is the preferred one's.
  std::vector<ModelInfo> unique;
  std::vector<std::string_view> seen;
  seen.reserve(models.size());
  for (const ModelInfo& model : models) seen.push_back(model.name);
  std::sort(seen.begin(), seen.end());
  const bool all_different = std::adjacent_find(seen.begin(), seen.end()) == seen.end();
  if (all_different) return models;
  seen.clear();
  for (const ModelInfo& model : models) {
    const auto place = std::lower_bound(seen.begin(), seen.end(), model.name);
    if (place != seen.end() && *place == model.name) continue;
    seen.insert(place, model.name);
    unique.push_back(model);
  }
  return unique;
}

}  // namespace

Task<void> Call::answer_health(bool readiness) {
  const bool draining = worker_.shared().draining.load(std::memory_order_relaxed) || worker_.server().draining();
  const std::string trouble = worker_.shared().heartbeats.trouble(worker_.loop().now());
  const bool well = trouble.empty() && !(readiness && draining);
  std::string body;
  json::Writer writer(body);
  writer.begin_object();
  if (!trouble.empty()) {
    writer.member("status", "failing").member("reason", trouble);
  } else {
    writer.member("status", !well ? "draining" : readiness ? "ready" : "ok");
    if (const char* const warning = worker_.shared().readiness.warning(); readiness && warning != nullptr) {
      writer.member("warning", warning);
    }
  }
  writer.end_object();
  http::Headers headers;
  headers.append(HeaderId::cache_control, "no-store");
  co_await answer(well ? 200 : 503, "application/json", body, headers);
}

Task<void> Call::answer_metrics() {
  const control::MetricsSettings& settings = generation_.snapshot().metrics;
  if (worker_.shared().metrics_on_admin) {
    co_return co_await refuse({.kind = ErrorKind::not_found, .message = "metrics are on server.admin_listen"});
  }
  if (!settings.enabled) {
    co_return co_await refuse({.kind = ErrorKind::not_found, .message = "metrics are switched off: metrics.enabled"});
  }
  if (!settings.is_public) {
    const http::Headers& headers = exchange_.head().headers;
    auto key = find_key({.authorization = headers.value(HeaderId::authorization),
                         .x_api_key = headers.value(HeaderId::x_api_key),
                         .api_key = headers.value(HeaderId::api_key),
                         .query = exchange_.head().query},
                        arena_);
    if (!key || settings.key.empty() || !base::constant_time_equal(*key, settings.key.reveal())) {
      co_return co_await refuse(
          {.kind = ErrorKind::authentication, .message = "metrics need the key of metrics.key as a bearer token"});
    }
  }
  const auto format = telemetry::choose_format(exchange_.head().headers.value(HeaderId::accept));
  const std::string text = telemetry::render_metrics(*worker_.shared().registry, format);
  co_await answer(200, telemetry::content_type(format), text, {});
}

Task<void> Call::answer_models() {
  if (auto allowed = authenticate(); !allowed) co_return co_await refuse(allowed.error());
  const control::Snapshot& snapshot = generation_.snapshot();
  if (match_.operation == Operation::models_list) {
    const auto models = visible_models(snapshot, *principal_);
    auto body = dialects::write_models(match_.dialect, models, exchange_.head().query);
    if (!body) co_return co_await refuse({.kind = ErrorKind::invalid_request, .message = body.error().context});
    co_return co_await answer(200, "application/json", *body, {});
  }
  auto wanted = decode_model(match_.model, arena_);
  if (!wanted) co_return co_await refuse({.kind = ErrorKind::invalid_request, .message = wanted.error().context});
  model_ = *wanted;
  // Whatever may be called can be asked for, also what only a pattern serves; but the pattern itself is no name.
  const auto resolved = snapshot.resolve(*principal_, model_);
  const bool is_name = model_.find('*') == std::string_view::npos;
  if (!is_name || !resolved || resolved->group.targets.empty()) co_return co_await refuse(unknown_model());
  const control::Model& model = snapshot.models[resolved->group.targets.front().id];
  co_await answer(200, "application/json", dialects::write_model(match_.dialect, info_of(model, model_)), {});
}

}  // namespace llmgw::gateway
