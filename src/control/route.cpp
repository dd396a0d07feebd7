#include "control/route.h"

#include <algorithm>

#include "control/setting_value.h"
#include "control/units.h"

namespace llmgw::control {
namespace {

// What an instance that has failed lately has to show first: about a sentence, but no longer than a reader notices.
constexpr uint32_t kSuspectContents = 20;
constexpr Duration kSuspectTime = std::chrono::milliseconds(500);
// A hedge sooner is two calls at once; later, the client has given up.
constexpr Duration kHedgeMin = std::chrono::milliseconds(1);
constexpr Duration kHedgeMax = std::chrono::minutes(10);

}  // namespace

std::expected<SessionChoice, std::string> parse_session(std::string_view text) {
  constexpr std::string_view kHeader = "header:";
  if (text == "none") return SessionChoice{};
  if (text == "key") return SessionChoice{.kind = SessionKind::key, .header = {}};
  if (text == "user") return SessionChoice{.kind = SessionKind::user, .header = {}};
  if (text == "conversation") return SessionChoice{.kind = SessionKind::conversation, .header = {}};
  if (text.starts_with(kHeader) && is_header_name(text.substr(kHeader.size()))) {
    return SessionChoice{.kind = SessionKind::header, .header = std::string(text.substr(kHeader.size()))};
  }
  return std::unexpected("write none, key, user, conversation or header:NAME, with the name of a header");
}

routing::GateLimits Route::limits(uint32_t connection_max_in_flight, bool is_engine) const {
  routing::GateLimits limits{.requests_max = connection_max_in_flight != 0 ? connection_max_in_flight : max_in_flight};
  if (!queues || !is_engine) return limits;
  limits.prompt_tokens_max = routing::kPromptWindowTokens;
  limits.learns = limits.requests_max == 0;
  return limits;
}

std::expected<HedgeSettings, std::string> parse_hedge(std::string_view text) {
  if (text == "off") return HedgeSettings{};
  if (text == "p95") return HedgeSettings{.on = true, .after = Duration{0}};
  const auto time = parse_duration(text);
  if (!time || *time < kHedgeMin || *time > kHedgeMax) {
    return std::unexpected("write off, p95 or a time of 1ms to 10m, like 800ms");
  }
  return HedgeSettings{.on = true, .after = *time};
}

namespace {

HoldBackSettings hold_back_of(const RouteConfig& config) {
  HoldBackSettings settings;
  settings.adaptive = !config.hold_back && !config.hold_back_time;
  if (settings.adaptive) {
    settings.contents = kSuspectContents;
    settings.time = kSuspectTime;
    return settings;
  }
  settings.contents = config.hold_back.value_or(UINT32_MAX);
  settings.time = config.hold_back_time.value_or(Duration{0});
  return settings;
}

}  // namespace

Route make_route(const RouteConfig& config) {
  Route route;
  route.settings.policy = config.policy;
  route.settings.health = {.failures_out = config.failures_out,
                           .failure_ratio = config.failure_ratio,
                           .out = config.out_time,
                           .ramp = config.ramp_time};
  route.settings.last_resort = config.last_resort;
  route.settings.session_lifetime = config.session_lifetime;
  if (auto session = parse_session(config.session)) {
    route.session = session->kind;
    route.session_header = std::move(session->header);
  }
  // A split is stable by its hash alone; a pin would outlive a change of weights.
  route.settings.sticky = route.session != SessionKind::none && config.policy != routing::PolicyKind::split &&
                          config.policy != routing::PolicyKind::rendezvous;
  route.policy_header = config.policy_header;
  route.attempts = config.attempts;
  route.hold_back = hold_back_of(config);
  route.continuation = config.continuation;
  route.hedge = parse_hedge(config.hedge).value_or(HedgeSettings{});
  route.mirror = config.mirror;
  route.mirror_share = config.mirror_share;
  route.fallbacks = config.fallbacks;
  const auto falls_back_on = [&](std::string_view what) {
    return std::ranges::find(config.fallback_on, what) != config.fallback_on.end();
  };
  route.fallback_on_error = falls_back_on("error");
  route.fallback_on_context = falls_back_on("context_length");
  route.fallback_on_filter = falls_back_on("content_filter");
  route.cache_lifetime = config.cache_lifetime;
  route.max_in_flight = config.max_in_flight;
  route.queues = config.queue != QueueKind::off;
  route.settings.waits = route.queues;
  if (route.queues) route.queue.order = static_cast<routing::QueueOrder>(static_cast<int>(config.queue) - 1);
  route.queue.waiting_max = config.queue_max;
  route.queue.goal = config.queue_goal;
  route.queue.refuse_hopeless = config.queue_refuse;
  if (route.queues && route.queue.order == routing::QueueOrder::slo) {
    route.settings.shortest_first_s = std::chrono::duration<double>(config.queue_goal).count();
  }
  route.connect_timeout = config.connect_timeout;
  route.first_byte_timeout = config.first_byte_timeout;
  route.idle_timeout = config.idle_timeout;
  route.total_timeout = config.total_timeout;
  return route;
}

}  // namespace llmgw::control
