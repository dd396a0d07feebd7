#include "control/settings_store.h"

#include "control/settings_binding.h"

namespace llmgw::control {
namespace {

constexpr Setting kStore[] = {
    bind<&StoreSettings::url>(
        {.key = "url",
         .help =
             "`sqlite` is a file of `server.data_dir`; `postgresql://...` is for several gateways, which then serve "
             "the same objects; `none`: there is nothing but this file.",
         .fallback = "\"sqlite\"",
         .example = "\"env:DATABASE_URL\"",
         .max = 4096,
         .needs_restart = true}),
    bind<&StoreSettings::master_key>(
        {.key = "master_key",
         .help = "Seals the credentials in the store: 32 bytes in base64 or hexadecimal, best as `env:` or `file:`. "
                 "Several, separated by commas: the first seals, all open. Without it, `master.key` in "
                 "`server.data_dir`, made at the first start.",
         .example = "\"env:LLM_GATEWAY_MASTER_KEY\"",
         .min = 43,
         .max = 1024,
         .needs_restart = true}),
};

constexpr int64_t kMinute = 60 * 1000;
constexpr int64_t kDay = 24 * 60 * kMinute;

constexpr Setting kAdmin[] = {
    bind<&AdminSettings::oidc_issuer>({.key = "oidc_issuer",
                                       .help = "The provider's issuer URL; its configuration is read from there. "
                                               "Without it only admin keys are good.",
                                       .example = "\"https://login.example.com\"",
                                       .max = 2048}),
    bind<&AdminSettings::oidc_client_id>({.key = "oidc_client_id",
                                          .help = "What the provider calls this gateway.",
                                          .example = "\"llm-gateway\"",
                                          .max = 256}),
    bind<&AdminSettings::oidc_client_secret>({.key = "oidc_client_secret",
                                              .help = "Its secret there; a public client has none.",
                                              .example = "\"env:OIDC_CLIENT_SECRET\"",
                                              .min = 1,
                                              .max = 1024}),
    bind<&AdminSettings::oidc_groups_claim>({.key = "oidc_groups_claim",
                                             .help = "The claim of the ID token that lists a person's groups.",
                                             .fallback = "\"groups\"",
                                             .max = 256}),
    bind<&AdminSettings::public_url>(
        {.key = "public_url",
         .help = "Where browsers reach the admin API; the provider must allow `/admin/v1/callback` under it.",
         .example = "\"https://gateway.example.com\"",
         .max = 2048}),
    bind<&AdminSettings::owners>({.key = "owners",
                                  .help = "Who has the role owner: e-mail addresses, subjects, or `group:name`.",
                                  .example = "[\"jane@example.com\"]",
                                  .max = 1000}),
    bind<&AdminSettings::admins>(
        {.key = "admins", .help = "The same for the role admin.", .example = "[\"group:platform\"]", .max = 1000}),
    bind<&AdminSettings::viewers>({.key = "viewers",
                                   .help = "The same for the role viewer. Nobody else can sign in.",
                                   .example = "[\"group:engineering\"]",
                                   .max = 1000}),
    bind<&AdminSettings::session_lifetime>({.key = "session_lifetime",
                                            .help = "After this a person signs in again.",
                                            .fallback = "\"8h\"",
                                            .min = kMinute,
                                            .max = 30 * kDay}),
    bind<&AdminSettings::engine_token>(
        {.key = "engine_token",
         .help = "With it engines register themselves: `POST /admin/v1/engines`. An "
                 "admin key may do so too; without the setting only that. At least 16 characters.",
         .example = "\"env:ENGINE_TOKEN\"",
         .min = 16,
         .max = 1024}),
};

constexpr Setting kAdminKey[] = {
    bind<&AdminKeyConfig::name>({.key = "name",
                                 .help = "How the audit log calls whoever uses the key.",
                                 .example = "\"ops\"",
                                 .max = 100,
                                 .required = true,
                                 .references = References::none}),
    bind<&AdminKeyConfig::key>({.key = "key",
                                .help = "Sent as a bearer token. At least 8 characters, all visible ASCII.",
                                .example = "\"env:ADMIN_KEY\"",
                                .min = 8,
                                .max = 512,
                                .required = true}),
    bind<&AdminKeyConfig::role>(
        {.key = "role",
         .help =
             "`owner` may do everything; `admin` everything but admin keys and rotating secrets; `team-admin` makes "
             "and changes the users, keys and assignments of one team; `viewer` reads.",
         .fallback = "\"viewer\"",
         .example = "\"admin\""}),
    bind<&AdminKeyConfig::team>({.key = "team",
                                 .help = "team-admin: the name of the `[[teams]]` entry.",
                                 .example = "\"search\"",
                                 .max = 100,
                                 .references = References::none}),
    bind<&AdminKeyConfig::expires>(
        {.key = "expires", .help = "From then on the key is refused.", .example = "\"2027-01-31T12:00:00Z\""}),
    bind<&AdminKeyConfig::blocked>({.key = "blocked", .help = "Refuse the key.", .fallback = "false"}),
};

}  // namespace

std::span<const Setting> store_settings(SectionId id) {
  switch (id) {
    case SectionId::store: return kStore;
    case SectionId::admin_key: return kAdminKey;
    case SectionId::admin: return kAdmin;
    default: return {};
  }
}

}  // namespace llmgw::control
