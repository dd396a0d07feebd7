// The settings of routes: how calls for some models find an instance, and what happens when it fails.
#include "control/settings_routes.h"

#include "control/settings_binding.h"

namespace llmgw::control {

// In the order of routing::PolicyKind.
template <>
struct Choices<routing::PolicyKind> {
  static constexpr std::span<const std::string_view> kNames = routing::kPolicyNames;
};

template <>
struct Choices<QueueKind> {
  static constexpr std::string_view kNames[] = {"off", "fifo", "priority", "slo", "fair"};
};

namespace {

constexpr int64_t kMillisecond = 1;
constexpr int64_t kHour = 3600 * 1000 * kMillisecond;
constexpr int64_t kDay = 24 * kHour;

constexpr Setting kRoute[] = {
    bind<&RouteConfig::models>({.key = "models",
                                .help = "The models it is for, by the names in `[[models]]`, patterns too. The first "
                                        "route that has a name is the one that counts.",
                                .example = "[\"llama-*\"]",
                                .min = 1,
                                .max = 1000,
                                .required = true,
                                .references = References::none}),
    bind<&RouteConfig::policy>({.key = "policy",
                                .help = "How an instance is chosen among those of the best priority that are fit; the "
                                        "manual has the list.",
                                .fallback = "\"adaptive\""}),
    bind<&RouteConfig::policy_header>({.key = "policy_header",
                                       .help = "A call may name another policy in `x-llm-gateway-policy`.",
                                       .fallback = "false"}),
    bind<&RouteConfig::session>({.key = "session",
                                 .help = "What keeps calls on one instance: `none`, `key`, `user` (the request's "
                                         "member), `conversation` (its system prompt and first messages, or its id) or "
                                         "`header:NAME`.",
                                 .fallback = "\"none\"",
                                 .max = 200,
                                 .references = References::none}),
    bind<&RouteConfig::session_lifetime>({.key = "session_lifetime",
                                          .help = "How long a session that makes no call keeps its instance.",
                                          .fallback = "\"1h\"",
                                          .min = 1000,
                                          .max = 7 * kDay}),
    bind<&RouteConfig::attempts>({.key = "attempts",
                                  .help = "Most attempts of a call at one model, before its first byte goes out.",
                                  .fallback = "3",
                                  .min = 1,
                                  .max = 20}),
    bind<&RouteConfig::hold_back>({.key = "hold_back",
                                   .help = "So many pieces of content of a stream are kept back until the next has "
                                           "come: a stream that breaks before is begun anew elsewhere, unseen. 0 "
                                           "passes everything on at once. Without it and `hold_back_time`, an "
                                           "instance that is well is believed at its first piece, one that has failed "
                                           "lately after 20 pieces or half a second.",
                                   .example = "20",
                                   .max = 1'000'000}),
    bind<&RouteConfig::hold_back_time>({.key = "hold_back_time",
                                        .help = "The same by time: content is kept back so long, counted from the "
                                                "first piece. With both, whichever is reached first.",
                                        .example = "\"300ms\"",
                                        .min = 1,
                                        .max = kHour}),
    bind<&RouteConfig::continuation>({.key = "continuation",
                                      .help = "A streamed text that breaks after it has begun to go out is finished "
                                              "by another instance, where that can go on from a given beginning. "
                                              "Streams of these models are read and written anew for it.",
                                      .fallback = "false"}),
    bind<&RouteConfig::hedge>({.key = "hedge",
                               .help = "Ask a second instance when the first has sent nothing for so long, and take "
                                       "whoever begins first: a time, `p95` (longer than 95 of 100 of its answers "
                                       "take to begin), or `off`. A hedge counts as a retry.",
                               .fallback = "\"off\"",
                               .example = "\"800ms\"",
                               .max = 20,
                               .references = References::none}),
    bind<&RouteConfig::mirror>({.key = "mirror",
                                .help = "Calls are made a second time at this model, whose answers nobody gets: to "
                                        "try it under real load.",
                                .example = "\"llama-next\"",
                                .max = 500,
                                .references = References::none}),
    bind<&RouteConfig::mirror_share>({.key = "mirror_share",
                                      .help = "The share of calls that is mirrored.",
                                      .fallback = "1",
                                      .example = "0.05",
                                      .max = 1}),
    bind<&RouteConfig::fallbacks>({.key = "fallbacks",
                                   .help = "Models to try, in this order, when this one gives no answer.",
                                   .example = "[\"gpt-4o-mini\"]",
                                   .max = 20,
                                   .references = References::none}),
    bind<&RouteConfig::fallback_on>({.key = "fallback_on",
                                     .help = "What counts as no answer: `error`, `context_length` (the prompt is too "
                                             "long for the model), `content_filter` (it was refused).",
                                     .fallback = "[\"error\"]",
                                     .example = "[\"error\", \"context_length\"]",
                                     .max = 3,
                                     .references = References::none}),
    bind<&RouteConfig::failures_out>({.key = "failures_out",
                                      .help = "After so many failures in a row an instance gets no more calls; 0 is "
                                              "never by count. After fewer it is chosen last for a while.",
                                      .fallback = "1",
                                      .max = 4}),
    bind<&RouteConfig::failure_ratio>({.key = "failure_ratio",
                                       .help = "The same from this share of failures on, over the last 100 calls; 0 is "
                                               "never by share.",
                                       .fallback = "0",
                                       .example = "0.5",
                                       .max = 1}),
    bind<&RouteConfig::out_time>({.key = "out_time",
                                  .help = "How long it is left alone. Then one call tries it; if that fails too, it is "
                                          "left alone for twice as long, up to ten minutes.",
                                  .fallback = "\"1m\"",
                                  .min = 100,
                                  .max = kDay}),
    bind<&RouteConfig::ramp_time>({.key = "ramp_time",
                                   .help = "Over this time an instance that is back gets a growing share of its calls.",
                                   .fallback = "\"30s\"",
                                   .max = kDay}),
    bind<&RouteConfig::last_resort>({.key = "last_resort",
                                     .help = "When no instance is fit, try one all the same instead of refusing.",
                                     .fallback = "true"}),
    bind<&RouteConfig::cache_lifetime>(
        {.key = "cache_lifetime",
         .help = "How long an instance is taken to keep a prompt's prefix that nobody asks for. Clouds say 5 minutes "
                 "to an hour; engines keep it until they need the memory.",
         .fallback = "\"1h\"",
         .max = 30 * kDay}),
    bind<&RouteConfig::max_in_flight>({.key = "max_in_flight",
                                       .help = "Most calls at one instance at a time; 0: what an engine takes is "
                                               "learnt, others have no limit.",
                                       .fallback = "0",
                                       .example = "64",
                                       .max = 1'000'000}),
    bind<&RouteConfig::queue>({.key = "queue",
                               .help = "Where calls wait when an instance has as many as it is given: nowhere (`off`: "
                                       "beyond `max_in_flight` they are refused), or in the gateway, in the order "
                                       "`fifo`, `priority` (the key's, or `x-llm-gateway-priority`), `slo` (who can "
                                       "still be in time, then the shortest) or `fair` (shares of tokens for all keys "
                                       "by their `weight`).",
                               .fallback = "\"slo\""}),
    bind<&RouteConfig::queue_max>({.key = "queue_max",
                                   .help =
                                       "Most calls that wait for one instance in one worker; more are refused, with an "
                                       "estimate in `Retry-After`.",
                                   .fallback = "1000",
                                   .min = 1,
                                   .max = 1'000'000}),
    bind<&RouteConfig::queue_goal>({.key = "queue_goal",
                                    .help = "`slo`: the time to the first token that counts as in time.",
                                    .fallback = "\"2s\"",
                                    .min = 1,
                                    .max = kHour}),
    bind<&RouteConfig::queue_refuse>(
        {.key = "queue_refuse", .help = "`slo`: refuse at once what cannot be in time.", .fallback = "false"}),
    bind<&RouteConfig::connect_timeout>({.key = "connect_timeout",
                                         .help = "As in `[upstream]`, for these models.",
                                         .example = "\"2s\"",
                                         .min = 10,
                                         .max = kDay}),
    bind<&RouteConfig::first_byte_timeout>({.key = "first_byte_timeout",
                                            .help = "As in `[upstream]`, for these models.",
                                            .example = "\"20s\"",
                                            .min = 10,
                                            .max = kDay}),
    bind<&RouteConfig::idle_timeout>({.key = "idle_timeout",
                                      .help = "As in `[upstream]`, for these models.",
                                      .example = "\"15s\"",
                                      .min = 10,
                                      .max = kDay}),
    bind<&RouteConfig::total_timeout>({.key = "total_timeout",
                                       .help = "As in `[upstream]`, for these models; all attempts share it.",
                                       .example = "\"5m\"",
                                       .min = 10,
                                       .max = 7 * kDay}),
};

}  // namespace

std::span<const Setting> route_settings() {
  return kRoute;
}

}  // namespace llmgw::control
