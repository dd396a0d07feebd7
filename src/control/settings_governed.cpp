// The settings of what is governed: models, organizations, teams, users, keys, assignments, each with the same limits;
// and of what governing needs: prices, ledger, Redis.
#include "control/settings_governed.h"

#include <array>

#include "control/settings_binding.h"

namespace llmgw::control {
namespace {

// The shortest useful and the longest sensible limits; far from where the arithmetic of admission/ ends.
constexpr int64_t kRequestsMax = 1'000'000;
constexpr int64_t kTokensMax = 1'000'000'000'000;
// A ledger is for reports of months; in milliseconds.
constexpr int64_t kRetentionMin = 60'000;
constexpr int64_t kRetentionMax = int64_t{3650} * 24 * 3600 * 1000;

template <class Section>
constexpr std::array<Setting, 8> kLimits = {
    bind_in<Section, &LimitFields::tps>(
        {.key = "tps",
         .help = "Most requests a second; 0 is no limit. Some of a second's may come at once.",
         .fallback = "0",
         .example = "50",
         .max = kRequestsMax}),
    bind_in<Section, &LimitFields::rpm>({.key = "rpm",
                                         .help = "Most requests a minute; 0 is no limit. All may come at once.",
                                         .fallback = "0",
                                         .example = "600",
                                         .max = 60 * kRequestsMax}),
    bind_in<Section, &LimitFields::tpm>(
        {.key = "tpm",
         .help = "Most tokens a minute, input and output; 0 is no limit. Estimated before a call, corrected after it.",
         .fallback = "0",
         .example = "200000",
         .max = kTokensMax}),
    bind_in<Section, &LimitFields::concurrency>(
        {.key = "concurrency",
         .help = "Most requests at the same time, of all gateways that share limits; "
                 "0 is no limit.",
         .fallback = "0",
         .example = "20",
         .max = kRequestsMax}),
    bind_in<Section, &LimitFields::budget>(
        {.key = "budget",
         .help = "Most US dollars to be spent in a period; without it there is no limit, `\"0\"` allows nothing.",
         .example = "\"250.00\""}),
    bind_in<Section, &LimitFields::budget_period>(
        {.key = "budget_period",
         .help = "How long a budget lasts: a clock hour, a day, a week from Monday on, a month of the calendar.",
         .fallback = "\"month\""}),
    bind_in<Section, &LimitFields::time_zone>(
        {.key = "time_zone",
         .help = "Where the day, week or month of the budget begins at midnight: a name of the IANA database.",
         .fallback = "\"UTC\"",
         .example = "\"Europe/Berlin\"",
         .max = 64,
         .references = References::none}),
    bind_in<Section, &LimitFields::unpriced>(
        {.key = "unpriced",
         .help = "What becomes of calls of which no `[[prices]]` tell what they cost: no budget counts them. `refuse`: "
                 "they are answered 403.",
         .fallback = "\"allow\""}),
};

template <size_t A, size_t B>
constexpr std::array<Setting, A + B> join(const std::array<Setting, A>& own, const std::array<Setting, B>& limits) {
  std::array<Setting, A + B> all;
  std::copy(own.begin(), own.end(), all.begin());
  std::copy(limits.begin(), limits.end(), all.begin() + A);
  return all;
}

constexpr Setting name_of(Setting setting, std::string_view help, std::string_view example) {
  setting.key = "name";
  setting.help = help;
  setting.example = example;
  setting.max = 100;
  setting.required = true;
  setting.references = References::none;
  return setting;
}

// A list of models of something above a key.
constexpr Setting kAllowedModels = {.key = "models",
                                    .help =
                                        "The models that may be used here at all: names, prefixes (`gpt-*`) or "
                                        "patterns. What is not allowed here, no key below can allow.",
                                    .fallback = "[\"*\"]",
                                    .example = "[\"gpt-4o\", \"claude-*\"]",
                                    .max = 1000,
                                    .references = References::none};

constexpr std::array kModel = {
    bind<&ModelConfig::name>(
        {.key = "name",
         .help = "What clients ask for: a name, a prefix (`gpt-*`) or a pattern with `*` anywhere. The same name on "
                 "several connections makes a group.",
         .example = "\"gpt-4-turbo\"",
         .max = 256,
         .required = true,
         .references = References::none}),
    bind<&ModelConfig::connection>({.key = "connection",
                                    .help = "The name of the `[[connections]]` entry that serves it.",
                                    .example = "\"openai-main\"",
                                    .required = true,
                                    .references = References::none}),
    bind<&ModelConfig::remote>({.key = "remote",
                                .help = "The upstream's name for it; without it the name the client asked for is sent.",
                                .example = "\"gpt-4-turbo-preview\"",
                                .max = 512,
                                .references = References::none}),
    bind<&ModelConfig::deployment>({.key = "deployment",
                                    .help = "azure: the deployment; without it the upstream's name is the deployment.",
                                    .example = "\"gpt4-eu\"",
                                    .max = 256,
                                    .references = References::none}),
    bind<&ModelConfig::owned_by>({.key = "owned_by",
                                  .help = "What `/v1/models` says; by default the connection's.",
                                  .example = "\"openai\"",
                                  .max = 100,
                                  .references = References::none}),
    bind<&ModelConfig::created>({.key = "created",
                                 .help = "What `/v1/models` says: seconds since 1970; 0 is the program's start.",
                                 .fallback = "0",
                                 .max = 253'402'300'799}),
};

constexpr std::array kOrganization = {
    bind<&OrganizationConfig::name>(name_of({}, "The organization's name.", "\"acme\"")),
    bind<&OrganizationConfig::models>(kAllowedModels),
};

constexpr std::array kTeam = {
    bind<&TeamConfig::name>(name_of({}, "The team's name.", "\"search\"")),
    bind<&TeamConfig::organization>({.key = "organization",
                                     .help = "The name of the `[[organizations]]` entry it belongs to.",
                                     .example = "\"acme\"",
                                     .references = References::none}),
    bind<&TeamConfig::models>(kAllowedModels),
};

constexpr std::array kUser = {
    bind<&UserConfig::name>(name_of({}, "The user's name.", "\"kim\"")),
    bind<&UserConfig::email>({.key = "email",
                              .help = "The user's address, as a sign-in gives it.",
                              .example = "\"kim@example.com\"",
                              .max = 254,
                              .references = References::none}),
    bind<&UserConfig::teams>({.key = "teams",
                              .help = "The teams the user is a member of. A key without a team belongs to the first.",
                              .example = "[\"search\"]",
                              .max = 100,
                              .references = References::none}),
    bind<&UserConfig::models>(kAllowedModels),
};

constexpr std::array kKey = {
    bind<&KeyConfig::name>(name_of({}, "How logs, metrics and reports call the key.", "\"frontend\"")),
    bind<&KeyConfig::key>({.key = "key",
                           .help = "What the client sends. At least 8 characters, all visible ASCII.",
                           .example = "\"env:FRONTEND_KEY\"",
                           .min = 8,
                           .max = 512,
                           .required = true}),
    bind<&KeyConfig::team>({.key = "team",
                            .help = "The name of the `[[teams]]` entry it belongs to.",
                            .example = "\"search\"",
                            .references = References::none}),
    bind<&KeyConfig::user>({.key = "user",
                            .help = "The name of the `[[users]]` entry that owns it.",
                            .example = "\"kim\"",
                            .references = References::none}),
    bind<&KeyConfig::models>({.key = "models",
                              .help = "The models the key may use: names, prefixes (`gpt-*`) or patterns. Without it: "
                                      "all, or where the key has `[[assignments]]`, only those.",
                              .example = "[\"gpt-4o\", \"claude-*\"]",
                              .max = 1000,
                              .references = References::none}),
    bind<&KeyConfig::expires>(
        {.key = "expires", .help = "From when on the key is refused.", .example = "\"2027-01-31T12:00:00Z\""}),
    bind<&KeyConfig::blocked>({.key = "blocked", .help = "Refuse the key.", .fallback = "false"}),
    bind<&KeyConfig::tags>({.key = "tags",
                            .help = "Words that every ledger record of the key carries, for reports.",
                            .example = "[\"product:search\", \"stage:production\"]",
                            .max = 16,
                            .references = References::none}),
    bind<&KeyConfig::priority>({.key = "priority",
                                .help = "Where calls wait by `priority`: that of calls that name none in "
                                        "`x-llm-gateway-priority`. The highest goes first.",
                                .fallback = "0",
                                .example = "5",
                                .min = -10,
                                .max = 10}),
    bind<&KeyConfig::priority_max>({.key = "priority_max",
                                    .help = "The highest that a call may name.",
                                    .fallback = "10",
                                    .example = "0",
                                    .min = -10,
                                    .max = 10}),
    bind<&KeyConfig::weight>({.key = "weight",
                              .help = "Where calls wait by `fair`: 2 gets twice the tokens of 1.",
                              .fallback = "1",
                              .example = "2",
                              .min = 1,
                              .max = 1000}),
    bind<&KeyConfig::policy_header>({.key = "policy_header",
                                     .help = "Its calls may name a policy in `x-llm-gateway-policy`, where the route "
                                             "allows it.",
                                     .fallback = "true"}),
};

constexpr std::array kAssignment = {
    bind<&AssignmentConfig::key>({.key = "key",
                                  .help = "The name of the `[[keys]]` entry.",
                                  .example = "\"frontend\"",
                                  .required = true,
                                  .references = References::none}),
    bind<&AssignmentConfig::model>({.key = "model",
                                    .help = "A name that `[[models]]` serve, not a pattern.",
                                    .example = "\"gpt-4-turbo\"",
                                    .max = 256,
                                    .required = true,
                                    .references = References::none}),
    bind<&AssignmentConfig::connection>(
        {.key = "connection",
         .help = "Which connection is to serve it where several do; without it any of them may.",
         .example = "\"openai-main\"",
         .references = References::none}),
    bind<&AssignmentConfig::alias>({.key = "alias",
                                    .help = "The name the key's clients ask for; without it the model's.",
                                    .example = "\"fast\"",
                                    .max = 256,
                                    .references = References::none}),
};

constexpr Setting amount(std::string_view key, std::string_view help, std::string_view example,
                         std::string_view fallback = {}) {
  return {.key = key, .help = help, .fallback = fallback, .example = example};
}

constexpr Setting required(Setting setting) {
  setting.required = true;
  return setting;
}

constexpr std::array kPrice = {
    bind<&PriceConfig::provider>(
        {.key = "provider",
         .help = "The word of `provider` in `[[connections]]`, the name of one of them, or "
                 "`*`. With `:` and a tier behind it (`openai:flex`, `openai:batch`) what "
                 "that tier costs; with `:tools` what the provider's own tools cost, `model` being "
                 "the tool (`web_search`) and `request` the price of a use.",
         .example = "\"openai\"",
         .max = 100,
         .required = true,
         .references = References::none}),
    bind<&PriceConfig::model>({.key = "model",
                               .help = "The upstream's name of the model, or a pattern. Of several that fit, the "
                                       "connection's own price comes first, then the provider's, then the closest "
                                       "pattern.",
                               .example = "\"gpt-4o-mini*\"",
                               .max = 256,
                               .required = true,
                               .references = References::none}),
    bind<&PriceConfig::above_tokens>(
        {.key = "above_tokens",
         .help = "The entry is for prompts of more tokens than this. Shorter ones cost what another entry of the same "
                 "provider and model says, or the next that fits; where none does they have no price.",
         .fallback = "0",
         .example = "200000",
         .max = kTokensMax}),
    bind<&PriceConfig::input>(required(amount("input", "Prompt tokens.", "\"0.15\""))),
    bind<&PriceConfig::output>(required(amount("output", "Generated tokens.", "\"0.60\""))),
    bind<&PriceConfig::cache_read>(
        amount("cache_read", "Prompt tokens from the provider's cache; without it as `input`.", "\"0.075\"")),
    bind<&PriceConfig::cache_write>(
        amount("cache_write", "Prompt tokens written to it for five minutes; without it as `input`.", "\"3.75\"")),
    bind<&PriceConfig::cache_write_1h>(
        amount("cache_write_1h", "Written to it for an hour; without it as `cache_write`.", "\"6.00\"")),
    bind<&PriceConfig::reasoning>(
        amount("reasoning", "Generated tokens of reasoning; without it as `output`.", "\"0.60\"")),
    bind<&PriceConfig::audio_input>(
        amount("audio_input", "Tokens of sound in the prompt; without it as `input`.", "\"40.00\"")),
    bind<&PriceConfig::image_input>(
        amount("image_input", "Tokens of pictures in the prompt; without it as `input`.", "\"10.00\"")),
    bind<&PriceConfig::audio_output>(
        amount("audio_output", "Generated tokens of sound; without it as `output`.", "\"80.00\"")),
    bind<&PriceConfig::image_output>(
        amount("image_output", "Generated tokens of pictures; without it as `output`.", "\"40.00\"")),
    bind<&PriceConfig::request>(
        amount("request", "US dollars for each call, beside its tokens.", "\"0.005\"", "\"0\"")),
};

constexpr std::array kLedger = {
    bind<&LedgerSettings::enabled>(
        {.key = "enabled", .help = "Write a record of every call.", .fallback = "true", .needs_restart = true}),
    bind<&LedgerSettings::retention>(
        {.key = "retention",
         .help = "How long records are kept; the sums that `llm-gateway ledger report` shows stay.",
         .fallback = "\"90d\"",
         .min = kRetentionMin,
         .max = kRetentionMax}),
    bind<&LedgerSettings::max_size>({.key = "max_size",
                                     .help = "Most bytes of records; beyond it the oldest go first.",
                                     .fallback = "\"10GiB\"",
                                     .min = 64 << 20}),
};

constexpr std::array kRedis = {
    bind<&RedisSettings::url>({.key = "url",
                               .help = "`redis://[user:password@]host[:port][/database]`, or `rediss://` with TLS, or "
                                       "`unix:/path`. Without it every gateway counts for itself.",
                               .example = "\"redis://127.0.0.1:6379\"",
                               .min = 8,
                               .max = 2048,
                               .needs_restart = true}),
    bind<&RedisSettings::prefix>({.key = "prefix",
                                  .help = "Before every key in Redis: gateways of the same prefix share limits.",
                                  .fallback = "\"llmgw:\"",
                                  .max = 64,
                                  .needs_restart = true,
                                  .references = References::none}),
    bind<&RedisSettings::timeout>({.key = "timeout",
                                   .help = "How long an answer of Redis may take before it counts as gone.",
                                   .fallback = "\"500ms\"",
                                   .min = 10,
                                   .max = 60'000,
                                   .needs_restart = true}),
};

constexpr auto kGovernedModel = join(kModel, kLimits<ModelConfig>);
constexpr auto kGovernedOrganization = join(kOrganization, kLimits<OrganizationConfig>);
constexpr auto kGovernedTeam = join(kTeam, kLimits<TeamConfig>);
constexpr auto kGovernedUser = join(kUser, kLimits<UserConfig>);
constexpr auto kGovernedKey = join(kKey, kLimits<KeyConfig>);
constexpr auto kGovernedAssignment = join(kAssignment, kLimits<AssignmentConfig>);

}  // namespace

std::span<const Setting> governed_settings(SectionId id) {
  switch (id) {
    case SectionId::model: return kGovernedModel;
    case SectionId::organization: return kGovernedOrganization;
    case SectionId::team: return kGovernedTeam;
    case SectionId::user: return kGovernedUser;
    case SectionId::key: return kGovernedKey;
    case SectionId::assignment: return kGovernedAssignment;
    case SectionId::price: return kPrice;
    case SectionId::ledger: return kLedger;
    case SectionId::redis: return kRedis;
    default: return {};
  }
}

}  // namespace llmgw::control
