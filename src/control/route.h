// A route as the gateway uses it: how calls for some models find an instance, and what happens when it fails. Part of
// the snapshot, immutable.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config.h"
#include "routing/policy/policy.h"
#include "routing/queue/admission_queue.h"

namespace llmgw::control {

// What binds calls together.
enum class SessionKind : uint8_t { none, key, user, conversation, header };

// How much of a stream is kept back before it is believed in.
struct HoldBackSettings {
  bool adaptive = true;   // the rest holds for instances that have failed lately; others are believed at once
  uint32_t contents = 1;  // pieces of content; 0: none is kept back
  Duration time{0};       // at most so long from the first one on; 0: no limit
};

// When a second instance is asked beside the first.
struct HedgeSettings {
  bool on = false;
  Duration after{0};  // 0: when 95 of 100 answers would have begun
};

struct Route {
  routing::Settings settings;
  bool policy_header = false;
  SessionKind session = SessionKind::none;
  std::string session_header;
  uint32_t attempts = 3;
  HoldBackSettings hold_back;
  bool continuation = false;  // an answer that breaks is finished by another instance
  HedgeSettings hedge;
  std::string mirror;  // the model that gets a copy of calls; empty: none
  double mirror_share = 1;
  std::vector<std::string> fallbacks;
  bool fallback_on_error = true;
  bool fallback_on_context = false;
  bool fallback_on_filter = false;
  Duration cache_lifetime{0};
  uint32_t max_in_flight = 0;
  bool queues = false;
  // What an instance of that connection is given at a time.
  routing::GateLimits limits(uint32_t connection_max_in_flight, bool is_engine) const;
  routing::QueueOptions queue;
  std::optional<Duration> connect_timeout;
  std::optional<Duration> first_byte_timeout;
  std::optional<Duration> idle_timeout;
  std::optional<Duration> total_timeout;
};

struct SessionChoice {
  SessionKind kind = SessionKind::none;
  std::string header;
};
// The setting `session`. The error is what to write instead.
std::expected<SessionChoice, std::string> parse_session(std::string_view text);

// The setting `hedge`. The error is what to write instead.
std::expected<HedgeSettings, std::string> parse_hedge(std::string_view text);

// `config` has passed check_config.
Route make_route(const RouteConfig& config);

}  // namespace llmgw::control
